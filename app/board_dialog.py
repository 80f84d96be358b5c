"""The board: which ports there are, connecting with the weights loaded, a selftest, and its statistics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from app import board_words as words
from app.boards import BoardStatus
from app.dialog_parts import push_button
from app.engines import EngineChoice, Kind, Reference
from app.listening import in_thread
from app.theme import LIGHT, Theme, font
from app.worker import Notice
from kwscore.board.ports import VIRTUAL, Port, board_name, list_boards_and_ports
from kwscore.errors import KWScopeError

if TYPE_CHECKING:
    from app.controller import Controller
    from kwscore.board.selftest import Report

_LAMPS = {"good": "●", "warn": "▲", "bad": "✗", "idle": "○"}


@dataclass(frozen=True, slots=True)
class _Ports:
    ports: list[Port]
    problem: str


@dataclass(frozen=True, slots=True)
class _Connected:
    sentence: str


@dataclass(frozen=True, slots=True)
class _Tested:
    report: Report | None
    sentence: str


@dataclass(frozen=True, slots=True)
class _Counted:
    counters: dict[str, int | None]
    sentence: str


class BoardDialog(QDialog):
    """Stays open beside the window. Everything that waits for the line runs in a thread; answers come as events."""

    port_chosen = Signal(str)
    engines_wanted = Signal(object)  # EngineChoice

    def __init__(self, parent: QWidget, controller: Controller, port: str) -> None:
        super().__init__(parent)
        self.controller = controller
        self.theme = LIGHT
        self.busy = ""
        self._ports: list[Port] = []
        self.setWindowTitle("Board")
        self.setMinimumSize(620, 500)
        self.setModal(False)
        self.list = QListWidget()
        self.list.setAccessibleName("Boards and serial ports")
        self.list.setSpacing(3)
        self.list.setMinimumHeight(110)
        self.list.itemSelectionChanged.connect(self._picked)
        self.list.itemDoubleClicked.connect(lambda _: self.connect_board())
        self.path = QLineEdit(port)
        self.path.setAccessibleName("Port by name")
        self.path.setPlaceholderText("sim, rtl, /dev/ttyUSB1, COM5, socket://host:port …")
        self.path.returnPressed.connect(self.connect_board)
        self.path.textChanged.connect(self._mark)
        self.rescan = push_button("Look again", "Look for serial ports again", self.look)
        self.connect_button = push_button("Connect", "Open the port and load the network's weights", self.connect_board)
        self.disconnect_button = push_button("Disconnect", "Close the port; software goes on", self.disconnect_board)
        self.run_button = push_button("Compare with it", "Run the integer engine and the board together", self.compare)
        self.test_button = push_button(
            "Selftest", "Known audio through the board, every answer compared", self.selftest
        )
        self.stats_button = push_button("Statistics", "Ask the board for its counters", self.statistics)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Something is under way")
        self.lamp, self.state, self.reason = QLabel("○"), QLabel(""), QLabel("")
        self.reason.setWordWrap(True)
        self.refusal = QLabel("")
        self.refusal.setWordWrap(True)
        self.refusal.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.refusal.setAccessibleName("Why the port cannot be used")
        self.refusal.hide()
        self.outcome = QLabel("")
        self.outcome.setWordWrap(True)
        self.outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.outcome.setAccessibleName("Result")
        self.facts = QGridLayout()
        self.facts.setColumnStretch(1, 1)
        self.facts.setHorizontalSpacing(14)
        self.values: dict[str, QLabel] = {}
        self.names: list[QLabel] = []
        for name in ("Network", "Board", "Link", "Host's counters", "Board's counters"):
            self._fact(name)
        self._arrange()
        self.set_theme(self.theme)
        self.look()

    def _fact(self, name: str) -> None:
        label, value = QLabel(name), QLabel("–")
        value.setWordWrap(True)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        value.setAccessibleName(name)
        row = len(self.names)
        self.facts.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        self.facts.addWidget(value, row, 1)
        self.names.append(label)
        self.values[name] = value

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(8)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.rescan)
        row.addWidget(self.connect_button)
        row.addWidget(self.disconnect_button)
        column.addLayout(row)
        column.addWidget(self.refusal)
        column.addWidget(self.bar)
        said = QHBoxLayout()
        said.addWidget(self.lamp)
        said.addWidget(self.state, 1)
        column.addLayout(said)
        column.addWidget(self.reason)
        column.addLayout(self.facts)
        row = QHBoxLayout()
        for button in (self.run_button, self.test_button, self.stats_button):
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self.outcome)

    def set_theme(self, theme: Theme) -> None:
        """Take the window's colours."""
        self.theme = theme
        self.lamp.setFont(font(16))
        self.state.setFont(font(14, QFont.Weight.DemiBold))
        for label in self.names:
            label.setStyleSheet(f"color: {theme.muted}")
        for label in (self.reason, self.refusal):
            label.setStyleSheet(f"color: {theme.bad}")
        self.refresh()

    # -- what the user does -----------------------------------------------------------------------------------

    def look(self) -> None:
        """List the ports, in a thread: some drivers are slow."""
        events = self.controller.worker.events

        def work() -> None:
            try:
                events.append(_Ports(list_boards_and_ports(), ""))
            except Exception as error:  # of the system's, not ours
                events.append(_Ports([], f"The serial ports cannot be listed ({error})."))

        in_thread("kwscope-ports", work)

    def connect_board(self) -> None:
        """Open the port that is named and load the weights of the present network."""
        port = board_name(self.path.text())
        if not port or self.busy:
            return
        self._begin(f"Connecting {port} …")
        self.port_chosen.emit(port)
        events, boards = self.controller.worker.events, self.controller.boards
        network = self.controller.network_choice

        def work() -> None:
            try:
                boards.engine(port, network, lambda said: events.append(Notice("board-dialog", said, "info")))
                events.append(_Connected(""))
            except KWScopeError as error:
                events.append(_Connected(str(error)))
            except Exception as error:
                events.append(_Connected(f"The board {port} cannot be used ({error}): choose another port."))

        in_thread("kwscope-board", work)

    def disconnect_board(self) -> None:
        """Close the port. Engines that need it go back to software."""
        choice = self.controller.engine_choice
        if choice.with_board:
            software = Kind.INTEGER if choice.primary is Kind.BOARD else choice.primary
            self.engines_wanted.emit(EngineChoice(software, None, choice.port))
        in_thread("kwscope-board", self.controller.boards.close)

    def compare(self) -> None:
        """Integers and board side by side."""
        port = self.controller.boards.status().port or self.path.text().strip()
        self.engines_wanted.emit(EngineChoice(Kind.INTEGER, Reference(Kind.BOARD), port))

    def selftest(self) -> None:
        """Known audio through the board; listening goes on in software meanwhile."""
        self._begin("Testing …")
        events, boards, network = self.controller.worker.events, self.controller.boards, self.controller.network_choice

        def work() -> None:
            try:
                report = boards.selftest(network, lambda said: events.append(Notice("board-dialog", said, "info")))
                events.append(_Tested(report, ""))
            except KWScopeError as error:
                events.append(_Tested(None, str(error)))
            except Exception as error:
                events.append(_Tested(None, f"The selftest stopped ({error}): try again."))

        in_thread("kwscope-selftest", work)

    def statistics(self) -> None:
        """Ask the board for its counters."""
        events, boards = self.controller.worker.events, self.controller.boards

        def work() -> None:
            try:
                events.append(_Counted(boards.statistics(), ""))
            except KWScopeError as error:
                events.append(_Counted({}, str(error)))

        in_thread("kwscope-statistics", work)

    # -- what happens -----------------------------------------------------------------------------------------

    def _begin(self, what: str) -> None:
        self.busy = what
        self.bar.setRange(0, 0)
        self._say("")
        self._refuse("")
        self.refresh()

    def _refuse(self, sentence: str) -> None:
        """Why the port that is named cannot be used, below its name."""
        self.refusal.setText(sentence)
        self.refusal.setVisible(bool(sentence))

    def _say(self, sentence: str, good: bool | None = None) -> None:
        """What a selftest or a question to the board came to; the mark says it without the colour."""
        self.outcome.setText(sentence)
        colour = {True: self.theme.good, False: self.theme.bad, None: self.theme.text}[good]
        self.outcome.setStyleSheet(f"color: {colour}")

    def event_came(self, event: object) -> None:
        """Something that a thread left; the window hands on everything."""
        if isinstance(event, _Ports):
            self._ports = event.ports
            self._list(event.problem)
        elif isinstance(event, Notice) and event.key == "board-dialog":
            if self.busy:
                self.busy = event.text
                share = re.search(r"(\d+)%", event.text)
                self.bar.setRange(0, 100 if share else 0)
                self.bar.setValue(int(share[1]) if share else 0)
                self.refresh()
        elif isinstance(event, _Connected):
            self.busy = ""
            self._refuse(event.sentence)
            self.refresh()
            if not event.sentence:
                self.statistics()
        elif isinstance(event, _Tested):
            self.busy = ""
            self._say(event.sentence or words.selftest(event.report), event.report is not None and event.report.equal)
            if event.report is not None and event.report.stats is not None:
                told = event.report.stats.as_dict(event.report.info)
                self.values["Board's counters"].setText(words.counters(told))
            self.refresh()
        elif isinstance(event, _Counted):
            if event.counters:
                self.values["Board's counters"].setText(words.counters(event.counters))
            elif event.sentence:
                self._say(event.sentence, False)

    def refresh(self) -> None:
        """Show how the board is now."""
        status = self.controller.boards.status()
        connected = status.info is not None
        t = self.theme
        colour = {"good": t.good, "warn": t.warn, "bad": t.bad}.get(status.lamp, t.muted)
        self.lamp.setStyleSheet(f"color: {colour}")
        self.lamp.setText(_LAMPS[status.lamp])
        self.state.setText(self.busy or (f"{status.port}: {status.words}" if status.port else "No board is connected"))
        self.reason.setText(status.reason)
        self.reason.setVisible(bool(status.reason))
        self.bar.setVisible(bool(self.busy))
        for button, on in (
            (self.connect_button, not self.busy),
            (self.disconnect_button, connected and not self.busy),
            (self.run_button, connected and not self.busy),
            (self.test_button, connected and status.lamp == "good" and not self.busy),
            (self.stats_button, connected and status.lamp == "good" and not self.busy),
        ):
            button.setEnabled(on)
        self._facts(status)

    def _facts(self, status: BoardStatus) -> None:
        info = status.info
        if info is None:
            for value in self.values.values():
                value.setText("–")
            return
        self.values["Network"].setText(f"{status.network} · weights {info.model_id:08x}")
        self.values["Board"].setText(words.board(info))
        self.values["Link"].setText(f"{status.baud:,} baud · {info.credit} hops may be under way")
        self.values["Host's counters"].setText(words.host_counters(status))

    def _list(self, problem: str) -> None:
        named = self.path.text().strip()
        self.list.blockSignals(True)
        self.list.clear()
        for name, what in VIRTUAL.items():
            self._add(name, f"{name}   Virtual board: {what}", named)
        for port in self._ports:
            known = "FPGA board (Digilent)" if port.board else "serial port"
            about = f": {port.description}" if port.description else ""
            number = f" · {port.serial_number}" if port.serial_number else ""
            self._add(port.device, f"{port.device}   {known}{about}{number}", named)
        if problem or not self._ports:
            item = QListWidgetItem(problem or "No serial port was found. Plug a board in and look again.")
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.blockSignals(False)

    def _add(self, name: str, text: str, named: str) -> None:
        item = QListWidgetItem(text)
        item.setData(Qt.ItemDataRole.UserRole, name)
        self.list.addItem(item)
        if name == named:
            self.list.setCurrentItem(item)

    def _mark(self, named: str) -> None:
        """Show in the list which port is named, if it is there."""
        self.list.blockSignals(True)
        self.list.setCurrentRow(-1)
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == board_name(named):
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)

    def _picked(self) -> None:
        for item in self.list.selectedItems():
            if item.data(Qt.ItemDataRole.UserRole):
                self.path.setText(item.data(Qt.ItemDataRole.UserRole))

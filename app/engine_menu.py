"""The engine button: float, integer or board, what to compare with, and the way to the board.

The FPGA layout shows two engines: where one runs alone, integers in software and the board are chosen with it, and
what ran before comes back with another layout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QFileDialog, QMenu

from app import icons
from app.board_dialog import BoardDialog
from app.controller import Compared, EnginesTried
from app.engines import SAID, VIRTUAL_PORT, EngineChoice, EngineSet, Kind, Reference, called
from app.feature import Feature
from app.panels.comparison import ComparedPanel
from app.panels.comparison_figures import ComparisonPanel
from app.statusbar import Health
from app.theme import Theme

if TYPE_CHECKING:
    from app.window import MainWindow

COMPARISON_KEYS = ("compared_posteriors", "difference", "comparison")
"""Panels that show themselves when a second engine is chosen."""
LENT = ("virtual", "no-board")
"""Keys of the messages about engines that the FPGA layout chose."""
NETWORK_FILES = "Networks (*.safetensors *.pt);;All files (*)"


class EngineFeature(Feature):
    """Keeps button, panels and dialog true to what runs."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.controller = window.controller
        self.button = window.toolbar.add_choice("Engine", "engine", self.fill)
        self.dialog: BoardDialog | None = None
        self.wanted: EngineChoice | None = None  # asked for, not there yet
        self._before: EngineChoice | None = None  # what ran before the FPGA layout chose; None: the user chose
        self._told = False  # that the board is virtual
        self._label = ""
        window.preset_used.connect(self._preset_used)
        window.panels["comparison"].pair_wanted.connect(self.pair)
        if window.settings.board and not self._now.with_board:
            self._keep_port(window.settings.board)
        self._show()

    # -- what the user does -----------------------------------------------------------------------------------

    def choose(self, choice: EngineChoice) -> None:
        """Run these engines as soon as they are ready."""
        self._before = None
        self._run(choice)

    def pair(self) -> None:
        """Software beside the board, on the same samples: integers, which have to be equal to the last bit."""
        before = self._now
        if before.primary is Kind.BOARD:
            pair = replace(before, reference=Reference(Kind.INTEGER))
        else:
            pair = replace(before, primary=Kind.INTEGER, reference=Reference(Kind.BOARD))
        self._run(pair)
        self._before, self._told = before, False

    def _run(self, choice: EngineChoice) -> None:
        for key in ("engines", "board", *LENT):
            self.window.notify(key, "")
        self.wanted = choice
        if choice.reference is not None and choice.reference != self.controller.engine_choice.reference:
            self._show_panels()
        self.controller.set_engines(choice)
        if self.controller.engine_choice == choice:
            self.wanted = None
        self._show()

    def use(self, kind: Kind) -> None:
        """Compute with this engine; what is compared with stays unless it would be the same."""
        reference = self._now.reference
        if reference == Reference(kind):
            reference = Reference(self._now.primary) if self._now.primary is not kind else None
        self.choose(replace(self._now, primary=kind, reference=reference))

    def compare(self, reference: Reference | None) -> None:
        """Run a second engine beside the present one, or none."""
        self.choose(replace(self._now, reference=reference))

    def use_port(self, port: str) -> None:
        """The board is this one from now on, also after the next start."""
        self.window.settings.board = port
        self.choose(replace(self._now, port=port)) if self._now.with_board else self._keep_port(port)

    def _keep_port(self, port: str) -> None:
        self.controller.engine_choice = replace(self.controller.engine_choice, port=port)
        self._show()

    def do_engine(self) -> None:
        """The next engine: float, integer, and the board where one is connected."""
        kinds = [Kind.FLOAT, Kind.INTEGER]
        if self.controller.boards.running is not None or self._now.primary is Kind.BOARD:
            kinds.append(Kind.BOARD)
        self.use(kinds[(kinds.index(self._now.primary) + 1) % len(kinds)])

    def do_compare(self) -> None:
        """Integers beside the present engine (floating point beside integers), or one engine alone again."""
        if self._now.reference is not None:
            self.compare(None)
        else:
            self.compare(Reference(Kind.FLOAT if self._now.primary is Kind.INTEGER else Kind.INTEGER))

    def do_board(self) -> None:
        """The board: ports, connecting, weights, selftest, statistics."""
        if self.dialog is None:
            self.dialog = BoardDialog(
                self.window, self.controller, self.controller.boards.status().port or self._now.port
            )
            self.dialog.port_chosen.connect(self.use_port)
            self.dialog.engines_wanted.connect(self.choose)
        self.dialog.set_theme(self.window.theme)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    @property
    def _now(self) -> EngineChoice:
        return self.wanted or self.controller.engine_choice

    # -- the FPGA layout --------------------------------------------------------------------------------------

    def _preset_used(self, name: str) -> None:
        from app.catalogue import FPGA  # which lists this feature

        if name == FPGA:
            if self._now.reference is None:
                self.pair()
        elif self._before is not None:
            before, self._before = self._before, None
            self._run(before)

    def _paired(self, event: EnginesTried) -> None:
        """What the FPGA layout chose runs, or does not: then the virtual board takes the place of one that is away."""
        banner, port = self.window.banner, event.choice.port
        if event.sentence and event.choice.with_board and port != VIRTUAL_PORT:
            before = self._before
            self._run(replace(event.choice, port=VIRTUAL_PORT))
            self._before = before
            self.window.notify("engines", "")
            self.window.notify("no-board", f"{event.sentence} The virtual board takes its place.", "warning")
        elif event.sentence:
            self._before = None  # what ran goes on, and the message says why
        elif not self._told and called(Kind.BOARD, port) != Kind.BOARD:
            self._told = True
            banner.show_message(
                "virtual",
                f"This board is virtual: a program ({port}) that computes here what the FPGA computes, behind the same "
                "serial protocol. A real one is connected with B.",
                "info",
                action=("Connect a board…", self.window.actions_by_name["board"].trigger),
            )

    # -- the menu ---------------------------------------------------------------------------------------------

    def fill(self, menu: QMenu) -> None:
        """Build the menu from what runs now; called whenever it opens."""
        menu.clear()
        now = self._now
        _title(menu, "Compute with")
        group = QActionGroup(menu)
        for kind in Kind:
            action = menu.addAction(f"{SAID[kind]} ({now.port})" if kind is Kind.BOARD else SAID[kind])
            action.setCheckable(True)
            action.setChecked(now.primary is kind)
            action.setActionGroup(group)
            action.triggered.connect(lambda _=False, kind=kind: self.use(kind))
        menu.addSeparator()
        _title(menu, "Compare with, on the same samples")
        others = QActionGroup(menu)
        nothing = menu.addAction("Nothing")
        nothing.setCheckable(True)
        nothing.setChecked(now.reference is None)
        nothing.setActionGroup(others)
        nothing.triggered.connect(lambda: self.compare(None))
        for kind in Kind:
            if kind is not now.primary:
                self._offer(menu, others, SAID[kind], Reference(kind))
        networks = menu.addMenu("Another network")
        for name in self.controller.networks():
            if name != self.controller.network_name:
                self._offer(networks, others, name, Reference(Kind.FLOAT, name))
        chosen = now.reference
        if chosen is not None and chosen.network and chosen.network not in self.controller.networks():
            self._offer(networks, others, chosen.network, chosen)
        if networks.actions():
            networks.addSeparator()
        networks.addAction("Open network file…").triggered.connect(self._open_network)
        menu.addSeparator()
        menu.addAction(self.window.actions_by_name["board"])

    def _offer(self, menu: QMenu, group: QActionGroup, text: str, reference: Reference) -> None:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(self._now.reference == reference)
        action.setActionGroup(group)
        action.triggered.connect(lambda: self.compare(reference))

    def _open_network(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self.window, "Open network file to compare with", self.window.settings.folder, NETWORK_FILES
        )
        if name:
            self.compare(Reference(Kind.FLOAT, name))

    # -- what happens -----------------------------------------------------------------------------------------

    def event(self, event: object) -> None:
        if isinstance(event, EnginesTried):
            if event.choice == self.wanted:
                self.wanted = None
            if self._before is not None:
                self._paired(event)
            self._show()
        elif isinstance(event, Compared):
            self._name_engines(event.engines)
        if self.dialog is not None:
            self.dialog.event_came(event)

    def status(self, health: Health) -> None:
        self._show()
        if self.dialog is not None and self.dialog.isVisible():
            self.dialog.refresh()

    def set_theme(self, theme: Theme) -> None:
        self.button.setIcon(icons.icon("engine", theme.text))
        if self.dialog is not None:
            self.dialog.set_theme(theme)

    def close(self) -> None:
        if self.dialog is not None:
            self.dialog.close()

    def _name_engines(self, engines: EngineSet) -> None:
        for panel in self.window.panels.values():
            if isinstance(panel, ComparedPanel):
                panel.set_names(engines.names)
            elif isinstance(panel, ComparisonPanel):
                panel.set_engines(engines)

    def _show_panels(self) -> None:
        for key in COMPARISON_KEYS:
            self.window.toggle_dock(key, True)

    def _show(self) -> None:
        label = self._now.label + ("…" if self.wanted is not None else "")
        if label != self._label:
            self._label = label
            self.button.setText(label)
            what = "Where the network's arithmetic runs; a second engine can hear the same samples beside it."
            self.button.setToolTip(f"<p><b>Engine</b>: {label}</p><p>{what} E changes it, B opens the board.</p>")
            self.button.setAccessibleDescription(label)
            self.window.toolbar.fit()


def _title(menu: QMenu, text: str) -> None:
    menu.addAction(text).setEnabled(False)

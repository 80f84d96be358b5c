"""A false-accept run beside the window: how long it has listened, false accepts per hour, every word reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from weakref import ref

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.dialog_parts import push_button
from app.panels.listing import make_plain
from app.panels.timepanel import clock
from app.theme import Theme, font, scaled
from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.session.tally import Standing
from kwscore.stream.history import History

LISTED = 1000
"""Newest words in the list; all of them are in the file and in the figures."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word reported at session sample ``position``; on the display in ``column`` while ``history`` is shown."""

    position: int
    word: str
    score: float
    column: int
    history: ref[History]


@dataclass(frozen=True, slots=True)
class State:
    """What the head says. ``running``; ``heard`` by name; ``file`` and ``size`` in bytes; ``message``: what is wrong,
    or how it ended; ``ended``: there is a file to open."""

    running: bool = False
    heard: str = ""
    file: str = ""
    size: int = 0
    message: str = ""
    ended: bool = False


class WatchDialog(QDialog):
    """Shows a run; what the user wants comes out as signals. Closing it does not end the run."""

    run_wanted = Signal()
    open_wanted = Signal()
    word_wanted = Signal(object)  # Word

    def __init__(self, parent: QWidget, theme: Theme) -> None:
        super().__init__(parent)
        self.setWindowTitle("False-accept run")
        self.setModal(False)
        self.words: deque[Word] = deque(maxlen=LISTED)
        self.threshold = 0.0
        self._standing: Standing | None = None
        self.lamp, self.state, self.figures, self.sentence = QLabel("○"), QLabel(""), QLabel(""), QLabel("")
        self.lamp.setAccessibleName("state")
        self.sentence.setWordWrap(True)
        self.sentence.setAccessibleName("What is going on")
        self.figures.setAccessibleName("Figures")
        self.table_title = QLabel("False accepts per hour, by threshold and word")
        self.list_title = QLabel("Words reported, newest first")
        self.table = _table("False accepts per hour")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.list = _table("Words reported")
        self.list.setColumnCount(3)
        self.list.setHorizontalHeaderLabels(("time", "word", "score"))
        header = self.list.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.list.setToolTip("A click shows the moment: in the plots while they hold it, after the run from its file")
        for chosen in (self.list.cellClicked, self.list.cellActivated):  # by mouse, by Enter
            chosen.connect(self._choose)
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self)
        copy.activated.connect(self.copy)
        self.run_button = push_button("Start", "Start or end the run (Ctrl + Shift + R)", self.run_wanted.emit)
        self.open_button = push_button(
            "Open what was kept", "Replay the run's file in the window", self.open_wanted.emit
        )
        self.copy_button = push_button(
            "Copy table", "Figures with tabs between, for a spreadsheet (Ctrl + C)", self.copy
        )
        self.close_button = push_button("Close", "Close; the run goes on", self.close)
        self._arrange()
        self.set_theme(theme)
        room = self.screen().availableSize()
        self.resize(min(scaled(980), room.width()), min(scaled(560), room.height() - 40))

    def _arrange(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(20, 16, 20, 14)
        outer.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.lamp)
        head.addWidget(self.state)
        head.addStretch(1)
        head.addWidget(self.figures)
        outer.addLayout(head)
        outer.addWidget(self.sentence)
        outer.addSpacing(4)
        tables = QHBoxLayout()
        tables.setSpacing(16)
        for title, table, share in ((self.table_title, self.table, 1), (self.list_title, self.list, 0)):
            column = QVBoxLayout()
            column.setSpacing(4)
            column.addWidget(title)
            column.addWidget(table, 1)
            tables.addLayout(column, share)
        outer.addLayout(tables, 1)
        foot = QHBoxLayout()
        for widget in (self.run_button, self.open_button, self.copy_button):
            foot.addWidget(widget)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        outer.addLayout(foot)

    def set_theme(self, theme: Theme) -> None:
        """Take the window's colours."""
        self.theme = theme
        self.lamp.setFont(font(16))
        self.state.setFont(font(18, QFont.Weight.DemiBold))
        self.figures.setFont(font(14, QFont.Weight.DemiBold))
        self.sentence.setFont(font(13))
        for title in (self.table_title, self.list_title):
            title.setFont(font(12))
            title.setStyleSheet(f"color: {theme.muted}")
        for table in (self.table, self.list):
            table.setFont(font(13))
            table.verticalHeader().setDefaultSectionSize(scaled(24))
            table.horizontalHeader().setFont(font(11))
        for column in range(self.list.columnCount()):
            heading = self.list.horizontalHeaderItem(column)
            if heading is not None:
                heading.setFont(font(11))
                heading.setTextAlignment(_side(column != 1))
        self.list.setFixedWidth(scaled(230))
        if self._standing is not None:
            self.show_standing(self._standing, self.threshold)

    # -- what is shown ----------------------------------------------------------------------------------------

    def show_state(self, state: State) -> None:
        """Lamp, title, sentence and buttons."""
        theme = self.theme
        samples = self._standing.samples if self._standing is not None else 0
        if state.running:
            mark, colour, title = "●", theme.bad, f"Listening for {clock(samples / SAMPLE_RATE)}"
        elif state.ended:
            mark, colour, title = "■", theme.muted, f"Ended after {clock(samples / SAMPLE_RATE)}"
        else:
            mark, colour, title = "○", theme.muted, "Not listening for false accepts"
        said = [state.message] if state.message else []
        if state.running:
            said.append(f"{state.heard}: a second on each side of everything that comes near a word is kept in ")
            said[-1] += f"{state.file} ({state.size / 1e6:.1f} MB)."
        if self._standing is not None and not self._standing.known:
            said.append("Nobody is known to say the words, so every report counts as a false accept.")
        elif not (state.running or state.ended):
            said.append("Let it hear a room, a radio or a long file in which nobody says the words.")
        for label, text in ((self.lamp, mark), (self.state, title), (self.sentence, " ".join(said))):
            if label.text() != text:
                label.setText(text)
        self.lamp.setStyleSheet(f"color: {colour}")
        self.run_button.setText("Stop" if state.running else "Start a new run" if state.ended else "Start")
        self.run_button.setAccessibleName(self.run_button.text())
        self.open_button.setEnabled(state.ended)
        self.copy_button.setEnabled(bool(samples))

    def show_standing(self, standing: Standing, threshold: float) -> None:
        """Figures and table; the row of ``threshold``, which is set, stands out."""
        self._standing, self.threshold = standing, threshold
        reported = "1 word reported" if standing.reported == 1 else f"{standing.reported} words reported"
        self.figures.setText(" · ".join([reported, *headline(standing, threshold)]))
        rows, theme = texts(standing, threshold), self.theme
        if self.table.columnCount() != len(rows[0]):
            self.table.setColumnCount(len(rows[0]))
            self.table.setHorizontalHeaderLabels(rows[0])
            self.table.horizontalHeader().setDefaultAlignment(_side(True))
        self.table.setRowCount(len(rows) - 1)
        bold, plain = font(13, QFont.Weight.DemiBold), font(13)
        for number, (cells, count) in enumerate(zip(rows[1:], standing.counts, strict=True)):
            counts = [None, *count.by_word.values(), count.false_accepts, *([None] if standing.known else [])]
            chosen = count.threshold == threshold
            for column, (text, events) in enumerate(zip(cells, counts, strict=True)):
                item = self.table.item(number, column) or QTableWidgetItem()
                if item.tableWidget() is None:
                    item.setTextAlignment(_side(True))
                    self.table.setItem(number, column, item)
                item.setText(text)
                item.setFont(bold if chosen else plain)
                item.setForeground(theme.colour("muted" if events == 0 else "text"))
                item.setBackground(theme.colour("accent", 0.14 if chosen else 0.0))
                if events is not None:
                    what = rows[0][column] if rows[0][column] in WORDS else "all words"
                    item.setToolTip(f"{what} at {count.threshold:g}: {events} in {clock(3600 * standing.hours)}")
                elif column == 0:
                    item.setToolTip("The threshold that was set when the run began" if chosen else "")

    def begin(self) -> None:
        """Forget the run before."""
        self.words.clear()
        self.list.setRowCount(0)

    def add(self, words: Iterable[Word]) -> None:
        """List words that were reported since."""
        at_top = self.list.verticalScrollBar().value() == 0
        for word in words:
            self.words.appendleft(word)
            self.list.insertRow(0)
            for column, text in enumerate((clock(word.position / SAMPLE_RATE), word.word, f"{word.score:.2f}")):
                item = QTableWidgetItem(text)
                item.setTextAlignment(_side(column != 1))
                self.list.setItem(0, column, item)
        self.list.setRowCount(min(self.list.rowCount(), LISTED))
        if at_top:
            self.list.scrollToTop()

    def copy(self) -> None:
        """The table as text."""
        if self._standing is not None:
            rows = texts(self._standing, self.threshold)
            QApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))

    def _choose(self, row: int, _column: int) -> None:
        if row < len(self.words):
            self.word_wanted.emit(self.words[row])


def headline(standing: Standing, threshold: float) -> list[str]:
    """The rate at the threshold that is set; nothing before anything was heard."""
    count = next((each for each in standing.counts if each.threshold == threshold), None)
    if count is None or not standing.samples:
        return []
    return [f"{standing.per_hour(count.false_accepts):.1f} false accepts per hour at {threshold:g}"]


def texts(standing: Standing, threshold: float) -> list[tuple[str, ...]]:
    """Heading and rows, as ``kwscope session report`` prints them."""
    rows: list[tuple[str, ...]] = [("threshold", *WORDS, "all", *(("missed",) if standing.known else ()))]
    for count in standing.counts:
        numbers = (*count.by_word.values(), count.false_accepts)
        cells = [f"{standing.per_hour(number):.1f}" if standing.samples else "–" for number in numbers]
        missed = (f"{count.misses}/{count.hits + count.misses}",) if standing.known else ()
        rows.append((f"{count.threshold:g}{' *' if count.threshold == threshold else ''}", *cells, *missed))
    return rows


def _side(right: bool) -> Qt.AlignmentFlag:
    """Figures stand at the right of their cells, words at the left."""
    return Qt.AlignmentFlag.AlignVCenter | (Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft)


def _table(name: str) -> QTableWidget:
    table = QTableWidget(0, 0)
    make_plain(table, name)
    table.horizontalHeader().setMinimumSectionSize(1)
    return table

"""The detection log: every word with its time, score and latency."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QApplication, QHeaderView, QMenu, QTableView

from app.panels.listing import ListPanel
from app.theme import Theme
from kwscore.files import beside

LIMIT = 5000  # rows; the oldest go first
GONE = -1  # column of what is no longer held


@dataclass(frozen=True, slots=True)
class LogRow:
    """One detection: ``seconds`` since the start of the stream, score 0..1 (the highest posterior reached so far, as
    in the read-out), ``latency`` in ms from the first rise of its posterior to the decision."""

    seconds: float
    word: str
    score: float
    latency: float
    column: int


HEADERS = ("time", "word", "score", "latency")
WIDEST = ("000.00 s", "right", "0.00", "000 ms")
PADDING = 10  # px at each side of a cell


class LogModel(QAbstractTableModel):
    """Newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[LogRow] = []

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return len(HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return HEADERS[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(section)
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.rows[len(self.rows) - 1 - index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(row)[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        if role == Qt.ItemDataRole.UserRole:
            return row.column
        return None

    def add(self, row: LogRow) -> None:
        self.beginInsertRows(QModelIndex(), 0, 0)
        self.rows.append(row)
        self.endInsertRows()
        if len(self.rows) > LIMIT:
            self.beginRemoveRows(QModelIndex(), LIMIT, LIMIT)
            del self.rows[0]
            self.endRemoveRows()

    def raise_score(self, column: float, score: float) -> None:
        """Give the row of the word reported at ``column`` a higher score, if it is still there."""
        for place in reversed(range(len(self.rows))):
            if self.rows[place].column == column:
                self.rows[place] = replace(self.rows[place], score=score)
                cell = self.index(len(self.rows) - 1 - place, HEADERS.index("score"))
                self.dataChanged.emit(cell, cell)
            if self.rows[place].column <= column:
                return

    def forget_moments(self, keep: int) -> None:
        """All rows but the newest ``keep`` are of sound that is no longer held."""
        for place in range(len(self.rows) - keep):
            self.rows[place] = replace(self.rows[place], column=GONE)

    def clear(self) -> None:
        self.beginResetModel()
        self.rows.clear()
        self.endResetModel()

    def as_csv(self) -> str:
        """All rows, oldest first, with a header line."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("time_s", "word", "score", "latency_ms"))
        writer.writerows(texts(row) for row in self.rows)
        return out.getvalue()


def texts(row: LogRow) -> tuple[str, str, str, str]:
    """What goes into files and the clipboard: bare figures."""
    return f"{row.seconds:.2f}", row.word, f"{row.score:.2f}", f"{row.latency:.0f}"


def shown(row: LogRow) -> tuple[str, str, str, str]:
    """What the table says: figures with their units."""
    seconds, word, score, latency = texts(row)
    return f"{seconds} s", word, score, f"{latency} ms"


def _alignment(column: int) -> int:
    side = Qt.AlignmentFlag.AlignLeft if column == 1 else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


class LogPanel(ListPanel):
    """Table of detections; copy with Ctrl+C, export with the button or the menu; a double click shows the moment."""

    key = "log"
    title = "Detections: every word reported"
    about = (
        "Every reported word: when it was decided (seconds of sound since the start), the highest posterior it "
        "reached, and how long after its posterior began to rise the decision came (smoothing and hold time are in "
        "it). Copy rows with Ctrl+C; a click freezes the plots and shows the second around the word."
    )

    export_wanted = Signal()
    moment_wanted = Signal(int)  # column

    def __init__(self, theme: Theme) -> None:
        super().__init__(
            QTableView(), "Detection log", "Detections, newest first", "No word yet.\nReported words are listed here."
        )
        self.model = LogModel()
        self.table.setModel(self.model)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setMinimumSectionSize(1)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._menu)
        for chosen in (self.table.clicked, self.table.activated):  # by mouse, by Enter
            chosen.connect(lambda index: self.moment_wanted.emit(index.data(Qt.ItemDataRole.UserRole)))
        self.add_key(QKeySequence.StandardKey.Copy, self.copy)
        self.copy_button = self.add_button("Copy", "Copy the selected rows, or all (Ctrl+C)", self.copy)
        self.export_button = self.add_button(
            "Export CSV…", "Write all rows to a CSV file (Ctrl+E)", self.export_wanted.emit
        )
        self.clear_button = self.add_button("Clear", "Empty this list; the plots keep their marks", self.clear)
        self.set_theme(theme)
        self._changed()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Where there is no room for all figures the last columns go; what is there is not cut."""
        measure = QFontMetricsF(self.table.font())
        room = self.table.viewport().width()
        for column, widest in enumerate(WIDEST):
            room -= round(measure.horizontalAdvance(widest)) + 2 * PADDING
            self.table.setColumnHidden(column, column > 1 and room < 0)

    def add(self, row: LogRow) -> None:
        at_top = self.table.verticalScrollBar().value() == 0
        self.model.add(row)
        if at_top:
            self.table.scrollToTop()
        self._changed()

    def raise_score(self, column: float, score: float) -> None:
        """See ``LogModel.raise_score``."""
        self.model.raise_score(column, score)

    def clear(self) -> None:
        self.model.clear()
        self._changed()

    def selected_or_all(self) -> str:
        rows = sorted({index.row() for index in self.table.selectionModel().selectedRows()}, reverse=True)
        if not rows:
            return self.model.as_csv()
        last = len(self.model.rows) - 1
        return "\n".join("\t".join(texts(self.model.rows[last - row])) for row in rows)

    def copy(self) -> None:
        QApplication.clipboard().setText(self.selected_or_all())

    def write_csv(self, path: Path) -> None:
        """Write all rows beside ``path`` and rename. Raises OSError."""
        with beside(path) as part:
            part.write_text(self.model.as_csv(), encoding="utf-8")

    def _changed(self) -> None:
        count = len(self.model.rows)
        self.show_count(count, "word")
        for button in self.buttons:
            button.setEnabled(count > 0)

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction("Copy", self.copy)
        menu.addAction("Export CSV…", self.export_wanted.emit)
        menu.addAction("Clear", self.clear)
        menu.addSeparator()
        menu.addActions(self.actions())
        menu.popup(self.table.viewport().mapToGlobal(position))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

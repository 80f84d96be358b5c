"""The table of an experiment: a row for each network, engine, noise and SNR, filled as they are finished."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QLabel, QTableView, QVBoxLayout, QWidget

from app import theme as themes
from app.theme import Theme, font

Row = dict[str, Any]
COLUMNS = (
    ("network", "The network"),
    ("engine", "What computed: float and integer in software, or a board"),
    ("noise", "Noise that was mixed in"),
    ("SNR", "Signal-to-noise ratio in dB"),
    ("clips", "Clips per seed; the interval is for so many"),
    ("accuracy", "Right answers at the end of the clip or word"),
    ("95 % interval", "Wilson's interval for the clips as a sample of all there could be"),
    ("found", "Words detected, of those that were said"),
    ("false", "Detections of words that were not said"),
    ("latency", "Median time from the end of the word to its detection; where ends are known"),
    ("hop", "Median time that the network needed for a hop of 10 ms"),
)
_LEFT = 3
SORT = Qt.ItemDataRole.UserRole


class ExperimentModel(QAbstractTableModel):
    """Rows in the order in which they came; a row that comes again replaces the old one."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section][0]
        if role == Qt.ItemDataRole.ToolTipRole:
            return COLUMNS[section][1]
        return _alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(row)[column]
        if role == SORT:
            return _values(row)[column]
        return _alignment(column) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def put(self, row: Row) -> None:
        for place, old in enumerate(self.rows):
            if _key(old) == _key(row):
                self.rows[place] = row
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(COLUMNS) - 1))
                return
        self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows))
        self.rows.append(row)
        self.endInsertRows()

    def clear(self) -> None:
        self.beginResetModel()
        self.rows.clear()
        self.endResetModel()


def _key(row: Row) -> tuple[str, str, str]:
    return row["network"], row["engine"], row["condition"]


def shown(row: Row) -> tuple[str, ...]:
    """What the table says."""
    events = row["detections"]
    found = f"{events['hits']} of {events['words']}" if events and events["words"] else "–"
    latency = events["median_latency_ms"] if events else None
    return (
        row["network"].removeprefix("NanoMamba-"),
        row["engine"],
        row["noise"] or "none",
        "clean" if row["snr_db"] is None else f"{row['snr_db']:g} dB",
        str(row["clips"]),
        f"{row['accuracy']:.1f} %",
        f"{row['low']:.1f} – {row['high']:.1f}",
        found,
        str(events["false_accepts"]) if events else "–",
        "–" if latency is None else f"{latency:.0f} ms",
        f"{row['hop_us']:.0f} µs",
    )


def _values(row: Row) -> tuple[str | float, ...]:
    """What the columns are sorted by."""
    events = row["detections"] or {}
    return (
        row["network"],
        row["engine"],
        row["noise"] or "",
        1e3 if row["snr_db"] is None else row["snr_db"],
        row["clips"],
        row["accuracy"],
        row["low"],
        events["hits"] / events["words"] if events.get("words") else -1.0,
        events.get("false_accepts", -1),
        1e6 if events.get("median_latency_ms") is None else events["median_latency_ms"],
        row["hop_us"],
    )


def _alignment(column: int) -> int:
    side = Qt.AlignmentFlag.AlignLeft if column < _LEFT else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def classes(row: Row) -> str:
    """Accuracy of every class of a row, in one line."""
    parts = [
        f"{label} {entry['accuracy']:.0f} %" for label, entry in row["classes"].items() if entry["accuracy"] is not None
    ]
    return " · ".join(parts)


class ExperimentTable(QWidget):
    """The table, and below it the classes of the row that is selected. Ctrl+C copies rows."""

    selected = Signal(object)  # Row or None

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = ExperimentModel()
        self.sorted = QSortFilterProxyModel()
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT)
        self.table = QTableView()
        self.table.setModel(self.sorted)
        self.table.setAccessibleName("Results of the experiment")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.table)
        copy.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        copy.activated.connect(self.copy)
        self.detail = QLabel()
        self.detail.setAccessibleName("Accuracy of each class in the selected row")
        self.detail.setContentsMargins(12, 3, 12, 4)
        self.detail.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.table, 1)
        column.addWidget(self.detail)
        self.set_theme(theme)
        self._selected()

    def set_theme(self, theme: Theme) -> None:
        self.setAutoFillBackground(True)
        self.table.setFont(font(13))
        self.table.horizontalHeader().setFont(font(11))
        self.table.verticalHeader().setDefaultSectionSize(themes.scaled(24))
        self.table.setStyleSheet(  # eleven columns side by side
            "QTableView::item { padding: 0 4px; } QHeaderView::section { padding: 3px 6px; }"
        )
        self.detail.setFont(font(12))
        self.detail.setStyleSheet(f"color: {theme.muted}")

    def put(self, row: Row) -> None:
        """Add or replace a row; the newest one stays in sight while the table is not sorted."""
        bar = self.table.verticalScrollBar()
        below = bar.value() == bar.maximum()
        self.model.put(row)
        if below and self.sorted.sortColumn() < 0:
            self.table.scrollToBottom()
        self._selected()

    def clear(self) -> None:
        self.model.clear()
        self._selected()

    def copy(self) -> None:
        """Selected rows, or all, as tab-separated text with a heading."""
        chosen = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        places = chosen or range(self.sorted.rowCount())
        lines = ["\t".join(name for name, _ in COLUMNS)]
        for place in places:
            source = self.sorted.mapToSource(self.sorted.index(place, 0)).row()
            lines.append("\t".join(shown(self.model.rows[source])))
        QApplication.clipboard().setText("\n".join(lines))

    def _selected(self) -> None:
        chosen = self.table.selectionModel().selectedRows()
        row = self.model.rows[self.sorted.mapToSource(chosen[0]).row()] if chosen else None
        text = "Select a row to see its classes." if self.model.rows else ""
        self.detail.setText(classes(row) if row is not None else text)
        self.detail.setVisible(bool(self.model.rows))
        self.selected.emit(row)

"""Notes and pins: what was marked while listening, and what a session that is replayed brings along."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from app.panels.listing import ListPanel
from app.theme import Theme

PIN = "pin"
"""What a note without words is called."""
_HEADERS = ("time", "note")


@dataclass(frozen=True, slots=True)
class NoteRow:
    """``seconds`` on the clock that is shown; ``place``: what a click jumps to (None: it can no longer be shown)."""

    id: str
    seconds: float
    text: str
    place: int | None = None


class NotesPanel(ListPanel):
    """A list in the order of time. A click jumps there; a double click or F2 edits the words; Delete takes one away."""

    key = "notes"
    title = "Notes: pins and remarks"
    about = (
        "Press P to pin this moment, Shift+P to write a note. Notes are stored in the recording, if there is one. A "
        "click on a note shows its moment, a double click (F2) edits it, Delete removes it."
    )

    pin_wanted = Signal()
    note_wanted = Signal()
    moment_wanted = Signal(int)  # place
    edited = Signal(str, str)  # id, text
    deleted = Signal(str)  # id

    table: QTableWidget

    def __init__(self, theme: Theme) -> None:
        super().__init__(
            QTableWidget(0, len(_HEADERS)),
            "Notes",
            "Notes, in the order of time",
            "No note yet.\nPress P to pin a moment, Shift+P to write a note.",
        )
        self.rows: list[NoteRow] = []
        self._filling = False
        self.table.setHorizontalHeaderLabels(_HEADERS)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        triggers = QAbstractItemView.EditTrigger
        self.table.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for chosen in (self.table.cellClicked, self.table.cellActivated):  # by mouse, by Enter
            chosen.connect(self._jump)
        self.table.cellChanged.connect(self._changed)
        self.table.itemSelectionChanged.connect(self._enable)
        self.add_key(QKeySequence.StandardKey.Delete, self._delete)
        self.pin_button = self.add_button("Pin", "Mark this moment (P)", self.pin_wanted.emit)
        self.note_button = self.add_button(
            "Note…", "Mark this moment and write something (Shift + P)", self.note_wanted.emit
        )
        self.delete_button = self.add_button("Delete", "Remove the selected note (Delete)", self._delete)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        super().set_theme(theme)
        self.show_rows(self.rows)

    def show_rows(self, rows: list[NoteRow]) -> None:
        """List these notes; the selected one stays selected."""
        chosen = self.selected
        self.rows = rows
        self._filling = True
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            when = QTableWidgetItem(_when(row.seconds))
            when.setFlags(when.flags() & ~Qt.ItemFlag.ItemIsEditable)
            words = QTableWidgetItem(row.text or PIN)
            if row.place is None:
                when.setToolTip("This moment is no longer held and cannot be shown")
                when.setForeground(self.theme.colour("muted"))
            if not row.text:
                words.setForeground(self.theme.colour("muted"))
            self.table.setItem(number, 0, when)
            self.table.setItem(number, 1, words)
            if row.id == chosen:
                self.table.selectRow(number)
        self._filling = False
        self.show_count(len(rows), "note")
        self._enable()

    @property
    def selected(self) -> str:
        """Id of the selected note; empty without one."""
        number = self.table.currentRow()
        return self.rows[number].id if self.table.selectedItems() and 0 <= number < len(self.rows) else ""

    @property
    def editing(self) -> bool:
        """Whether somebody is writing: the list must then stay as it is."""
        return self.table.state() == QAbstractItemView.State.EditingState

    def edit(self, id: str) -> None:
        """Let the user write in a note."""
        for number, row in enumerate(self.rows):
            if row.id == id:
                self.table.setFocus()
                self.table.setCurrentCell(number, 1)
                self.table.edit(self.table.currentIndex())

    def _enable(self) -> None:
        self.delete_button.setEnabled(bool(self.selected))

    def _jump(self, number: int, _column: int) -> None:
        place = self.rows[number].place if number < len(self.rows) else None
        if place is not None:
            self.moment_wanted.emit(place)

    def _changed(self, number: int, column: int) -> None:
        item = self.table.item(number, column)
        if self._filling or column != 1 or item is None:
            return
        text = item.text().strip()
        row = self.rows[number]
        words = "" if text == PIN and not row.text else text
        if words != row.text:
            self.edited.emit(row.id, words)

    def _delete(self) -> None:
        if self.selected:
            self.deleted.emit(self.selected)


def _when(seconds: float) -> str:
    """``7.3 s`` below a minute, then ``1:07.3``, then ``1:02:07.3``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"

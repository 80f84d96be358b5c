"""The five constants that calibration sets: before and after, of every engine that can be set."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from app.calibration import Part
from app.theme import Theme, font
from kwscore.models.calibration import CALIBRATION, Values

MEANING = {
    "delta_floor_min": "least step size at low SNR",
    "delta_floor_max": "least step size at high SNR",
    "epsilon_min": "input that passes the gate by, at high SNR",
    "epsilon_max": "input that passes the gate by, at low SNR",
    "bgate_floor": "least opening of the input gate",
}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ConstantsTable(QWidget):
    """A row for each constant, a column for each engine: ``own → now``, and in bold what differs."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.parts: tuple[Part, ...] = ()
        self.values: list[list[QLabel]] = []
        self._labels: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(1, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Constants before and after")

    def set_theme(self, theme: Theme) -> None:
        """Take the window's colours."""
        self.theme = theme
        self._fill()

    def show_parts(self, parts: Sequence[Part]) -> None:
        """What to show from now on: the engines of ``parts`` that can be set."""
        shown = tuple(part for part in parts if not part.why)
        if shown != self.parts:
            self.parts = shown
            self._fill()

    def _fill(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self.values = []
        self.setVisible(bool(self.parts))
        if len(self.parts) > 1:
            for column, part in enumerate(self.parts):
                self._grid.addWidget(self._label(part.network, muted=True), 0, 2 + column, _RIGHT)
        for row, name in enumerate(CALIBRATION, 1):
            title, meaning = self._label(name), self._label(MEANING[name], muted=True)
            self._grid.addWidget(title, row, 0)
            self._grid.addWidget(meaning, row, 1)
            line = []
            for column, part in enumerate(self.parts):
                text, changed = _change(part, row - 1)
                value = self._label(text, bold=changed)
                value.setAccessibleName(f"{name}, {part.network}")
                self._grid.addWidget(value, row, 2 + column, _RIGHT)
                line.append(value)
            self.values.append(line)

    def _label(self, text: str, muted: bool = False, bold: bool = False) -> QLabel:
        label = QLabel(text)
        label.setFont(font(12, QFont.Weight.DemiBold if bold else QFont.Weight.Normal))
        label.setStyleSheet(f"color: {self.theme.muted if muted else self.theme.text}")
        return label


def _change(part: Part, place: int) -> tuple[str, bool]:
    """``0.05 → 0.0466``, and whether that is a change."""
    if part.record is None:
        return _shown(part.own, place), False
    before, after = _shown(part.record.before, place), _shown(part.record.after, place)
    return (f"{before} → {after}", True) if before != after else (before, False)


def _shown(rows: Sequence[Values], place: int) -> str:
    """The constant in every block, once where all blocks have the same."""
    return " / ".join(dict.fromkeys(f"{row[place]:g}" for row in rows))

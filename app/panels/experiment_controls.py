"""Controls of the experiment's form, and how it reads numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QScrollArea, QToolButton

from app.theme import Theme
from kwscore.errors import KWScopeError


class CheckList(QListWidget):
    """Names with check marks, as high as its entries."""

    changed = Signal()
    LONGEST = 9

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.itemChanged.connect(lambda _: self.changed.emit())

    def add(self, value: str, text: str, checked: bool, tip: str = "") -> None:
        """Add an entry, or check it where it is there already."""
        for i in range(self.count()):
            if self.item(i).data(Qt.ItemDataRole.UserRole) == value:
                self.item(i).setCheckState(_check(checked))
                return
        item = QListWidgetItem(text)
        item.setData(Qt.ItemDataRole.UserRole, value)
        item.setToolTip(tip or value)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(_check(checked))
        self.addItem(item)
        self.updateGeometry()
        self.changed.emit()

    def values(self) -> tuple[str, ...]:
        """What is checked, in order."""
        items = (self.item(i) for i in range(self.count()))
        return tuple(
            str(item.data(Qt.ItemDataRole.UserRole)) for item in items if item.checkState() == Qt.CheckState.Checked
        )

    def check_only(self, values: Iterable[str]) -> None:
        wanted = set(values)
        for i in range(self.count()):
            self.item(i).setCheckState(_check(self.item(i).data(Qt.ItemDataRole.UserRole) in wanted))

    def sizeHint(self) -> QSize:
        rows = min(max(self.count(), 1), self.LONGEST)
        return QSize(220, rows * max(self.sizeHintForRow(0), 12) + 2 * self.frameWidth() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())


def _check(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked


class Column(QScrollArea):
    """Scrolls up and down only, so it is never narrower than what it holds."""

    def minimumSizeHint(self) -> QSize:
        inner, bar = self.widget(), self.verticalScrollBar()
        width = inner.minimumSizeHint().width() if inner is not None else 0
        return QSize(width + bar.sizeHint().width(), super().minimumSizeHint().height())


def outlined(palette: QPalette, theme: Theme) -> QPalette:
    """Fusion draws outlines darker than the window, which nobody sees on a dark one."""
    window = QColor(theme.surface)
    palette.setColor(QPalette.ColorRole.Window, QColor(theme.muted) if window.lightness() < 128 else window)
    return palette


def combo(name: str, entries: Iterable[tuple[str, str, str]]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for number, (value, text, tip) in enumerate(entries):
        box.addItem(text, value)
        if tip:
            box.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
    return box


def button(text: str, tip: str, slot: object) -> QToolButton:
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tip)
    made.setAccessibleName(f"{text}: {tip}")  # a voice asks for what is written
    made.clicked.connect(slot)
    return made


def numbers(text: str, name: str) -> list[float]:
    """Numbers apart by spaces, commas or semicolons; "a..b by c" is a range."""
    text = text.replace("−", "-").strip()
    number = r"[+-]?\d+(?:\.\d+)?"
    if found := re.fullmatch(rf"({number})\s*\.\.\s*({number})(?:\s*by\s*({number}))?", text):
        first, last, step = float(found[1]), float(found[2]), float(found[3] or 5)
        if step <= 0 or last < first or (last - first) / step > 1000:
            raise KWScopeError(f"{name}: the range {text} has no end: write it upwards, for instance -15..15 by 5.")
        return [first + i * step for i in range(int((last - first) / step + 1e-9) + 1)]
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    for part in parts:
        if not re.fullmatch(number, part):
            raise KWScopeError(f"{name}: {part!r} is not a number: write numbers with spaces between them.")
    return [float(part) if "." in part else int(part) for part in parts]  # seeds are whole, and longer than a float


def whole_number(value: float) -> int:
    if value != int(value) or value < 0:
        raise KWScopeError(f"Seeds: {value:g} is not a whole number from 0 up: write for instance 1 2 3.")
    return int(value)

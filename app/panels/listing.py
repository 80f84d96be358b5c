"""What the panels with a list share: a plain table, what to say while it is empty, a foot with count and buttons."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedLayout,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme, font, scaled

ROW, LEAST = 24, 110  # px at 100 % text size: height of a row, and of a panel
NARROWEST = 220  # px


def make_plain(table: QTableView, name: str) -> None:
    """A table that is read, not edited: whole rows, no grid, Tab leads on; ``name``: for screen readers."""
    table.setAccessibleName(name)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.horizontalHeader().setHighlightSections(False)


class ListPanel(QWidget):
    """``table`` over a foot of ``count`` and ``buttons``; ``hint`` in its place while there are no rows.

    Subclasses give ``key``, ``title`` and ``about``, and call ``show_count`` whenever the number of rows changed.
    """

    key = ""
    title = ""
    about = ""

    def __init__(self, table: QTableView, name: str, rows: str, hint: str) -> None:
        """``name``: of the panel, ``rows``: of the table, both for screen readers."""
        super().__init__()
        self.table = table
        self.buttons: list[QToolButton] = []
        self.setAutoFillBackground(True)
        self.setAccessibleName(name)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")
        make_plain(table, rows)
        self.hint = QLabel(hint)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setWordWrap(True)
        self.count = QLabel("")
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.stack = QStackedLayout()
        self.stack.addWidget(self.hint)
        self.stack.addWidget(table)
        self._foot = QHBoxLayout()
        self._foot.setContentsMargins(12, 0, 6, 4)
        self._foot.addWidget(self.count, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self.stack, 1)
        layout.addLayout(self._foot)

    def sizeHint(self) -> QSize:
        return QSize(340, 260)

    def minimumSizeHint(self) -> QSize:
        """So wide that no button is cut."""
        return QSize(max(NARROWEST, self._foot.minimumSize().width()), scaled(LEAST))

    def add_button(self, text: str, tip: str, slot: object) -> QToolButton:
        """A further button at the right of the foot."""
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(text.rstrip("…"))
        button.clicked.connect(slot)
        self._foot.addWidget(button)
        self.buttons.append(button)
        return button

    def add_key(self, key: QKeySequence.StandardKey, slot: object) -> None:
        """A key that belongs to the table while it has the focus."""
        shortcut = QShortcut(QKeySequence(key), self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(slot)

    def show_count(self, count: int, one: str) -> None:
        """``count`` rows, each of them ``one``: the foot says so, and without any the hint stands there."""
        self.stack.setCurrentIndex(1 if count else 0)
        self.count.setText("" if not count else f"1 {one}" if count == 1 else f"{count} {one}s")

    def set_theme(self, theme: Theme) -> None:
        self.setMinimumHeight(scaled(LEAST))
        for label in (self.hint, self.count):
            label.setFont(font(12))
            label.setStyleSheet(f"color: {theme.muted}")
        self.table.setFont(font(13))
        self.table.verticalHeader().setDefaultSectionSize(scaled(ROW))
        self.table.horizontalHeader().setFont(font(11))

"""A strip under the toolbar for what went wrong and what to do about it; never a dialog in the way."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import icons
from app.theme import Theme, font, scaled

Action = tuple[str, Callable[[], object]]
LIMIT = 3  # sentences shown at once; older ones make room


class _Row(QWidget):
    def __init__(self, banner: Banner, key: str, text: str, level: str, theme: Theme, action: Action | None) -> None:
        super().__init__()
        self.key, self.level = key, level
        self.lamp = QLabel()
        self.label = QLabel(text)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.close_button = QToolButton()
        self.close_button.setAccessibleName("Dismiss message")
        self.close_button.setToolTip("Dismiss (Esc)")
        self.close_button.clicked.connect(lambda: banner.dismiss(key))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 0, 6, 0)
        row.setSpacing(10)
        row.addWidget(self.lamp)
        row.addWidget(self.label, 1)
        self.action_button: QToolButton | None = None
        if action is not None:
            words, act = action
            self.action_button = QToolButton()
            self.action_button.setObjectName("offer")
            self.action_button.setText(words)
            self.action_button.setAccessibleName(words)
            self.action_button.clicked.connect(lambda: banner.dismiss(key))
            self.action_button.clicked.connect(lambda: act())
            row.addWidget(self.action_button)
        row.addWidget(self.close_button)
        self.setObjectName("message")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(f"{level}: {text}")
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        colour = {"error": theme.bad, "warning": theme.warn}.get(self.level, theme.wave)
        self.lamp.setText({"error": "✗", "warning": "▲"}.get(self.level, "●"))
        self.lamp.setStyleSheet(f"color: {colour}")
        self.lamp.setFont(font(13))
        self.lamp.setFixedWidth(scaled(16))
        self.label.setFont(font(13))
        self.setStyleSheet(f"#message {{ background: {theme.raised}; border-bottom: 1px solid {theme.line}; }}")
        self.close_button.setIconSize(QSize(scaled(14), scaled(14)))
        self.close_button.setIcon(icons.icon("close", theme.muted))

    def fit(self, width: int) -> int:
        """Take the height that the sentence needs in ``width`` pixels; return it."""
        buttons = [each for each in (self.close_button, self.action_button) if each is not None]
        taken = sum(each.sizeHint().width() + 10 for each in buttons) + self.lamp.sizeHint().width() + 30
        height = max(
            self.label.heightForWidth(max(width - taken, 100)), *(each.sizeHint().height() for each in buttons)
        )
        height += 5
        self.setFixedHeight(height)
        return height


class Banner(QWidget):
    """Up to three sentences; a new one with the same key replaces the old one."""

    changed = Signal(bool)  # whether there is anything to show

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rows: list[_Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self.setAccessibleName("Messages")

    def show_message(self, key: str, text: str, level: str = "error", action: Action | None = None) -> None:
        """``level``: error, warning or info. ``action``: the words of a button and what it does; the message goes
        with it. Does nothing when the same sentence already stands there."""
        for row in self.rows:
            if row.key == key and row.label.text() == text:
                return
        self.dismiss(key)
        while len(self.rows) >= LIMIT:
            self.dismiss(self.rows[0].key)
        row = _Row(self, key, text, level, self.theme, action)
        self.rows.append(row)
        self._layout.addWidget(row)
        self._fit()
        self.changed.emit(True)

    def dismiss(self, key: str) -> None:
        for row in [row for row in self.rows if row.key == key]:
            self.rows.remove(row)
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._fit()
        self.changed.emit(bool(self.rows))

    def _fit(self) -> None:
        self.setFixedHeight(sum(row.fit(self.width()) for row in self.rows))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def dismiss_all(self) -> None:
        for row in list(self.rows):
            self.dismiss(row.key)

    def text(self) -> str:
        """All sentences shown, for tests and screen readers."""
        return " ".join(row.label.text() for row in self.rows)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        for row in self.rows:
            row.set_theme(theme)

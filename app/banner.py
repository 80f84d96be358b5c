"""A strip under the toolbar for what went wrong and what to do about it; never a dialog in the way."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import icons
from app.theme import Theme, font

LIMIT = 3  # sentences shown at once; older ones make room


class _Row(QWidget):
    def __init__(self, banner: Banner, key: str, text: str, level: str, theme: Theme) -> None:
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
        self.close_button.setIconSize(QSize(14, 14))
        self.close_button.clicked.connect(lambda: banner.dismiss(key))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 3, 6, 3)
        row.setSpacing(10)
        row.addWidget(self.lamp)
        row.addWidget(self.label, 1)
        row.addWidget(self.close_button)
        self.setAutoFillBackground(True)
        self.setAccessibleName(f"{level}: {text}")
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        colour = {"error": theme.bad, "warning": theme.warn}.get(self.level, theme.wave)
        self.lamp.setText({"error": "✗", "warning": "▲"}.get(self.level, "●"))
        self.lamp.setStyleSheet(f"color: {colour}")
        self.lamp.setFont(font(13))
        self.label.setFont(font(13))
        self.setStyleSheet(f"_Row {{ background: {theme.raised}; }}")
        self.close_button.setIcon(icons.icon("close", theme.muted))
        palette = self.palette()
        palette.setColor(self.backgroundRole(), theme.colour("raised"))
        self.setPalette(palette)


class Banner(QWidget):
    """Up to three sentences; a new one with the same key replaces the old one."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rows: list[_Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self.setAccessibleName("Messages")
        self.hide()

    def show_message(self, key: str, text: str, level: str = "error") -> None:
        """``level``: error, warning or info. Does nothing when the same sentence already stands there."""
        for row in self.rows:
            if row.key == key and row.label.text() == text:
                return
        self.dismiss(key)
        while len(self.rows) >= LIMIT:
            self.dismiss(self.rows[0].key)
        row = _Row(self, key, text, level, self.theme)
        self.rows.append(row)
        self._layout.addWidget(row)
        self.show()

    def dismiss(self, key: str) -> None:
        for row in [row for row in self.rows if row.key == key]:
            self.rows.remove(row)
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self.rows))

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

"""The overlay with all keyboard shortcuts."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.commands import COMMANDS, PANEL_KEYS, shown_keys
from app.theme import Theme, font

ROW = 25


class ShortcutOverlay(QWidget):
    """Covers the window; any key or click closes it."""

    def __init__(self, parent: QWidget, theme: Theme) -> None:
        super().__init__(parent)
        self.host = parent
        self.theme = theme
        self.setAccessibleName("Keyboard shortcuts")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.hide()
        parent.installEventFilter(self)

    def groups(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for command in COMMANDS:
            found.setdefault(command.group, []).append((shown_keys(command), command.text))
        found["Window"].insert(0, (PANEL_KEYS, "Show / hide panels"))
        found["Looking"] += [("Wheel, drag", "Move in time"), ("Ctrl + wheel", "Stretch time")]
        return found

    def toggle(self) -> None:
        if self.isVisible():
            self.hide()
            return
        self.setGeometry(self.host.rect())
        self.raise_()
        self.show()
        self.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.setGeometry(self.host.rect())
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, groups = self.theme, self.groups()
        veil = QColor(theme.window)
        veil.setAlphaF(0.72)
        painter.fillRect(self.rect(), veil)
        rows = max(len(rows) for rows in groups.values())
        width = min(self.width() - 40, 1100)
        height = 96 + rows * ROW
        box = QRectF((self.width() - width) / 2, max(10, (self.height() - height) / 2), width, height)
        painter.setPen(QColor(theme.line))
        painter.setBrush(QColor(theme.surface))
        painter.drawRoundedRect(box, 12, 12)
        column = (width - 48) / len(groups)
        for number, (name, entries) in enumerate(groups.items()):
            x, y = box.left() + 24 + number * column, box.top() + 20
            painter.setFont(font(15, QFont.Weight.DemiBold))
            painter.setPen(QColor(theme.accent))
            painter.drawText(QRectF(x, y, column, 24), Qt.AlignmentFlag.AlignLeft, name)
            for row, (keys, text) in enumerate(entries):
                self._paint_row(painter, QRectF(x, y + 34 + row * ROW, column - 16, ROW), keys, text)
        painter.setFont(font(12))
        painter.setPen(QColor(theme.muted))
        foot = QRectF(box.left(), box.bottom() - 32, box.width(), 24)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, "Any key or click closes this")
        painter.end()

    def _paint_row(self, painter: QPainter, area: QRectF, keys: str, text: str) -> None:
        face = font(12, QFont.Weight.DemiBold)
        width = max(QFontMetricsF(face).horizontalAdvance(keys) + 12, 28)
        cap = QRectF(area.left(), area.top() + 2, width, ROW - 5)
        painter.setPen(QColor(self.theme.line))
        painter.setBrush(QColor(self.theme.raised))
        painter.drawRoundedRect(cap, 4, 4)
        painter.setFont(face)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, keys)
        painter.setFont(font(13))
        rest = area.adjusted(max(width, 118) + 10, 0, 0, 0)
        painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

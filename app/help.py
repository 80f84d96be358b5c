"""The overlay with all keyboard shortcuts."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.commands import COMMANDS, PANEL_KEYS, shown_keys
from app.theme import Theme, font, scaled

ROW = 25  # px, a line at 100 % text size
COLUMN = 320  # px, the narrowest column of such lines
EDGE = 22  # px around everything
FOOT = 24  # px, the line at the bottom

Entry = tuple[str, str]  # keys, what they do
Line = str | Entry


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

    def groups(self) -> dict[str, list[Entry]]:
        """Keys and what they do, by group; commands without a key are in the menus only."""
        found: dict[str, list[Entry]] = {}
        for command in COMMANDS:
            if command.keys:
                found.setdefault(command.group, []).append((shown_keys(command), command.text))
        found.setdefault("Panels", []).insert(0, (PANEL_KEYS, "Show / hide panels"))
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

    def arrange(self, width: int, height: int) -> tuple[list[list[Line]], int]:
        """Groups in columns of about equal height, each line a heading or an entry; and the height of a line that
        makes them fit into a window of ``width`` x ``height`` pixels."""
        blocks: list[list[Line]] = [[name, *entries, ""] for name, entries in self.groups().items()]
        best: tuple[int, int, list[list[Line]]] = (0, 0, [])
        for number in range(1, len(blocks) + 1):
            columns: list[list[Line]] = [[] for _ in range(number)]
            for block in sorted(blocks, key=len, reverse=True):
                min(columns, key=len).extend(block)
            longest = max(len(column) for column in columns)
            wide = (width - 2 * EDGE) * ROW // (number * COLUMN)  # a line as high as its column is wide for
            row = min(scaled(ROW), wide, (height - 2 * EDGE - FOOT) // longest)
            if row > best[0] or (row == best[0] and best[1] * row > 0.62 * height):
                best = row, longest, columns
        row, _, columns = best
        return [column[:-1] for column in columns], row

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self.theme
        veil = QColor(theme.window)
        veil.setAlphaF(0.72)
        painter.fillRect(self.rect(), veil)
        columns, row = self.arrange(self.width(), self.height())
        width = min(self.width() - 16, len(columns) * (COLUMN + 60) * row // ROW + 2 * EDGE)
        height = max(len(column) for column in columns) * row + 2 * EDGE + FOOT
        box = QRectF((self.width() - width) / 2, max(4, (self.height() - height) / 2), width, height)
        painter.setPen(QColor(theme.line))
        painter.setBrush(QColor(theme.surface))
        painter.drawRoundedRect(box, 12, 12)
        each = (box.width() - 2 * EDGE) / len(columns)
        for number, lines in enumerate(columns):
            x, y = box.left() + EDGE + number * each, box.top() + EDGE
            for place, line in enumerate(lines):
                self._paint_line(painter, QRectF(x, y + place * row, each - 18, row), line)
        painter.setFont(font(12 * row / ROW, fixed=True))
        painter.setPen(QColor(theme.muted))
        foot = QRectF(box.left(), box.bottom() - FOOT - 6, box.width(), FOOT)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, "Any key or click closes this")
        painter.end()

    def _paint_line(self, painter: QPainter, area: QRectF, line: Line) -> None:
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        size = area.height() / ROW
        if isinstance(line, str):
            painter.setFont(font(15 * size, QFont.Weight.DemiBold, fixed=True))
            painter.setPen(QColor(self.theme.accent))
            painter.drawText(area, middle, line)
            return
        keys, text = line
        face = font(12 * size, QFont.Weight.DemiBold, fixed=True)
        width = max(QFontMetricsF(face).horizontalAdvance(keys) + 12, 28)
        cap = QRectF(area.left(), area.top() + 2, width, area.height() - 4)
        painter.setPen(QColor(self.theme.line))
        painter.setBrush(QColor(self.theme.raised))
        painter.drawRoundedRect(cap, 4, 4)
        painter.setFont(face)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, keys)
        plain = font(13 * size, fixed=True)
        painter.setFont(plain)
        rest = area.adjusted(max(width, 104 * size) + 10, 0, 0, 0)
        shown = QFontMetricsF(plain).elidedText(text, Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, middle, shown)

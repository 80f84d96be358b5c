"""The whole history as one thin strip: where the window looks, where words were; drag to look back."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.feed import Feed
from app.panels.timepanel import clock, scale_width, side_width
from app.theme import Theme, font, scaled

HEIGHT = 24  # px at 100 % text size


class Timeline(QWidget):
    """A navigator. The handle is the part that the panels show; grabbing it freezes the display."""

    moved_to = Signal(int)  # column that shall be the newest one shown
    live_wanted = Signal()

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.theme, self.feed = theme, feed
        self.end, self.shown, self.frozen = 0, 1, False
        self._grip: float | None = None
        self._state: tuple[object, ...] = ()
        self.setFixedHeight(scaled(HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Timeline")
        self.setToolTip(
            "<p><b>Timeline</b></p><p>Everything since the start (or the last reset) that is still remembered. The "
            "block is what the panels show; ticks are detected words. Drag to look back (←, →, Page Up, Page Down); "
            "a click on <b>Back to live</b> (End) returns to now.</p>"
        )

    def sizeHint(self) -> QSize:
        return QSize(900, scaled(HEIGHT))

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setFixedHeight(scaled(HEIGHT))
        self._state = ()
        self.update()

    def advance(self, end: int, shown: int, frozen: bool) -> None:
        self.end, self.shown, self.frozen = end, shown, frozen
        state = (end // 10, shown, frozen, self.feed.end // 10, self.feed.first // 10)
        if state != self._state:
            self._state = state
            self.update()

    @property
    def track(self) -> QRectF:
        left = scale_width()
        return QRectF(left, 5, max(self.width() - left - side_width(), 20), self.height() - 10)

    def x_of(self, column: float) -> float:
        first, span = self.feed.first, max(self.feed.end - self.feed.first, self.shown)
        return self.track.left() + (column - first) / span * self.track.width()

    def _column(self, x: float) -> float:
        first, span = self.feed.first, max(self.feed.end - self.feed.first, self.shown)
        return first + (x - self.track.left()) / self.track.width() * span

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme, track = self.theme, self.track
        painter.fillRect(self.rect(), QColor(theme.surface))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.raised))
        painter.drawRoundedRect(track, 4, 4)
        if self.feed.end:
            left = self.x_of(max(self.end - self.shown, self.feed.first))
            handle = QRectF(left, track.top(), max(self.x_of(self.end) - left, 8), track.height())
            painter.setBrush(theme.colour("accent" if self.frozen else "muted", 0.35))
            painter.setPen(QPen(theme.colour("accent" if self.frozen else "muted"), 1))
            painter.drawRoundedRect(handle, 4, 4)
            for mark in self.feed.detections(self.feed.first, self.feed.end):
                x = self.x_of(mark.column)
                painter.fillRect(QRectF(x - 0.75, track.top() + 2, 1.5, track.height() - 4), QColor(theme.accent))
        painter.setFont(font(11))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(0, 0, scale_width() - 7, self.height()), _RIGHT, clock(self.feed.first / 100))
        if self.frozen:
            painter.setPen(QColor(theme.accent))
            painter.setFont(font(12))
            painter.drawText(self._live_area, _LEFT, "Back to live")
            painter.setBrush(QColor(theme.accent))
            x, y = track.right() + 10, self.height() / 2
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawPolygon(QPolygonF([QPointF(x, y - 4), QPointF(x + 6, y), QPointF(x, y + 4)]))
        else:
            painter.drawText(self._live_area, _LEFT, clock(self.feed.end / 100) if self.feed.end else "")
        painter.end()

    @property
    def _live_area(self) -> QRectF:
        return QRectF(self.track.right() + 21, 0, side_width() - 21, self.height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if x > self.track.right() + 4:
            self.live_wanted.emit()
            return
        if not self.feed.end:
            return
        column = self._column(x)
        inside = self.end - self.shown <= column <= self.end
        self._grip = column - self.end if inside else -self.shown / 2
        self._move(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            self._move(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def _move(self, x: float) -> None:
        assert self._grip is not None
        self.moved_to.emit(round(self._column(x) - self._grip))


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

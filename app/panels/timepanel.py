"""The base of every panel on the shared time axis.

A panel keeps a picture of its plot (the tape). Each frame the tape moves left and only the new columns are painted, so
the cost does not depend on the length of the history, and lines may be smooth without being expensive.
Marks, thresholds, the cursor and the labels at the right are drawn over the tape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.feed import COLUMNS_PER_SECOND, Columns, Feed, Mark
from app.theme import Theme, font

LEFT = 58  # px, scale
RIGHT = 130  # px, direct labels, colour bars, meter
PAD = 5
AXIS = 17  # px, height of the time labels
OVERLAP = 4  # columns painted again, so that lines join
SAID = {"unknown": "another word"}
LEAD = 2  # a column ends 512 samples after its number says, so second s stands at column 100 s - 2.2


class TimePanel(QWidget):
    """One plot. Subclasses paint columns; time, marks, cursor and scrolling are here."""

    key = ""
    title = ""
    about = ""
    empty = "Press Start (Space) to listen"
    low = 0.0
    high = 1.0
    ticks: Sequence[tuple[float, str]] = ()
    shows_truth = False

    hovered = Signal(object)  # column under the mouse, or None
    scrolled = Signal(int)  # columns to move into the past (negative: towards now)
    zoomed = Signal(int)  # steps

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.theme = theme
        self.feed = feed
        self.pitch = 2  # device pixels a column
        self.end = 0
        self.cursor_column: int | None = None
        self._hint = ""
        self._axis = False
        self._tape = QPixmap()
        self._scale = QPixmap()
        self._painted_to: int | None = None
        self._drag: tuple[float, int] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setMinimumSize(360, 56)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(self.about)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")

    # -- what subclasses fill in ------------------------------------------------------------------------------

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        """Paint ``columns`` on the tape, the first one's left edge at ``x``; all in device pixels."""
        raise NotImplementedError

    def paint_side(self, painter: QPainter, side: QRectF) -> None:
        """What stands still at the right (colour bar); painted once."""

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        """What changes each frame besides the tape (labels at the right, thresholds)."""

    def describe(self, columns: Columns) -> str:
        """The values under the cursor in a few words; ``columns`` holds exactly one."""
        return ""

    # -- state ------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(900, 130)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.refresh()

    def set_axis(self, shown: bool) -> None:
        """Whether this panel carries the time labels (the lowest of a column does)."""
        if shown != self._axis:
            self._axis = shown
            self.refresh()

    def refresh(self) -> None:
        """Paint everything anew with the next frame."""
        self._painted_to = None
        self._tape = QPixmap()
        self._scale = QPixmap()
        self.update()

    def advance(self, end: int, pitch: int) -> None:
        """Show the columns up to ``end``; called by the window's one timer."""
        if pitch != self.pitch:
            self.pitch = pitch
            self._painted_to = None
        if end != self.end or self._painted_to is None:
            self.end = end
        self.update()

    def set_hint(self, text: str) -> None:
        """What to say instead of ``empty`` while there is nothing to show."""
        if text != self._hint:
            self._hint = text
            self.update()

    def set_cursor(self, column: int | None) -> None:
        self.cursor_column = column

    def value_at_cursor(self) -> str:
        if self.cursor_column is None or not self.feed.first <= self.cursor_column < self.feed.end:
            return ""
        columns = self.feed.columns(self.cursor_column, self.cursor_column + 1)
        return self.describe(columns) if len(columns) else ""

    # -- geometry ---------------------------------------------------------------------------------------------

    @property
    def plot(self) -> QRectF:
        bottom = PAD + (AXIS if self._axis else 0)
        return QRectF(LEFT, PAD, max(self.width() - LEFT - RIGHT, 20), max(self.height() - PAD - bottom, 10))

    @property
    def side(self) -> QRectF:
        plot = self.plot
        return QRectF(plot.right() + 1, plot.top(), RIGHT - 1, plot.height())

    @property
    def visible_columns(self) -> int:
        return max(1, int(self.plot.width() * self.devicePixelRatioF()) // self.pitch)

    def y_of(self, value: float) -> float:
        plot = self.plot
        return plot.bottom() - (value - self.low) / (self.high - self.low) * plot.height()

    def x_of(self, column: float) -> float:
        """Logical x of a column's left edge."""
        return self.plot.right() - (self.end - column) * self.pitch / self.devicePixelRatioF()

    def column_at(self, x: float) -> int:
        return self.end - 1 - int((self.plot.right() - x) * self.devicePixelRatioF() // self.pitch)

    # -- the tape ---------------------------------------------------------------------------------------------

    def _update_tape(self) -> None:
        scale = self.devicePixelRatioF()
        size = QSize(self.visible_columns * self.pitch, max(1, int(self.plot.height() * scale)))
        if self._tape.size() != size:
            self._tape = QPixmap(size)
            self._painted_to = None
        if self._painted_to == self.end:
            return
        shown = self.visible_columns
        first = self.end - shown
        if self._painted_to is not None and 0 < self.end - self._painted_to < shown:
            self._tape.scroll(-(self.end - self._painted_to) * self.pitch, 0, self._tape.rect())
            first = max(first, self._painted_to - OVERLAP)
        painter = QPainter(self._tape)
        x = (first - (self.end - shown)) * self.pitch
        self._paint_strip(painter, QRect(x, 0, size.width() - x, size.height()), first, scale)
        painter.end()
        self._painted_to = self.end

    def _paint_strip(self, painter: QPainter, strip: QRect, first: int, scale: float) -> None:
        painter.setClipRect(strip)
        painter.fillRect(strip, QColor(self.theme.plot))
        grid = QColor(self.theme.grid)
        width = max(1, round(scale))
        height = strip.height()
        for value, _ in self.ticks:
            y = round((height - 1) * (1 - (value - self.low) / (self.high - self.low)))
            painter.fillRect(strip.left(), min(y, height - width), strip.width(), width, grid)
        second = -(-(first + LEAD) // COLUMNS_PER_SECOND) * COLUMNS_PER_SECOND
        for column in range(max(second, 0) - LEAD, self.end + 1, COLUMNS_PER_SECOND):
            painter.fillRect(strip.left() + (column - first) * self.pitch, 0, width, height, grid)
        start = max(first - OVERLAP, self.feed.first)
        columns = self.feed.columns(start, self.end)
        if len(columns):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self.paint_columns(painter, columns, strip.left() + (columns.start - first) * self.pitch, height)

    # -- painting ---------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        plot, side, scale = self.plot, self.side, self.devicePixelRatioF()
        self._update_tape()
        if self._scale.isNull():
            self._paint_scale()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._scale)
        painter.save()
        painter.scale(1 / scale, 1 / scale)
        right = round((plot.right()) * scale)
        painter.drawPixmap(right - self._tape.width(), round(plot.top() * scale), self._tape)
        painter.restore()
        if self.feed.end == 0:
            self._paint_empty(painter, plot)
        else:
            painter.setClipRect(plot)
            self._paint_spans(painter, plot)
            self._paint_marks(painter, plot)
            painter.setClipping(False)
            self.paint_live(painter, plot, side)
            if self._axis:
                self._paint_times(painter, plot)
        painter.end()

    def _paint_scale(self) -> None:
        scale = self.devicePixelRatioF()
        self._scale = QPixmap(self.size() * scale)
        self._scale.setDevicePixelRatio(scale)
        self._scale.fill(QColor(self.theme.surface))
        painter = QPainter(self._scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = self.plot
        painter.fillRect(plot, QColor(self.theme.plot))
        small = font(11)
        painter.setFont(small)
        painter.setPen(QColor(self.theme.muted))
        height = QFontMetricsF(small).height()
        taken = 1e9
        for value, text in sorted(self.ticks, key=lambda tick: tick[0]):
            y = min(max(self.y_of(value), plot.top() + height / 2 - 2), plot.bottom() - height / 2 + 2)
            if taken - y < height - 1:
                continue  # no room: the scale of a small panel names fewer values
            taken = y
            painter.drawText(QRectF(0, y - height / 2, LEFT - 7, height), _RIGHT, text)
        self.paint_side(painter, self.side)
        painter.end()

    def _paint_empty(self, painter: QPainter, plot: QRectF) -> None:
        """What to do, in a clear space of the grid."""
        face, text = font(13), self._hint or self.empty
        width, height = QFontMetricsF(face).horizontalAdvance(text) + 24, QFontMetricsF(face).height() + 6
        middle = plot.center()
        box = QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height)
        painter.fillRect(box, QColor(self.theme.plot))
        painter.setFont(face)
        painter.setPen(QColor(self.theme.muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_spans(self, painter: QPainter, plot: QRectF) -> None:
        first = self.end - self.visible_columns
        for start, stop in self.feed.warm_up(first, self.end):
            left, right = self.x_of(max(start, first)), self.x_of(min(stop, self.end))
            span = QRectF(left, plot.top(), right - left, plot.height())
            painter.fillRect(span, self.theme.colour("plot", 0.55))
            painter.fillRect(span, QBrush(self.theme.colour("muted", 0.55), Qt.BrushStyle.BDiagPattern))
            if right - left > 78:
                self.tag(
                    painter,
                    "warming up",
                    left + 4,
                    plot.bottom() - 17,
                    self.theme.colour("raised", 0.92),
                    self.theme.muted,
                )

    def _paint_marks(self, painter: QPainter, plot: QRectF) -> None:
        first = self.end - self.visible_columns
        if self.shows_truth:
            for mark in self.feed.truths(first, self.end):
                self._paint_truth(painter, plot, mark)
        for mark in self.feed.detections(first, self.end):
            left, right = self.x_of(mark.start), self.x_of(mark.column)
            painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), self.theme.colour("accent", 0.13))
            painter.fillRect(QRectF(right - 1, plot.top(), 1.5, plot.height()), QColor(self.theme.accent))
            self.tag(painter, mark.label, right, plot.top() + 1, QColor(self.theme.accent), self.theme.on_accent)
        if self.cursor_column is not None:
            x = self.x_of(self.cursor_column + 0.5)
            painter.setPen(QPen(QColor(self.theme.text), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def _paint_truth(self, painter: QPainter, plot: QRectF, mark: Mark) -> None:
        """A bracket under the word: what is really said, hollow beside the filled marks of what was heard."""
        left, right, y = self.x_of(mark.start), self.x_of(mark.column), plot.bottom() - 2.5
        painter.setPen(QPen(QColor(self.theme.truth), 1.5))
        painter.drawPolyline([QPointF(left, y - 5), QPointF(left, y), QPointF(right, y), QPointF(right, y - 5)])
        self.tag(
            painter,
            f"said: {SAID.get(mark.label, mark.label)}",
            max(left + 3, min(plot.left() + 3, right - 60)),
            y - 18,
            self.theme.colour("surface", 0.85),
            self.theme.text,
        )

    def _paint_times(self, painter: QPainter, plot: QRectF) -> None:
        painter.setFont(font(11))
        painter.setPen(QColor(self.theme.muted))
        step = 1 if self.pitch / self.devicePixelRatioF() >= 0.6 else 5
        first = max(0, math.ceil((self.end - self.visible_columns) / COLUMNS_PER_SECOND / step)) * step
        for second in range(first, self.end // COLUMNS_PER_SECOND + 1, step):
            x = self.x_of(second * COLUMNS_PER_SECOND - LEAD)
            painter.fillRect(QRectF(x, plot.bottom(), 1, 4), QColor(self.theme.muted))
            painter.drawText(
                QRectF(x - 40, plot.bottom() + 3, 80, AXIS - 2), Qt.AlignmentFlag.AlignCenter, clock(second)
            )

    def tag(self, painter: QPainter, text: str, x: float, y: float, fill: QColor, ink: str) -> None:
        """A small filled label with its upper left corner at (x, y)."""
        face = font(11, QFont.Weight.DemiBold)
        width = QFontMetricsF(face).horizontalAdvance(text) + 10
        box = QRectF(x, y, width, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(QColor(ink))
        painter.setFont(face)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    # -- events -----------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._scale = QPixmap()
        super().resizeEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.refresh()
        return super().event(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._drag is not None:
            origin, done = self._drag
            moved = int((x - origin) * self.devicePixelRatioF() / self.pitch)
            if moved != done:
                self._drag = (origin, moved)
                self.scrolled.emit(moved - done)
        inside = self.plot.contains(event.position()) and self.feed.end > 0
        self.hovered.emit(self.column_at(x) if inside else None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = (event.position().x(), 0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoomed.emit(1 if steps > 0 else -1)
        else:
            self.scrolled.emit(round(steps / 120 * 25))
        event.accept()


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def clock(seconds: float) -> str:
    """``7 s`` below a minute, then ``1:07``, then ``1:02:07``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"

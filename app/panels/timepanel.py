"""The base of every panel on the shared time axis.

A panel keeps a picture of its plot (the tape). Each frame the tape moves left and only the new columns are painted, so
the cost does not depend on the length of the history, and lines may be smooth without being expensive.
Marks, the cursor (``app.panels.overlay``), thresholds and the labels at the right are drawn over the tape.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.feed import COLUMNS_PER_SECOND, Columns, Feed, Moment
from app.panels import overlay
from app.panels.overlay import LEAD, clock
from app.theme import Theme, font, scaled

__all__ = ["LEAD", "TimePanel", "clock", "scale_width", "side_width"]

LEFT = 58  # px at 100 % text size, as all of these: scale
RIGHT = 130  # direct labels, colour bars, meter
PAD = 5
AXIS = 17  # height of the time labels
CAPTION = 19  # height of the caption
LEAST = 56  # height
TAG = 16  # height of a label
OVERLAP = 4  # columns painted again, so that lines join
CLICK = 4  # px that the mouse may move between press and release of a click


def scale_width() -> int:
    """Pixels at the left of every plot, for its scale."""
    return scaled(LEFT)


def side_width() -> int:
    """Pixels at the right of every plot, for labels, colour bar or meter."""
    return scaled(RIGHT, 0.6)


class _AbstractWidget(ABCMeta, type(QWidget)):  # type: ignore[misc]
    """Qt makes its objects without asking abc: so it is asked here."""

    def __call__(cls, *given: Any, **named: Any) -> Any:
        missing: frozenset[str] = cls.__abstractmethods__
        if missing:
            raise TypeError(f"{cls.__name__} lacks {', '.join(sorted(missing))}")
        return super().__call__(*given, **named)


class TimePanel(QWidget, metaclass=_AbstractWidget):
    """One plot. Subclasses paint columns; time, marks, cursor and scrolling are here."""

    key = ""
    title = ""
    about = ""
    empty = "Press Start (Space) to listen"
    low = 0.0
    high = 1.0
    ticks: Sequence[tuple[float, str]] = ()
    shows_truth = False

    hovered = Signal(object, object)  # column under the mouse and its height in the plot (0..1), or None and None
    clicked = Signal(int)  # column
    scrolled = Signal(int)  # columns to move into the past (negative: towards now)
    zoomed = Signal(int)  # steps

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.theme = theme
        self.feed = feed
        self.pitch = 2  # device pixels a column
        self.end = 0
        self.cursor_column: int | None = None
        self.cursor_height: float | None = None  # 0..1 in the plot, where one is pointed at
        self.moment: Moment | None = None  # the detection that is looked at
        self._hint = ""
        self._caption: str | None = None  # None: no captions are shown
        self._axis = False
        self._added = 0  # px of height while a picture is painted
        self._tape = QPixmap()
        self._scale = QPixmap()
        self._painted_to: int | None = None
        self._drag: tuple[float, int] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setMinimumSize(360, scaled(LEAST))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(self.about)
        self.setToolTip(f"<p><b>{self.title}</b></p><p>{self.about}</p>")

    # -- what subclasses fill in ------------------------------------------------------------------------------

    @abstractmethod
    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        """Paint ``columns`` on the tape, the first one's left edge at ``x``; all in device pixels."""

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
        self.setMinimumHeight(scaled(LEAST))
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

    def set_cursor(self, column: int | None, height: float | None = None) -> None:
        """Stand at ``column``, pointing at ``height`` (0 below, 1 on top of the plot); None takes the cursor away."""
        self.cursor_column = column
        self.cursor_height = height

    def set_caption(self, text: str | None) -> None:
        """One line under the plot; None gives its room back."""
        if (text is None) != (self._caption is None):
            self.refresh()
        if text != self._caption:
            self._caption = text
            self.setAccessibleDescription(f"{text} {self.about}" if text else self.about)
            self.update()

    def pointed_height(self) -> float | None:
        """Where in the plot (0..1) a cross line is drawn on the cursor; None: nowhere."""
        return None

    def value_at_cursor(self) -> str:
        if self.cursor_column is None or not self.feed.first <= self.cursor_column < self.feed.end:
            return ""
        columns = self.feed.columns(self.cursor_column, self.cursor_column + 1)
        return self.describe(columns) if len(columns) else ""

    # -- geometry ---------------------------------------------------------------------------------------------

    @property
    def plot(self) -> QRectF:
        bottom = PAD + scaled(AXIS * self._axis + CAPTION * (self._caption is not None))
        left, width = scale_width(), self.width() - scale_width() - side_width()
        return QRectF(left, PAD, max(width, 20), max(self.height() + self._added - PAD - bottom, 10))

    @property
    def side(self) -> QRectF:
        plot = self.plot
        return QRectF(plot.right() + 1, plot.top(), side_width() - 1, plot.height())

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
        plot, scale = self.plot, self.devicePixelRatioF()
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
        self._paint_over(painter)
        painter.end()

    @property
    def whole_height(self) -> int:
        """Logical pixels that ``paint_whole`` needs: those of the panel and of its time labels."""
        return self.height() + (0 if self._axis else scaled(AXIS))

    def paint_whole(self, painter: QPainter) -> None:
        """Paint what is seen, always with time labels, at any scale and on any device: nothing comes from pixmaps, so
        that lines and text stay such in vector formats."""
        scale, axis = self.devicePixelRatioF(), self._axis
        self._added, self._axis = self.whole_height - self.height(), True
        try:
            plot, shown = self.plot, self.visible_columns
            painter.fillRect(QRectF(0, 0, self.width(), self.height() + self._added), QColor(self.theme.surface))
            self._draw_scale(painter)
            painter.save()
            painter.translate(plot.right() - shown * self.pitch / scale, plot.top())
            painter.scale(1 / scale, 1 / scale)
            strip = QRect(0, 0, shown * self.pitch, max(1, int(plot.height() * scale)))
            self._paint_strip(painter, strip, self.end - shown, scale)
            painter.restore()
            self._paint_over(painter)
        finally:
            self._added, self._axis = 0, axis

    def _paint_over(self, painter: QPainter) -> None:
        """What stands over the tape and beside it."""
        plot, side = self.plot, self.side
        if self.feed.end == 0:
            self._paint_empty(painter, plot)
        else:
            painter.setClipRect(plot)
            overlay.paint_spans(painter, self)
            overlay.paint_marks(painter, self)
            painter.setClipping(False)
            self.paint_live(painter, plot, side)
            if self._axis:
                overlay.paint_times(painter, self)
        if self._caption:
            left, height = scale_width(), scaled(CAPTION)
            bottom = self.height() + self._added
            box = QRectF(left, bottom - height - 1, self.width() - left - 8, height)
            overlay.paint_caption(painter, self.theme, box, self._caption)

    def _paint_scale(self) -> None:
        scale = self.devicePixelRatioF()
        self._scale = QPixmap(self.size() * scale)
        self._scale.setDevicePixelRatio(scale)
        self._scale.fill(QColor(self.theme.surface))
        painter = QPainter(self._scale)
        self._draw_scale(painter)
        painter.end()

    def _draw_scale(self, painter: QPainter) -> None:
        """Ticks at the left, what stands still at the right."""
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
            painter.drawText(QRectF(0, y - height / 2, plot.left() - 7, height), _RIGHT, text)
        self.paint_side(painter, self.side)

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

    def paint_note(self, painter: QPainter, plot: QRectF, text: str) -> None:
        """A sentence in the middle of a plot that has nothing to show."""
        painter.setFont(font(13))
        painter.setPen(QColor(self.theme.muted))
        painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, text)

    def side_label(
        self, painter: QPainter, side: QRectF, y: float, colour: QColor, text: str, thick: float = 2
    ) -> None:
        """One line right of the plot with its middle at ``y``: a swatch of ``colour``, and a text that is cut where it
        does not fit."""
        painter.setFont(font(11))
        gap, height = scaled(16), scaled(TAG)
        painter.fillRect(QRectF(side.left() + 4, y - thick / 2, scaled(8), thick), colour)
        painter.setPen(QColor(self.theme.text))
        box = QRectF(side.left() + gap, y - height / 2, side.width() - gap, height)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, _LEFT, shown)

    def tag(self, painter: QPainter, text: str, x: float, y: float, fill: QColor, ink: str) -> None:
        """A small filled label with its upper left corner at (x, y)."""
        face = font(11, QFont.Weight.DemiBold)
        width = QFontMetricsF(face).horizontalAdvance(text) + 10
        box = QRectF(x, y, width, scaled(TAG))
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
        plot = self.plot
        if plot.contains(event.position()) and self.feed.end > 0:
            self.hovered.emit(self.column_at(x), (plot.bottom() - event.position().y()) / plot.height())
        else:
            self.hovered.emit(None, None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = (event.position().x(), 0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None and self.feed.end > 0 and self.plot.contains(event.position()):
            x = event.position().x()
            if abs(x - self._drag[0]) < CLICK:
                self.clicked.emit(self.column_at(x))
        self._drag = None

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit(None, None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoomed.emit(1 if steps > 0 else -1)
        else:
            self.scrolled.emit(round(steps / 120 * 25))
        event.accept()


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

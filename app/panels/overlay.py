"""What is drawn over the plots of every time panel: warm-up, words, the cursor, the moment looked at, time, caption."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen

from app.feed import COLUMNS_PER_SECOND, Mark
from app.theme import Theme, font, scaled
from kwscore.constants import HOP, SAMPLE_RATE, WINDOW

if TYPE_CHECKING:
    from app.panels.timepanel import TimePanel

SAID = {"unknown": "another word"}
_ROOM_FOR_THREE = 64  # px at 100 % text size: what was heard, recorded and said stand one below the other
LEAD = 2  # a column ends 512 samples after its number says, so second s stands at column 100 s - 2.2


def clock(seconds: float) -> str:
    """``7 s`` below a minute, then ``1:07``, then ``1:02:07``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def exact_clock(column: int) -> str:
    """When a column ends, as in the log: ``7.03 s``, ``1:07.03``."""
    seconds = (column * HOP + WINDOW) / SAMPLE_RATE
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{clock(seconds)}.{int(seconds * 100) % 100:02}"


def paint_spans(painter: QPainter, panel: TimePanel) -> None:
    """Hatch what the network heard while it was warming up."""
    plot, theme = panel.plot, panel.theme
    first = panel.end - panel.visible_columns
    for start, stop in panel.feed.warm_up(first, panel.end):
        left, right = panel.x_of(max(start, first)), panel.x_of(min(stop, panel.end))
        span = QRectF(left, plot.top(), right - left, plot.height())
        painter.fillRect(span, theme.colour("plot", 0.55))
        painter.fillRect(span, QBrush(theme.colour("muted", 0.55), Qt.BrushStyle.BDiagPattern))
        if right - left > scaled(78):
            fill = theme.colour("raised", 0.92)
            panel.tag(painter, "warming up", left + 4, plot.bottom() - scaled(17), fill, theme.muted)


def paint_marks(painter: QPainter, panel: TimePanel) -> None:
    """Words said and words heard, the moment that is looked at, and the cursor."""
    plot, theme = panel.plot, panel.theme
    first = panel.end - panel.visible_columns
    if panel.shows_truth:
        for mark in panel.feed.truths(first, panel.end):
            _paint_truth(painter, panel, mark)
    for mark in panel.feed.annotations(first, panel.end):
        _paint_annotation(painter, panel, mark)
    looked_at = panel.moment
    for mark in panel.feed.detections(first, panel.end):
        left, right = panel.x_of(mark.start), panel.x_of(mark.column)
        painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), theme.colour("accent", 0.13))
        if looked_at is not None and looked_at.decided == int(mark.column) - 1:
            continue  # its three lines say more
        painter.fillRect(QRectF(right - 1, plot.top(), 1.5, plot.height()), QColor(theme.accent))
        panel.tag(painter, mark.label, right, plot.top() + 1, QColor(theme.accent), theme.on_accent)
    if looked_at is not None:
        _paint_moment(painter, panel)
    if panel.cursor_column is not None:
        _paint_cursor(painter, panel, panel.cursor_column)


def _paint_annotation(painter: QPainter, panel: TimePanel, mark: Mark) -> None:
    """A pin as a flag over all plots; a recorded word as a bracket where the truth is shown, above the truth's."""
    plot, theme = panel.plot, panel.theme
    left, right = panel.x_of(mark.start), panel.x_of(mark.column)
    if mark.kind == "pin":
        painter.fillRect(QRectF(left - 0.5, plot.top(), 1.2, plot.height()), theme.colour("text", 0.7))
        if panel.shows_truth:
            words = f"⚑ {shortened(mark.label)}"
            panel.tag(painter, words, left + 2, plot.top() + scaled(19), QColor(theme.text), theme.surface)
    elif panel.shows_truth:
        y = plot.bottom() - scaled(22) - 2.5
        painter.setPen(QPen(QColor(theme.truth), 1.5))
        painter.drawPolyline([QPointF(left, y - 5), QPointF(left, y), QPointF(right, y), QPointF(right, y - 5)])
        if plot.height() >= scaled(_ROOM_FOR_THREE):
            fill, x = theme.colour("surface", 0.85), max(left + 3, min(plot.left() + 3, right - scaled(60)))
            panel.tag(painter, f"recorded: {mark.label}", x, y - scaled(18), fill, theme.text)


def shortened(text: str, length: int = 28) -> str:
    """A text that fits into a tag."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _paint_moment(painter: QPainter, panel: TimePanel) -> None:
    """Start, peak and decision as three lines; only the panel with the truth has room to name them."""
    moment, plot, theme = panel.moment, panel.plot, panel.theme
    assert moment is not None
    places = ((moment.start, "start", 2), (moment.decided, f"{moment.word} decided", 19), (moment.peak, "peak", 36))
    for column, name, base in places:
        down = scaled(base)
        x = panel.x_of(column + 0.5)
        solid = column == moment.decided
        painter.setPen(QPen(QColor(theme.accent), 1.5 if solid else 1, _SOLID if solid else _DASHED))
        painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
        if panel.shows_truth and plot.height() >= down + scaled(17):
            fill, ink = (QColor(theme.accent), theme.on_accent) if solid else (theme.colour("raised", 0.94), theme.text)
            panel.tag(painter, name, x + 2, plot.top() + down, fill, ink)


def _paint_cursor(painter: QPainter, panel: TimePanel, column: int) -> None:
    plot, theme = panel.plot, panel.theme
    x = panel.x_of(column + 0.5)
    painter.setPen(QPen(QColor(theme.text), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
    height = panel.pointed_height()
    if height is not None:
        y = plot.bottom() - height * plot.height()
        painter.setPen(QPen(QColor(theme.text), 1))
        painter.drawLine(QPointF(x - 6, y), QPointF(x + 6, y))


def _paint_truth(painter: QPainter, panel: TimePanel, mark: Mark) -> None:
    """A bracket under the word: what is really said, hollow beside the filled marks of what was heard."""
    plot, theme = panel.plot, panel.theme
    left, right, y = panel.x_of(mark.start), panel.x_of(mark.column), plot.bottom() - 2.5
    painter.setPen(QPen(QColor(theme.truth), 1.5))
    painter.drawPolyline([QPointF(left, y - 5), QPointF(left, y), QPointF(right, y), QPointF(right, y - 5)])
    panel.tag(
        painter,
        f"said: {SAID.get(mark.label, mark.label)}",
        max(left + 3, min(plot.left() + 3, right - scaled(60))),
        y - scaled(18),
        theme.colour("surface", 0.85),
        theme.text,
    )


def paint_times(painter: QPainter, panel: TimePanel) -> None:
    """Seconds below the plot, and the cursor's own time among them."""
    plot, theme = panel.plot, panel.theme
    painter.setFont(font(11))
    painter.setPen(QColor(theme.muted))
    room = QFontMetricsF(painter.font()).horizontalAdvance(clock(panel.end // COLUMNS_PER_SECOND)) + scaled(14)
    second = COLUMNS_PER_SECOND * panel.pitch / panel.devicePixelRatioF()
    step = next((step for step in (1, 2, 5, 10) if step * second >= room), 30)
    first = max(0, math.ceil((panel.end - panel.visible_columns) / COLUMNS_PER_SECOND / step)) * step
    for each in range(first, panel.end // COLUMNS_PER_SECOND + 1, step):
        x = panel.x_of(each * COLUMNS_PER_SECOND - LEAD)
        painter.fillRect(QRectF(x, plot.bottom(), 1, 4), QColor(theme.muted))
        box = QRectF(x - scaled(40), plot.bottom() + 3, scaled(80), scaled(15))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, clock(each))
    column = panel.cursor_column
    if column is not None and panel.end - panel.visible_columns <= column < panel.end:
        text = exact_clock(column)
        width = QFontMetricsF(font(11)).horizontalAdvance(text) + 14
        x = min(max(panel.x_of(column + 0.5) - width / 2, plot.left()), plot.right() - width)
        panel.tag(painter, text, x, plot.bottom() + 2, QColor(theme.text), theme.surface)


def paint_caption(painter: QPainter, theme: Theme, box: QRectF, text: str) -> None:
    """One line that says what to look for."""
    face = font(12)
    painter.fillRect(QRectF(box.left(), box.top() + 4, 3, box.height() - 8), QColor(theme.accent))
    painter.setFont(face)
    painter.setPen(QColor(theme.text))
    shown = QFontMetricsF(face).elidedText(text, Qt.TextElideMode.ElideRight, box.width() - 10)
    painter.drawText(box.adjusted(9, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


_SOLID, _DASHED = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine

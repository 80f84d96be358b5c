"""Two engines on the shared time axis: posteriors and logits of both over each other, and how far they are apart."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app import theme as themes
from app.feed import Columns
from app.history_feed import HistoryFeed
from app.panels.timepanel import OVERLAP, TimePanel
from app.paths import band, polyline
from app.theme import Theme, font
from kwscore.constants import LABELS
from kwscore.stream.comparison import FIRST, SECOND, Comparison, ComparisonView

ALONE = "Choose a second engine (Shift+E, or the engine menu above) to see both here"
NOTHING = 0.006
LEAST, MOST = -11.0, 4.0  # powers of two of a logit difference: half a step of the integer logits is 2^-10


class ComparedPanel(TimePanel):
    """The base: hands the comparison's columns to ``paint_pair`` and paints late answers where they belong."""

    empty = "Press Start (Space); with a second engine (Shift+E) both are shown here"

    def __init__(self, theme: Theme, feed: HistoryFeed) -> None:
        super().__init__(theme, feed)
        self.history_feed = feed
        self.names = ("", "")
        self._there: tuple[int, NDArray[np.bool_]] = (0, np.zeros(0, np.bool_))  # what was paired when it was painted

    @abstractmethod
    def paint_pair(self, painter: QPainter, view: ComparisonView, xs: NDArray[np.floating], height: int) -> None:
        """Paint the columns of ``view`` on the tape, their middles at ``xs``; all in device pixels."""

    def set_names(self, names: tuple[str, str]) -> None:
        """What the two engines are called."""
        self.names = names
        self.refresh()

    @property
    def comparison(self) -> Comparison | None:
        """The two engines; None while one runs alone."""
        return self.history_feed.comparison

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        if self.comparison is not None:
            view = self.comparison.view(columns.start, columns.start + len(columns))
            self.paint_pair(painter, view, x + (np.arange(len(columns)) + 0.5) * self.pitch, height)

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        if self.comparison is None:
            painter.setFont(font(13))
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, ALONE)
            return
        painter.setFont(font(11))
        self._legend(painter, side)
        self.paint_figures(painter, side)

    def paint_figures(self, painter: QPainter, side: QRectF) -> None:
        """Figures at the right, under the legend."""

    def _legend(self, painter: QPainter, side: QRectF) -> None:
        """The first engine is the broad pale line, the second the thin one on it: equal ones look like one cable."""
        ink = QColor(self.theme.text)
        for row, (name, broad) in enumerate(zip(self.names, (True, False), strict=True)):
            y = side.top() + themes.scaled(8 + 16 * row)
            painter.setPen(broad_pen(ink, 1.0) if broad else thin_pen(ink, 1.0))
            gap, tall = themes.scaled(26), themes.scaled(16)
            painter.drawLine(QPointF(side.left() + 4, y), QPointF(side.left() + gap - 4, y))
            painter.setPen(ink)
            box = QRectF(side.left() + gap + 4, y - tall / 2, side.width() - gap - 6, tall)
            painter.drawText(box, _LEFT, painter.fontMetrics().elidedText(name, _ELIDE, int(box.width())))

    def _update_tape(self) -> None:
        """What arrived after its column was painted is painted now, however late a board answers."""
        start, painted_to = self.end - self.visible_columns, self._painted_to
        there = self.comparison.paired(start, self.end) if self.comparison is not None else np.zeros(0, np.bool_)
        super()._update_tape()
        (begin, before), self._there = self._there, (start, there)
        if painted_to is None or not there.any():
            return
        known = np.zeros_like(there)
        held = slice(max(start, begin), min(start + len(there), begin + len(before)))
        if held.start < held.stop:
            known[held.start - start : held.stop - start] = before[held.start - begin : held.stop - begin]
        late = np.flatnonzero(there & ~known)
        if len(late) and start + late[0] < painted_to:
            first = max(start + int(late[0]) - OVERLAP, start)
            x = (first - start) * self.pitch
            painter = QPainter(self._tape)
            strip = QRect(x, 0, self._tape.width() - x, self._tape.height())
            self._paint_strip(painter, strip, first, self.devicePixelRatioF())
            painter.end()


class _CurvesPanel(ComparedPanel):
    """Twelve classes of two engines; ``values`` of a view are (2, n, 12)."""

    @abstractmethod
    def values(self, view: ComparisonView) -> NDArray[np.float32]: ...

    def shown(self, values: NDArray[np.float32]) -> list[int]:
        """Which classes are worth a line, the most important one last."""
        highest = np.nan_to_num(values, nan=-np.inf).max((0, 1))
        return [int(index) for index in np.argsort(highest)]

    def paint_pair(self, painter: QPainter, view: ComparisonView, xs: NDArray[np.floating], height: int) -> None:
        values, wide = self.values(view), self.devicePixelRatioF()
        ys = (height - 1) * (1 - (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low))
        for index in self.shown(values):
            colour = QColor(self.theme.series[index])
            for engine, pen in ((FIRST, broad_pen(colour, wide)), (SECOND, thin_pen(colour, wide))):
                painter.setPen(pen)
                for part in runs(np.isfinite(ys[engine, :, index])):
                    painter.drawPolyline(polyline(xs[part], ys[engine, part, index]))

    def describe(self, columns: Columns) -> str:
        if self.comparison is None:
            return ""
        values = self.values(self.comparison.view(columns.start, columns.start + 1))[:, 0]
        if not np.isfinite(values[FIRST]).all():
            return ""
        best = int(values[FIRST].argmax())
        other = f"{values[SECOND, best]:.4g}" if np.isfinite(values[SECOND, best]) else "none"
        return f"{LABELS[best]} {values[FIRST, best]:.4g} / {other}"


class ComparedPosteriorsPanel(_CurvesPanel):
    key = "compared_posteriors"
    title = "Posteriors of both engines: do they hear the same word?"
    about = (
        "The smoothed posteriors of two engines that hear the very same samples. Broad and pale: the first engine; "
        "thin: the second one, drawn on it. Where both agree a line looks like one cable with a core."
    )
    ticks = ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))

    def values(self, view: ComparisonView) -> NDArray[np.float32]:
        return view.posteriors

    def shown(self, values: NDArray[np.float32]) -> list[int]:
        return [index for index in super().shown(values) if np.nanmax(values[:, :, index], initial=0.0) > NOTHING]


class ComparedLogitsPanel(_CurvesPanel):
    key = "compared_logits"
    title = "Logits of both engines: before the softmax"
    about = (
        "The twelve outputs of both networks before they become probabilities: here small differences are seen that "
        "the posteriors hide. Broad and pale: the first engine; thin: the second one."
    )
    low, high = -6.0, 11.0
    ticks = ((-5.0, "−5"), (0.0, "0"), (5.0, "5"), (10.0, "10"))

    def values(self, view: ComparisonView) -> NDArray[np.float32]:
        return view.logits


class DifferencePanel(ComparedPanel):
    key = "difference"
    title = "Difference of the logits: how far the engines are apart"
    about = (
        "For every frame the largest (area) and the mean (line) difference of the twelve logits, on a logarithmic "
        "scale; the lowest line is 0: equal to the last bit. A tick at the top marks a frame in which the best class "
        "is not the same. A gap: one engine has no answer there."
    )
    low, high = -0.1, 1.0  # 0 stands clear of the frame: it is the answer that one hopes for

    def __init__(self, theme: Theme, feed: HistoryFeed) -> None:
        self.ticks = tuple((float(scaled(np.array(v))), t) for v, t in ((0.0, "0"), (0.01, "0.01"), (0.1, "0.1"),
                                                                        (1.0, "1"), (10.0, "10")))  # fmt: skip
        super().__init__(theme, feed)

    def paint_pair(self, painter: QPainter, view: ComparisonView, xs: NDArray[np.floating], height: int) -> None:
        wide = self.devicePixelRatioF()
        span = self.high - self.low
        largest, mean = ((height - 1) * (self.high - scaled(values)) / span for values in (view.largest, view.mean))
        soft = QColor(self.theme.wave)
        soft.setAlphaF(0.28)
        for part in runs(view.paired):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(soft)
            painter.drawPolygon(band(xs[part], largest[part], np.full(len(xs[part]), height)))
            painter.setPen(QPen(QColor(self.theme.wave), 1.3 * wide))
            painter.drawPolyline(polyline(xs[part], largest[part]))
            painter.setPen(QPen(QColor(self.theme.text), 1.1 * wide, Qt.PenStyle.SolidLine))
            painter.drawPolyline(polyline(xs[part], mean[part]))
        for x in xs[view.paired & ~view.agrees]:
            painter.fillRect(QRectF(x - self.pitch / 2, 0, max(self.pitch, 2.0), 7 * wide), QColor(self.theme.bad))

    def paint_figures(self, painter: QPainter, side: QRectF) -> None:
        assert self.comparison is not None
        first = self.end - self.visible_columns
        view = self.comparison.view(max(first, self.end - self.comparison.capacity), self.end)
        pairs = int(view.paired.sum())
        if not pairs or side.height() < themes.scaled(70):
            return
        painter.setPen(QColor(self.theme.text))
        rows = (
            f"agree {100 * view.agrees.sum() / pairs:.1f} %",
            f"largest {np.nanmax(view.largest):.3g}",
            f"mean {np.nanmean(view.mean):.3g}",
        )
        for row, text in enumerate(rows):
            y = side.top() + themes.scaled(34 + 16 * row)
            painter.drawText(QRectF(side.left() + 4, y, side.width() - 6, themes.scaled(16)), _LEFT, text)

    def _legend(self, painter: QPainter, side: QRectF) -> None:
        painter.setPen(QColor(self.theme.muted))
        for row, text in enumerate((self.names[0], f"− {self.names[1]}")):
            tall = themes.scaled(16)
            box = QRectF(side.left() + 4, side.top() + tall * row, side.width() - 6, tall)
            painter.drawText(box, _LEFT, painter.fontMetrics().elidedText(text, _ELIDE, int(box.width())))

    def describe(self, columns: Columns) -> str:
        if self.comparison is None:
            return ""
        view = self.comparison.view(columns.start, columns.start + 1)
        if not view.paired[0]:
            return "one engine has no answer here"
        same = "same class" if view.agrees[0] else "another class"
        return f"largest {view.largest[0]:.3g}, mean {view.mean[0]:.3g}, margin {view.margin[0]:.3g}, {same}"


def scaled(difference: NDArray[np.floating]) -> NDArray[np.floating]:
    """Position of differences on a logarithmic scale, 0..1; equal is 0, half a step of the integer logits is above."""
    with np.errstate(divide="ignore"):
        return (np.clip(np.log2(difference), LEAST, MOST) - LEAST) / (MOST - LEAST)


def runs(mask: NDArray[np.bool_]) -> Iterator[slice]:
    """The stretches in which ``mask`` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return (slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def broad_pen(colour: QColor, scale: float) -> QPen:
    """The first engine's line."""
    pale = QColor(colour)
    pale.setAlphaF(0.38)
    return QPen(pale, 4.5 * scale, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)


def thin_pen(colour: QColor, scale: float) -> QPen:
    """The second engine's line."""
    return QPen(colour, 1.3 * scale)


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_ELIDE = Qt.TextElideMode.ElideMiddle

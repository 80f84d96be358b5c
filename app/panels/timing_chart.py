"""The charts of the Timing panel, made with pyqtgraph: hop times over time and their histogram beside it.

Imported when the panel is first shown: nothing else in the window needs pyqtgraph. Both charts share the logarithmic
scale of hop times. Ranges follow the display in steps (a second in time, half a decade in hop time), so that the axes
are painted anew only now and then; what the user has zoomed or moved stays until a double click.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QBrush, QColor, QPen
from PySide6.QtWidgets import QFrame, QGraphicsItem, QVBoxLayout, QWidget

from app import hoptimes
from app.feed import COLUMNS_PER_SECOND, Feed
from app.panels import svg_export
from app.panels.timepanel import clock
from app.theme import Theme, font, scaled

HISTOGRAM = 10 * COLUMNS_PER_SECOND  # columns
BASE = math.log10(0.7)  # below one hop: the foot of the histogram's bars on its logarithmic scale
MOST = math.log10(3000)
LABEL = 15  # px, height of a label at 100 % text size
LONGEST_SPAN = 300.0  # s, as far as the history goes back

pg.setConfigOptions(antialias=False, useOpenGL=False, exitCleanup=False)  # the window ends in its own order
svg_export.repair()


class HopAxis(pg.AxisItem):
    """log10 of microseconds, named at 10 µs, 20 µs ... as room allows."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float | None, list[float]]]:
        decades = [float(d) for d in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
        between = [d + math.log10(m) for d in range(math.floor(low), math.ceil(high)) for m in range(2, 10)]
        inside = [v for v in between if low - 1e-9 <= v <= high + 1e-9]
        named = [v for v in inside if round(10 ** (v % 1)) in (2, 5)] if size / max(high - low, 0.1) > 75 else []
        return [(1.0, decades + named), (None, [v for v in inside if v not in named])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float | None) -> list[str]:
        return [self._text(10**value) if spacing else "" for value in values]

    @staticmethod
    def _text(us: float) -> str:
        return f"{us:.3g} µs" if us < 999.5 else f"{us / 1000:.3g} ms" if us < 999_500 else f"{us / 1e6:.3g} s"


class CountAxis(pg.AxisItem):
    """log10 of a number of hops, at 1, 10, 100, 1000."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        return [(1.0, [float(d) for d in range(max(0, math.ceil(low)), math.floor(high) + 1)])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [f"{10**value:.0f}" for value in values]


class ClockAxis(pg.AxisItem):
    """Seconds of sound, named like those of the time panels."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        if spacing >= 1:
            return [clock(value) for value in values]
        places = max(1, math.ceil(-math.log10(spacing)))
        return [f"{value:.{places}f} s" for value in values]


class Curve(pg.PlotCurveItem):
    """A curve on logarithmic scales that exports what was measured. ``exported`` holds its x and y."""

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name=name, antialias=False, **options)
        self.exported: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))

    def show(self, x: np.ndarray, y: np.ndarray, exported: tuple[np.ndarray, np.ndarray]) -> None:
        self.exported = exported
        self.setData(x, y)

    def getOriginalDataset(self) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        """What pyqtgraph's CSV export writes."""
        return self.exported if len(self.exported[0]) else (None, None)


class TimingChart(QWidget):
    """Both plots. ``advance`` follows the display; ``figures`` are those of the 10 s before its newest column."""

    explored = Signal(bool)  # the user has zoomed or moved something, or gone back

    def __init__(self, theme: Theme, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.figures: hoptimes.Figures | None = None
        self._set: dict[str, tuple[float, float]] = {}  # ranges that we have set, by axis
        self._kept: dict[str, tuple[float, float]] = {}  # what the limits made of them
        self._free: set[str] = set()  # axes that the user has taken over
        self._last: tuple[object, ...] = ()
        self._ranges: tuple[object, ...] = ()
        self._drawn = self._seen = -1  # columns: the newest one painted, the newest one of the last frame
        self.view = pg.GraphicsLayoutWidget()
        for part in (self.view, self.view.viewport()):  # keys belong to the window
            part.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setAccessibleName("Charts of engine time per hop: over time, and how often each time occurs")
        self.view.ci.layout.setContentsMargins(0, 4, 12, 0)
        self.view.ci.layout.setSpacing(6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.left = self._plot(0, {"left": HopAxis("left"), "bottom": ClockAxis("bottom")})
        self.right = self._plot(1, {"left": HopAxis("left", showValues=False), "bottom": CountAxis("bottom")})
        self.view.ci.layout.setColumnStretchFactor(0, 4)
        self.view.ci.layout.setColumnStretchFactor(1, 1)
        self.right.setYLink(self.left)
        self.right.setMouseEnabled(x=False, y=True)
        self.right.setXRange(BASE, MOST, padding=0)
        self.left.setLimits(xMin=0, minXRange=0.1, maxXRange=LONGEST_SPAN)
        for plot in (self.left, self.right):
            plot.setLimits(yMin=-1, yMax=7, minYRange=0.1)
        self.hops = Curve("hop_us")
        self.median = Curve("median_us")
        self.p99 = Curve("p99_us")
        self.bars = Curve("hops", fillLevel="enclosed")
        for curve in (self.hops, self.p99, self.median):
            self.left.addItem(curve)
        self.right.addItem(self.bars)
        limit = {"position": 0.01, "anchors": [(0, 0), (0, 0)]}
        self.limit = pg.InfiniteLine(
            math.log10(hoptimes.LIMIT_US), 0, label="limit: a hop lasts 10 ms", labelOpts=limit
        )
        self.left.addItem(self.limit)
        self.marks: dict[str, pg.InfiniteLine] = {}
        for name in ("median", "p99"):
            self.marks[name] = pg.InfiniteLine(0, 0, label=name, labelOpts={"position": 1})
            self.marks[name].hide()
            self.right.addItem(self.marks[name])
        self.view.scene().sigMouseClicked.connect(self._clicked)
        self.set_theme(theme)

    def _plot(self, column: int, axes: dict[str, pg.AxisItem]) -> pg.PlotItem:
        plot = self.view.addPlot(row=0, col=column, axisItems=axes)
        plot.hideButtons()
        plot.disableAutoRange()
        for name in ("Transforms", "Downsample", "Average"):  # they would undo the scales of these charts
            plot.setContextMenuActionVisible(name, False)
        for axis in axes.values():
            axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
            axis.setStyle(tickLength=0, tickTextOffset=5, maxTextLevel=0, maxTickLevel=1)
            axis.enableAutoSIPrefix(False)
            axis.setZValue(-1000)  # the grid lies under the curves
        axes["left"].setStyle(hideOverlappingLabels=False)  # the outermost ones may stand over the edge
        return plot

    def set_theme(self, theme: Theme) -> None:
        self.view.setBackground(theme.surface)
        self.left.getAxis("left").setWidth(scaled(52))
        self.right.getAxis("left").setWidth(0)
        for plot in (self.left, self.right):
            plot.getAxis("bottom").setHeight(scaled(20))
            for name in ("left", "bottom"):
                axis = plot.getAxis(name)
                axis.setTickFont(font(11))
                axis.setTextPen(theme.muted)
                axis.setPen(theme.line)
                axis.setTickPen(theme.grid)
                axis.setGrid(255)
        colours = {"median": theme.blocks[0], "p99": theme.blocks[1]}
        self.hops.setPen(_pen(theme.colour("muted", 0.65)))
        self.median.setPen(_pen(QColor(colours["median"])))
        self.p99.setPen(_pen(QColor(colours["p99"])))
        self.bars.setPen(_pen(theme.colour("wave")))
        self.bars.setBrush(theme.colour("wave", 0.35))
        for line, colour in ((self.limit, theme.bad), *((self.marks[n], c) for n, c in colours.items())):
            line.setPen(_pen(QColor(colour)))
            line.label.setColor(colour)
            line.label.setFont(font(11))
            line.label.fill = QBrush(theme.colour("surface", 0.75))

    # -- following the display --------------------------------------------------------------------------------

    def advance(self, end: int, shown: int, live: bool) -> None:
        """Show the ``shown`` columns up to ``end``; ``live``: the display follows what is heard."""
        self._watch_user()
        newest = float(hoptimes.seconds(end - 1))
        span = shown / COLUMNS_PER_SECOND
        right = math.ceil(newest) if live else newest
        self._follow("x", (max(0.0, right - span), max(right, span)))
        low, high = self.left.viewRange()[0]
        # with an unmoved range only the newest column decides; one outside of it changes nothing
        start = math.floor(hoptimes.column_at(low)) - 1
        stop = min(math.ceil(hoptimes.column_at(high)) + 2, self.feed.end if "x" in self._free else end)
        ranges = (start, self._set.get("x"), len(self._free))
        waits = live and ranges == self._ranges and 0 < end - self._drawn < hoptimes.STEP and end != self._seen
        self._seen = end
        if waits or (ranges, stop, end) == self._last:
            return  # ten times a second is enough for the eye, and a third of the cost; what is left over comes last
        self._ranges, self._drawn, self._last = ranges, end, (ranges, stop, end)
        self._draw_left(start, stop)
        self._draw_right(end)

    def _draw_left(self, start: int, stop: int) -> None:
        before = start - hoptimes.RUNNING
        first, hops = self.feed.elapsed(before, stop)
        hops = np.maximum(hops, hoptimes.SHORTEST)
        skipped = max(0, start - first)
        shown = hops[skipped:]
        if not len(shown):
            for curve in (self.hops, self.median, self.p99):
                curve.show(_NONE, _NONE, (_NONE, _NONE))
            return
        times = hoptimes.seconds(np.arange(first + skipped, first + len(hops)))
        self.hops.show(*hoptimes.thinned(times, np.log10(shown)), (times, shown))
        columns, medians, highs = hoptimes.running(hops, first)
        at = hoptimes.seconds(columns)
        self.median.show(at, np.log10(medians), (at, medians))
        self.p99.show(at, np.log10(highs), (at, highs))
        low, high = hoptimes.scale(shown)
        self._follow("y", (math.log10(low), math.log10(high)))

    def _draw_right(self, end: int) -> None:
        _, hops = self.feed.elapsed(end - HISTOGRAM, end)
        self.figures = hoptimes.figures(hops)
        edges, counts = hoptimes.histogram(hops)
        heights = np.full(2 * len(counts) + 2, BASE) if len(counts) else _NONE
        if len(counts):
            heights[1:-1] = np.repeat(np.log10(np.maximum(counts, 10**BASE)), 2)
        sides = np.log10(np.repeat(edges, 2)) if len(counts) else _NONE
        self.bars.show(heights, sides, (edges[:-1], counts) if len(counts) else (_NONE, _NONE))
        for name, line in self.marks.items():
            line.setVisible(self.figures is not None)
            if self.figures is not None:
                value = getattr(self.figures, name)
                line.setValue(math.log10(max(value, hoptimes.SHORTEST)))
                line.label.setFormat(f"{name} {hoptimes.spoken(value)}")
        self._place_labels()

    def _place_labels(self) -> None:
        """Labels stand on their lines; below them where the upper edge or the other label leaves no room."""
        box = self.right.getViewBox()
        label = scaled(LABEL)
        (low, high), height = box.viewRange()[1], box.height()
        median, p99 = ((high - self.marks[name].value()) / (high - low) * height for name in ("median", "p99"))
        for name, below in (("median", abs(median - p99) < label < height - median), ("p99", p99 < label)):
            anchor = (1, 0 if below else 1)
            text = self.marks[name].label
            if text.anchors != [anchor, anchor]:
                text.anchors = [anchor, anchor]
                text.updatePosition()

    # -- ranges -----------------------------------------------------------------------------------------------

    def _range(self, axis: str) -> tuple[float, float]:
        low, high = self.left.getViewBox().state["targetRange"]["xy".index(axis)]
        return float(low), float(high)

    def _follow(self, axis: str, wanted: tuple[float, float]) -> None:
        if axis in self._free or self._set.get(axis) == wanted:
            return
        (self.left.setXRange if axis == "x" else self.left.setYRange)(*wanted, padding=0)
        self._set[axis] = wanted
        self._kept[axis] = self._range(axis)

    def _watch_user(self) -> None:
        """A range that is not the one we set is the user's, however it came about (mouse, menu)."""
        for axis, kept in self._kept.items():
            if axis not in self._free and not np.allclose(self._range(axis), kept, rtol=0, atol=1e-6):
                self._free.add(axis)
                self.left.disableAutoRange()
                self.explored.emit(True)

    def go_back(self) -> None:
        """Follow the display again."""
        self._free.clear()
        self._set.clear()
        self._kept.clear()
        self._last = ()
        self.left.disableAutoRange()
        self.right.setXRange(BASE, MOST, padding=0)
        self.explored.emit(False)

    def _clicked(self, event: pg.GraphicsScene.mouseEvents.MouseClickEvent) -> None:
        if event.double() and event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.go_back()


def _pen(colour: QColor) -> QPen:
    """One device pixel wide at any scale: wider pens cost pyqtgraph ten times as much."""
    pen = QPen(colour)
    pen.setWidth(1)
    pen.setCosmetic(True)
    return pen


_NONE = np.zeros(0)

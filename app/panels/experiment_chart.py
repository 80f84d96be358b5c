"""Accuracy against SNR, drawn as the results come. Lines differ by colour, symbol and dash; bars are 95 % intervals.

Imported when the experiment's window is first opened: pyqtgraph takes a while.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from app import theme as themes
from app.panels import svg_export
from app.theme import Theme, font

Row = dict[str, Any]
SYMBOLS = ("o", "s", "t", "d", "star", "+", "t1", "x", "h", "p")
DASHES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine)
COLOURS = (0, 1, 2, 4, 6, 3, 7, 5)  # of the theme's series: those that differ most, first
EVERY, MEAN = "every noise", "mean of the noises"

pg.setConfigOptions(antialias=False, useOpenGL=False, exitCleanup=False)
svg_export.repair()


class Point(NamedTuple):
    """One place on a line, in dB and per cent; ``x`` None for clean."""

    x: float | None
    y: float
    low: float
    high: float


def who(row: Row, rows: Sequence[Row]) -> str:
    """What tells networks and engines apart, as short as that is possible."""
    parts = [row[key] for key in ("network", "engine") if len({r[key] for r in rows}) > 1]
    return ", ".join(part.removeprefix("NanoMamba-") for part in parts)


def lines(rows: Sequence[Row], show: str) -> dict[tuple[str, str], list[Point]]:
    """Points by (who, noise) for ``show``: EVERY, MEAN or a noise. A mean is drawn where all noises are there.

    The interval of a mean is the mean of the intervals: its clips are the same in every noise.
    """
    noises = list(dict.fromkeys(row["noise"] for row in rows if row["noise"]))
    found: dict[tuple[str, str], list[Point]] = {}
    for name in dict.fromkeys(who(row, rows) for row in rows):
        own = [row for row in rows if who(row, rows) == name]
        clean = [_point(None, [row]) for row in own if row["noise"] is None]
        groups = {noise: [noise] for noise in noises} if show == EVERY else {show: noises if show == MEAN else [show]}
        for title, members in groups.items():
            of_snr: dict[float, list[Row]] = {}
            for row in own:
                if row["noise"] in members:
                    of_snr.setdefault(row["snr_db"], []).append(row)
            points = [_point(snr, of_snr[snr]) for snr in sorted(of_snr) if len(of_snr[snr]) == len(members)]
            if points:
                found[name, title if show == EVERY else ""] = points
        if clean:
            found[name, "clean"] = clean
    return found


def _point(x: float | None, rows: Sequence[Row]) -> Point:
    mean = [float(np.mean([row[key] for row in rows])) for key in ("accuracy", "low", "high")]
    return Point(x, *mean)


class SnrAxis(pg.AxisItem):
    """Names the SNRs that were measured, and "clean" at the right end."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.snrs: list[float] = []
        self.clean: float | None = None

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        every = max(1, math.ceil(len(self.snrs) * 42 / max(size, 1)))
        ticks = self.snrs[::every] + ([self.clean] if self.clean is not None else [])
        return [(1.0, [tick for tick in ticks if low <= tick <= high])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return ["clean" if value == self.clean else f"{value:g}" for value in values]


class ExperimentChart(QWidget):
    """The chart, what it shows (every noise, their mean, or one) and an empty state."""

    empty = (
        "Accuracy against SNR appears here, point by point.\n"
        "Choose noises, SNRs and networks at the left, then press Run."
    )

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rows: list[Row] = []
        self.drawn: dict[tuple[str, str], list[Point]] = {}
        self._chosen = False  # the user decides what is shown
        self.title = QLabel("Accuracy against SNR")
        self.note = QLabel("")
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_box = QComboBox()
        self.show_box.setAccessibleName("Which lines the chart shows")
        self.show_box.setToolTip("A line for each noise, the mean over all noises, or one noise alone")
        self.show_box.activated.connect(self._choose)
        self.show_box.hide()
        head = QHBoxLayout()
        head.setContentsMargins(12, 6, 12, 0)
        head.setSpacing(10)
        for widget, stretch in ((self.title, 0), (self.note, 1), (self.show_box, 0)):
            head.addWidget(widget, stretch)
        self.axis = SnrAxis()
        self.left = pg.AxisItem("left")
        self.view = pg.PlotWidget(axisItems={"bottom": self.axis, "left": self.left})
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setAccessibleName("Chart of accuracy against SNR with 95 % intervals")
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setContentsMargins(4, 4, 14, 2)
        for name in ("Transforms", "Downsample", "Average", "Alpha", "Points"):
            self.plot.setContextMenuActionVisible(name, False)
        self.plot.setLabel("left", "accuracy, %")
        self.plot.setLabel("bottom", "SNR, dB")
        self.legend = self.plot.addLegend(offset=(-14, -10), verSpacing=-4)
        self.hint = QLabel(self.empty)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        holder = QWidget()
        self.stack = QStackedLayout(holder)
        self.stack.addWidget(self.hint)
        self.stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(holder, 1)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setAutoFillBackground(True)
        self.title.setFont(font(13))
        self.title.setStyleSheet(f"color: {theme.text}; font-weight: 600")
        for label in (self.note, self.hint):
            label.setFont(font(12))
            label.setStyleSheet(f"color: {theme.muted}")
        self.view.setBackground(theme.surface)
        for axis in (self.axis, self.left):
            axis.setTickFont(font(11))
            axis.setTextPen(theme.muted)
            axis.setPen(theme.line)
            axis.setTickPen(theme.grid)
            axis.setGrid(255)
            axis.setZValue(-1000)
            axis.setStyle(tickLength=0, tickTextOffset=6)
            axis.enableAutoSIPrefix(False)
            axis.label.setFont(font(12))
            axis.setLabel(axis.labelText, color=theme.muted)
        self.legend.setLabelTextSize(f"{themes.scaled(12)}px")
        self.legend.setLabelTextColor(theme.text)
        self.legend.setBrush(theme.colour("surface", 0.85))
        self.legend.setPen(QPen(QColor(theme.line)))
        self._draw()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Draw these rows instead of those before."""
        self.rows = list(rows)
        noises = list(dict.fromkeys(row["noise"] for row in self.rows if row["noise"]))
        wanted = [EVERY, MEAN, *noises] if len(noises) > 1 else noises
        if [self.show_box.itemText(i) for i in range(self.show_box.count())] != wanted:
            before = self.show_box.currentText()
            self.show_box.clear()
            self.show_box.addItems(wanted)
            if before in wanted and self._chosen:
                self.show_box.setCurrentText(before)
        if not self._chosen and len(noises) > 1:
            # with several networks or engines a line for each noise would be a thicket
            several = len({who(row, self.rows) for row in self.rows}) > 1
            self.show_box.setCurrentText(MEAN if several else EVERY)
        self.show_box.setVisible(len(wanted) > 1)
        self._draw()

    def _choose(self) -> None:
        self._chosen = True
        self._draw()

    def _draw(self) -> None:
        self.plot.clear()
        self.legend.clear()
        self.stack.setCurrentIndex(1 if self.rows else 0)
        self.note.setText("bars: 95 % intervals" if self.rows else "")
        if not self.rows:
            self.drawn = {}
            return
        self.drawn = lines(self.rows, self.show_box.currentText())
        self._scale()
        names = list(dict.fromkeys(name for name, _ in self.drawn))
        noises = list(dict.fromkeys(noise for _, noise in self.drawn if noise and noise != "clean"))
        by_noise = len(noises) > 1
        shift = self._step() * 0.04
        for number, ((name, noise), points) in enumerate(self.drawn.items()):
            place = names.index(name)
            if noise == "clean":
                self._clean(points[0], place, len(names), bool(by_noise))
                continue
            style = noises.index(noise) if by_noise else place
            title = ", ".join(part for part in (noise, name) if part) or self.show_box.currentText()
            colour = self._colour(style)
            dash = DASHES[(place if by_noise else style) % len(DASHES)]
            aside = shift * (number - (len(self.drawn) - 1) / 2)  # so that bars do not hide each other
            x = np.array([point.x for point in points], float) + aside
            self._line(x, points, colour, dash, SYMBOLS[style % len(SYMBOLS)], title)

    def _line(
        self, x: np.ndarray, points: list[Point], colour: QColor, dash: Qt.PenStyle, symbol: str, title: str
    ) -> None:
        y, low, high = (np.array([getattr(point, key) for point in points]) for key in ("y", "low", "high"))
        faint = QColor(colour)
        faint.setAlphaF(0.55)
        self.plot.addItem(pg.ErrorBarItem(x=x, y=y, top=high - y, bottom=y - low, beam=0, pen=self._pen(faint, 1)))
        pen = self._pen(colour, 1.6, dash)
        self.plot.plot(
            x, y, pen=pen, symbol=symbol, symbolSize=9, symbolBrush=colour, symbolPen=pg.mkPen(colour, width=1),
            name=title or None, antialias=True,
        )  # fmt: skip

    def _clean(self, point: Point, place: int, count: int, by_noise: bool) -> None:
        """The figure without noise stands apart at the right end."""
        assert self.axis.clean is not None
        x = np.array([self.axis.clean + self._step() * 0.12 * (place - (count - 1) / 2)])
        colour = QColor(self.theme.text) if by_noise and count == 1 else self._colour(place)
        symbol = "o" if by_noise and count == 1 else SYMBOLS[place % len(SYMBOLS)]
        self._line(x, [point], colour, Qt.PenStyle.SolidLine, symbol, "")

    def _pen(self, colour: QColor, width: float, dash: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
        """As wide on every screen: cosmetic pens are measured in its own pixels."""
        pen = QPen(colour, width * self.devicePixelRatioF(), dash)
        pen.setCosmetic(True)
        return pen

    def _colour(self, number: int) -> QColor:
        return QColor(self.theme.series[COLOURS[number % len(COLOURS)]])

    def _step(self) -> float:
        snrs = self.axis.snrs
        return float(min(np.diff(snrs))) if len(snrs) > 1 else 5.0

    def _scale(self) -> None:
        """Ranges from what there is: SNRs side by side, accuracy from a multiple of ten to 100."""
        snrs = sorted({row["snr_db"] for row in self.rows if row["snr_db"] is not None})
        self.axis.snrs = snrs
        has_clean = any(row["snr_db"] is None for row in self.rows)
        right = snrs[-1] if snrs else 0.0
        self.axis.clean = right + 1.3 * self._step() if has_clean else None
        last = self.axis.clean if self.axis.clean is not None else right
        first = snrs[0] if snrs else last
        lowest = min((point.low for points in self.drawn.values() for point in points), default=0.0)
        self.plot.setXRange(first - 0.4 * self._step(), last + 0.5 * self._step(), padding=0)
        self.plot.setYRange(max(0.0, 10 * math.floor((lowest - 1) / 10)), 101.5, padding=0)
        self.axis.picture = None
        self.axis.update()

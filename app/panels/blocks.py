"""The base of panels with one figure per channel or state of each block: mean as a line, spread as a band."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.feed import Array, Columns
from app.panels.timepanel import TimePanel
from app.paths import band, draw_dashed, polyline
from app.theme import scaled as pixels


class BlockPanel(TimePanel):
    """One colour and one line style a block; labels at the right."""

    missing = ""
    """What to say where the network or the engine has no such figure."""

    @abstractmethod
    def figures(self, columns: Columns) -> tuple[Array, Array, Array]:
        """Mean, lower and upper edge of the band, each (n, blocks)."""

    @abstractmethod
    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Position in the plot, 0 below to 1 on top."""

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        xs = x + (np.arange(len(columns)) + 0.5) * self.pitch
        mean, low, high = ((height - 1) * (1 - self.scaled(each)) for each in self.figures(columns))
        for block in range(mean.shape[1]):
            known = np.isfinite(mean[:, block])
            if not known.any():
                continue
            colour = QColor(self.theme.blocks[block % len(self.theme.blocks)])
            soft = QColor(colour)
            soft.setAlphaF(0.22)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(soft)
            painter.drawPolygon(band(xs[known], low[known, block], high[known, block]))
            painter.setPen(QPen(colour, 1.5 * self.devicePixelRatioF()))
            if block % 2 == 0:
                painter.drawPolyline(polyline(xs[known], mean[known, block]))
            else:  # dashed too: never by colour alone
                draw_dashed(painter, xs[known], mean[known, block], columns.start, 6, 9)

    def describe(self, columns: Columns) -> str:
        values = self.figures(columns)[0][0]
        return ", ".join(f"block {b + 1} {v:.2f}" for b, v in enumerate(values) if np.isfinite(v))

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        newest = self.feed.columns(self.end - 1, self.end)
        if not len(newest):
            return
        values = self.figures(newest)[0][0]
        if self.missing and not np.isfinite(values).any():
            self.paint_note(painter, plot, self.missing)
            return
        heights = self.scaled(values)
        row = pixels(15)
        taken = plot.top() - row / 2
        for block in np.argsort(-values):
            y = max(plot.bottom() - float(heights[block]) * plot.height(), taken + row)
            y = min(max(y, plot.top() + row / 2), plot.bottom() - row / 2)
            taken = y
            colour = QColor(self.theme.blocks[block % len(self.theme.blocks)])
            self.side_label(painter, side, y, colour, f"{values[block]:.2f} block {block + 1}")

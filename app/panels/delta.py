"""SSM step size per block: mean and spread over the channels."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.feed import Columns
from app.panels.timepanel import TimePanel
from app.paths import band, draw_dashed, polyline
from app.theme import font

LOW, HIGH = 0.03, 10.0


def scaled(delta: np.ndarray) -> np.ndarray:
    """Position on the logarithmic scale LOW..HIGH, 0..1."""
    return (np.log10(np.clip(delta, LOW, HIGH)) - np.log10(LOW)) / (np.log10(HIGH) - np.log10(LOW))


class DeltaPanel(TimePanel):
    key = "delta"
    title = "Step size Δ: how fast the memory is overwritten"
    about = (
        "Each block of the network has a memory (a state-space model) with its own step size Δ. Large: the new sound "
        "replaces what was remembered. Small: the memory is kept. Line: mean over the channels; band: the middle 80 % "
        "of them. Logarithmic scale."
    )
    empty = "Press Start (Space): here appears how fast the memory changes"
    ticks = tuple((float(scaled(np.array(float(text)))), text) for text in ("0.1", "1", "10"))

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        xs = x + (np.arange(len(columns)) + 0.5) * self.pitch
        for block in range(columns.delta_mean.shape[1]):
            colour = QColor(self.theme.blocks[block % len(self.theme.blocks)])
            soft = QColor(colour)
            soft.setAlphaF(0.22)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(soft)
            low = (height - 1) * (1 - scaled(columns.delta_low[:, block]))
            high = (height - 1) * (1 - scaled(columns.delta_high[:, block]))
            painter.drawPolygon(band(xs, low, high))
            painter.setPen(QPen(colour, 1.5 * self.devicePixelRatioF()))
            mean = (height - 1) * (1 - scaled(columns.delta_mean[:, block]))
            if block % 2 == 0:
                painter.drawPolyline(polyline(xs, mean))
            else:  # dashed too: never by colour alone
                draw_dashed(painter, xs, mean, columns.start, 6, 9)

    def describe(self, columns: Columns) -> str:
        return ", ".join(f"block {b + 1} {v:.2f}" for b, v in enumerate(columns.delta_mean[0]))

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        newest = self.feed.columns(self.end - 1, self.end)
        if not len(newest):
            return
        values = newest.delta_mean[0]
        painter.setFont(font(11))
        taken = plot.top() - 8
        for block in np.argsort(-values):
            y = max(self.y_of(float(scaled(values[block]))), taken + 15)
            y = min(max(y, plot.top() + 8), plot.bottom() - 7)
            taken = y
            colour = QColor(self.theme.blocks[block % len(self.theme.blocks)])
            painter.fillRect(QRectF(side.left() + 4, y - 1, 8, 2), colour)
            painter.setPen(QColor(self.theme.text))
            text = f"{values[block]:.2f} block {block + 1}"
            painter.drawText(QRectF(side.left() + 16, y - 8, side.width() - 16, 16), _LEFT, text)


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

"""PCEN routing weights."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from app.feed import Columns
from app.panels.timepanel import TimePanel
from app.paths import polyline
from app.theme import scaled


class RoutingPanel(TimePanel):
    key = "routing"
    title = "Routing: which gain control the network trusts"
    about = (
        "Before listening, the network evens out loudness with two or three automatic gain controls (PCEN experts): "
        "one made for steady noise, one for noise that comes and goes. The areas show how it mixes them; together they "
        "are always 1. Watch the border move when a fan starts or someone else talks."
    )
    empty = "Press Start (Space): here appears how the gain controls are mixed"
    ticks = ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        experts = columns.routing.shape[1]
        if not experts:
            return
        xs = x + (np.arange(len(columns)) + 0.5) * self.pitch
        edges = np.concatenate((np.zeros((len(columns), 1)), np.cumsum(columns.routing, axis=1)), axis=1)
        ys = (height - 1) * (1 - edges)
        fills = [QColor(self.theme.experts[expert % len(self.theme.experts)]) for expert in range(experts)]
        for fill in fills:
            fill.setAlphaF(0.55)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        rounded: list[list[int]] = np.rint(ys).astype(np.int64).tolist()
        for column, edge in enumerate(rounded):  # plain bars: a smooth polygon of this size costs ten times as much
            left = int(x) + column * self.pitch
            for expert, fill in enumerate(fills):
                painter.fillRect(left, edge[expert + 1], self.pitch, edge[expert] - edge[expert + 1], fill)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self.theme.text), max(1.0, self.devicePixelRatioF())))
        for expert in range(1, experts):
            painter.drawPolyline(polyline(xs, ys[:, expert]))

    def describe(self, columns: Columns) -> str:
        return ", ".join(f"{n} {w:.2f}" for n, w in zip(self.feed.expert_names, columns.routing[0], strict=False))

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        newest = self.feed.columns(self.end - 1, self.end)
        if not len(newest) or not newest.routing.shape[1]:
            self.paint_note(painter, plot, "This network has one front end and nothing to route")
            return
        below = 0.0
        row, count = scaled(15), len(self.feed.expert_names)
        taken = plot.bottom() + row / 2
        for expert, (name, weight) in enumerate(zip(self.feed.expert_names, newest.routing[0], strict=False)):
            y = min(self.y_of(below + float(weight) / 2), taken - row)
            y = min(max(y, plot.top() + row * (count - 0.5 - expert)), plot.bottom() - row / 2)
            taken, below = y, below + float(weight)
            colour = QColor(self.theme.experts[expert % len(self.theme.experts)])
            self.side_label(painter, side, y, colour, f"{weight:.2f} {name}", thick=scaled(8))

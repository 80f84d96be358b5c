"""PCEN routing weights."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.feed import Columns
from app.panels.timepanel import TimePanel
from app.paths import polyline
from app.theme import font


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
        taken = plot.bottom() + 8
        painter.setFont(font(11))
        for expert, (name, weight) in enumerate(zip(self.feed.expert_names, newest.routing[0], strict=False)):
            y = min(self.y_of(below + float(weight) / 2), taken - 15)
            y = min(max(y, plot.top() + 8 + 15 * (len(self.feed.expert_names) - 1 - expert)), plot.bottom() - 7)
            taken, below = y, below + float(weight)
            colour = QColor(self.theme.experts[expert % len(self.theme.experts)])
            painter.fillRect(QRectF(side.left() + 4, y - 4, 8, 8), colour)
            painter.setPen(QColor(self.theme.text))
            painter.drawText(QRectF(side.left() + 16, y - 8, side.width() - 16, 16), _LEFT, f"{weight:.2f} {name}")


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

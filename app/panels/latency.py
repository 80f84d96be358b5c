"""How the time of a frame is distributed: a row for each part (link, computation) of each engine, one logarithmic
axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.hoptimes import figures, histogram, spoken
from app.paths import polyline
from app.theme import Theme, font, scaled

NAME, TEXT, AXIS = 148, 192, 18  # px at 100 % text size: names at the left, figures at the right, scale below
LOWEST, HIGHEST = 1.0, 1e5  # us
TALLEST = 58  # px a row, at 100 % text size
_TICKS = ((1.0, "1 µs"), (10.0, "10"), (100.0, "100"), (1e3, "1 ms"), (1e4, "10"), (1e5, "100 ms"))


@dataclass(frozen=True, slots=True)
class Row:
    """``kind``: link or compute, told apart by hatching, not by colour alone."""

    name: str
    kind: str
    times: NDArray[np.floating]


class LatencyChart(QWidget):
    """Paints what ``show_rows`` gives it; a row that is empty says so."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rows: Sequence[Row] = ()
        self.setMinimumSize(420, scaled(84, 0.4))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Time of a frame, by part")
        self.setToolTip(
            "<p><b>Time of a frame</b> over the last 10 s, on a logarithmic scale. <b>compute</b>: in the arithmetic "
            "(for a board as it counted its clock's cycles). <b>link</b>: the rest of the round trip, on the line and "
            "in queues; a board that counts no cycles has only a <b>round trip</b>. A frame of 10 ms must need less "
            "than 10 ms of computing.</p>"
        )

    def sizeHint(self) -> QSize:
        return QSize(620, 150)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """What to paint from now on."""
        self.rows = rows
        spoken_rows = []
        for row in rows:
            numbers = figures(row.times)
            if numbers is not None:
                spoken_rows.append(f"{row.name}: median {spoken(numbers.median)}, p99 {spoken(numbers.p99)}")
        self.setAccessibleDescription("; ".join(spoken_rows))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self.theme.surface))
        name, text, axis = scaled(NAME), scaled(TEXT), scaled(AXIS)
        plot = QRectF(name, 4, max(self.width() - name - text, 40), max(self.height() - axis - 6, 20))
        painter.fillRect(plot, QColor(self.theme.plot))
        painter.setFont(font(11))
        for value, tick in _TICKS:
            x = self._x(value, plot)
            painter.fillRect(QRectF(x, plot.top(), 1, plot.height()), QColor(self.theme.grid))
            painter.setPen(QColor(self.theme.muted))
            box = QRectF(x - scaled(30), plot.bottom() + 2, scaled(60), axis - 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, tick)
        height = min(plot.height() / max(len(self.rows), 1), scaled(TALLEST))
        for number, row in enumerate(self.rows):
            self._paint_row(painter, row, QRectF(plot.left(), plot.top() + number * height, plot.width(), height))
        painter.end()

    @staticmethod
    def _x(value: float, plot: QRectF) -> float:
        share = np.log10(min(max(value, LOWEST), HIGHEST) / LOWEST) / np.log10(HIGHEST / LOWEST)
        return plot.left() + float(share) * plot.width()

    def _paint_row(self, painter: QPainter, row: Row, box: QRectF) -> None:
        theme = self.theme
        colour = QColor(theme.blocks[0] if row.kind == "compute" else theme.blocks[1])
        base = box.bottom() - 2
        painter.setPen(QColor(theme.text))
        wide = scaled(NAME) - 16
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideMiddle, wide)
        painter.drawText(QRectF(8, box.top(), wide, box.height()), _MIDDLE_LEFT, name)
        numbers = figures(row.times)
        right = QRectF(box.right() + 8, box.top(), scaled(TEXT) - 12, box.height())
        if numbers is None:
            painter.setPen(QColor(theme.muted))
            painter.drawText(right, _MIDDLE_LEFT, "nothing yet")
            return
        painter.drawText(right, _MIDDLE_LEFT, f"{spoken(numbers.median)} · p99 {spoken(numbers.p99)}")
        edges, counts = histogram(row.times)
        if len(counts):
            tall = (box.height() - 6) * counts / counts.max()
            xs = np.repeat([self._x(float(edge), box) for edge in edges], 2)
            ys = base - np.concatenate(([0.0], np.repeat(tall, 2), [0.0]))
            fill = QColor(colour)
            fill.setAlphaF(0.35 if row.kind == "compute" else 0.75)
            painter.setPen(QPen(colour, 1.3))
            painter.setBrush(QBrush(fill, _FILLS[row.kind]))
            painter.drawPolygon(polyline(xs, ys))
        x = self._x(numbers.median, box)
        painter.setPen(QPen(QColor(theme.text), 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x, box.top() + 2), QPointF(x, base))


_MIDDLE_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_FILLS = {"compute": Qt.BrushStyle.SolidPattern, "link": Qt.BrushStyle.BDiagPattern}

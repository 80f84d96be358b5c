"""The base of the two maps of 40 bands over time: spectrogram and SNR."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from app.colormaps import VIRIDIS, colourise
from app.feed import Columns
from app.panels.timepanel import TimePanel
from app.theme import font, scaled
from kwscore.constants import N_MELS

TOP_HZ = 8000.0


def mel(hertz: float) -> float:
    """HTK mel, the scale on which the bands are equally wide."""
    return 2595 * math.log10(1 + hertz / 700)


def band_at(hertz: float) -> float:
    """Where a frequency lies on the scale of bands; band m covers m to m + 1 and has its centre between."""
    return mel(hertz) / mel(TOP_HZ) * (N_MELS + 1) - 0.5


def centre(band: int) -> float:
    """Centre of a band in Hz."""
    return 700 * (10 ** (mel(TOP_HZ) * (band + 1) / (N_MELS + 1) / 2595) - 1)


def kilohertz(band: int) -> str:
    """A band's centre as people read it."""
    hertz = centre(band)
    return f"{hertz:.0f} Hz" if hertz < 1000 else f"{hertz / 1000:.1f} kHz"


def draw_map(painter: QPainter, place: QRectF, colours: NDArray[np.uint32]) -> None:
    """Paint colours (n, bands) as an image, one column each, the highest band on top."""
    rows = np.ascontiguousarray(colours.T[::-1])  # row-major
    image = QImage(rows.data, rows.shape[1], rows.shape[0], rows.strides[0], QImage.Format.Format_RGB32)
    painter.drawImage(place, image)


class BandMapPanel(TimePanel):
    """Colours by a fixed scale; the colour bar at the right carries the numbers."""

    low, high = 0.0, float(N_MELS)
    ticks: Sequence[tuple[float, str]] = (
        (band_at(500), "0.5"),
        (band_at(1000), "1"),
        (band_at(2000), "2"),
        (band_at(4000), "4"),
        (float(N_MELS), "8 kHz"),
    )
    table: NDArray[np.uint32] = VIRIDIS
    floor: ClassVar[float] = 0.0
    ceiling: ClassVar[float] = 1.0
    bar_ticks: Sequence[tuple[float, str]] = ()

    @abstractmethod
    def values(self, columns: Columns) -> NDArray[np.floating]:
        """(n, 40) what is shown."""

    def pointed_height(self) -> float | None:
        return self.cursor_height

    @property
    def pointed_band(self) -> int | None:
        """The band that the cursor points at."""
        if self.cursor_height is None:
            return None
        return min(max(int(self.cursor_height * N_MELS), 0), N_MELS - 1)

    def paint_columns(self, painter: QPainter, columns: Columns, x: float, height: int) -> None:
        colours = colourise(self.values(columns), self.floor, self.ceiling, self.table)
        draw_map(painter, QRectF(x, 0, len(columns) * self.pitch, height), colours)

    def paint_side(self, painter: QPainter, side: QRectF) -> None:
        bar = QRectF(side.left() + 14, side.top(), scaled(12), side.height())
        steps = np.ascontiguousarray(self.table[::-1].reshape(256, 1))
        image = QImage(steps.data, 1, 256, 4, QImage.Format.Format_RGB32)
        painter.drawImage(bar, image)
        painter.setFont(font(11))
        painter.setPen(QColor(self.theme.muted))
        for value, text in self.bar_ticks:
            y = bar.bottom() - (value - self.floor) / (self.ceiling - self.floor) * bar.height()
            y = min(max(y, bar.top() + scaled(6)), bar.bottom() - scaled(6))
            box = QRectF(bar.right() + 7, y - scaled(8), scaled(80), scaled(16))
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

"""Output of the front end: what is left of the spectrogram after gain control."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from app.colormaps import VIRIDIS
from app.feed import Columns
from app.panels.bandmap import BandMapPanel, kilohertz


class _Scale(NamedTuple):
    """Of the logarithm to base 10 for PCEN, whose bands lie far apart; of the value itself for a log front end."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]  # height in the bar, 0..1


_PCEN = _Scale(-1.5, -0.2, ((1.0, "0.63"), (0.5, "0.14"), (0.0, "0.03")))
_LOG = _Scale(-12.0, 2.0, ((1.0, "2"), (0.5, "−5"), (0.0, "−12 ln")))


class PcenPanel(BandMapPanel):
    key = "pcen"
    title = "PCEN output: the sound after gain control"
    about = (
        "What the front end hands to the network: the gain controls (PCEN) mixed by the routing weights, before the "
        "running norm that only shifts and scales each band. Steady noise, however loud, fades to an even carpet; what "
        "begins stands out. Compare with the spectrogram when a fan starts. Logarithmic scale."
    )
    empty = "Press Start (Space): here appears the sound after gain control"
    missing = "This engine does not send what its front end computes (boards do not)"
    table = VIRIDIS

    def _scale_now(self) -> _Scale:
        return _PCEN if len(self.feed.expert_names) else _LOG

    def advance(self, end: int, pitch: int) -> None:
        scale = self._scale_now()
        if self.bar_ticks != scale.ticks:
            self.bar_ticks = scale.ticks
            self.refresh()
        super().advance(end, pitch)

    def values(self, columns: Columns) -> NDArray[np.floating]:
        scale = self._scale_now()
        value = np.log10(np.maximum(columns.pcen, 1e-3)) if scale is _PCEN else columns.pcen
        return (value - scale.low) / (scale.high - scale.low)

    def describe(self, columns: Columns) -> str:
        output, band = columns.pcen[0], self.pointed_band
        if not np.isfinite(output).all():
            return ""
        most = int(output.argmax())
        pointed = "" if band is None else f"{kilohertz(band)}: {output[band]:.2f} · "
        return f"{pointed}most at {kilohertz(most)}: {output[most]:.2f}".replace("-", "−")

    def paint_live(self, painter: QPainter, plot: QRectF, side: QRectF) -> None:
        newest = self.feed.columns(self.end - 1, self.end)
        if len(newest) and not np.isfinite(newest.pcen).any():
            self.paint_note(painter, plot, self.missing)

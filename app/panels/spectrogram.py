"""Log-mel spectrogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.colormaps import VIRIDIS
from app.feed import Columns
from app.panels.bandmap import BandMapPanel, kilohertz


class SpectrogramPanel(BandMapPanel):
    key = "spectrogram"
    title = "Spectrogram: energy in 40 mel bands"
    about = (
        "Low pitch below, high pitch above, brighter is louder. Vowels are stacked bright stripes, hisses like the s "
        "of “yes” light up the top, a short gap and a burst make the t and p of “right”, “left” and “stop”. "
        "Steady noise is a grey-green carpet."
    )
    empty = "Press Start (Space): here the sound appears by pitch"
    table = VIRIDIS
    floor, ceiling = -80.0, -10.0
    bar_ticks = ((-10.0, "−10 dB"), (-45.0, "−45"), (-80.0, "−80"))

    def values(self, columns: Columns) -> NDArray[np.floating]:
        return columns.mel_db

    def describe(self, columns: Columns) -> str:
        level, band = columns.mel_db[0], self.pointed_band
        loudest = int(level.argmax())
        pointed = "" if band is None else f"{kilohertz(band)}: {level[band]:.0f} dB · "
        return f"{pointed}loudest at {kilohertz(loudest)}: {level[loudest]:.0f} dB".replace("-", "−")

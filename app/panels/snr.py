"""Per-band SNR map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.colormaps import CIVIDIS
from app.feed import Columns
from app.panels.bandmap import BandMapPanel, kilohertz


class SnrPanel(BandMapPanel):
    key = "snr"
    title = "SNR per band: what stands out of the noise"
    about = (
        "The network's own estimate, band by band, of how far the sound stands out of the noise it has been following: "
        "0 is noise, 1 is clear. Speech lights up here even when the spectrogram is full of noise; the network listens "
        "more closely where this map is bright. It is no calibrated figure: high bands start brighter."
    )
    empty = "Press Start (Space): here appears what stands out of the noise"
    table = CIVIDIS
    floor, ceiling = 0.0, 1.0
    bar_ticks = ((1.0, "1 clear"), (0.5, "0.5"), (0.0, "0 noise"))

    def values(self, columns: Columns) -> NDArray[np.floating]:
        return columns.snr

    def describe(self, columns: Columns) -> str:
        snr, band = columns.snr[0], self.pointed_band
        pointed = "" if band is None else f"{kilohertz(band)}: {snr[band]:.2f} · "
        return f"{pointed}mean {snr.mean():.2f}, best at {kilohertz(int(snr.argmax()))}"

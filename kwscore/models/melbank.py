"""The fixed mel filterbank and the frequency-dependent floor (numpy; shared by networks and engines)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_FREQ, N_MELS, SAMPLE_RATE, WINDOW


def mel_edges() -> NDArray[np.float64]:
    """(42,) Hz: where the filters begin, have their centres (1 to 40) and end, equally spaced in HTK mel."""
    top = 2595.0 * np.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    return np.asarray(700.0 * (10.0 ** (np.linspace(0.0, top, N_MELS + 2) / 2595.0) - 1.0))


def mel_filterbank() -> NDArray[np.float32]:
    """(40, 257) triangular HTK mel filters on the magnitude bins, peak 1, no area normalisation."""
    edges = np.floor((WINDOW + 1) * mel_edges() / SAMPLE_RATE).astype(int)
    bank = np.zeros((N_MELS, N_FREQ), dtype=np.float32)
    for m in range(N_MELS):
        left, centre, right = edges[m : m + 3]
        rising = np.arange(left, centre)
        falling = np.arange(centre, right)
        bank[m, rising] = (rising - left) / max(centre - left, 1)
        bank[m, falling] = (right - falling) / max(right - centre, 1)
    return bank


def frequency_floor() -> NDArray[np.float32]:
    """(40,) smallest mel magnitude that PCEN sees: 0.05 in band 0 down to 0.0025 in band 39."""
    return (0.05 * np.exp(-3.0 * np.arange(N_MELS) / (N_MELS - 1))).astype(np.float32)

"""Noise mixed into speech at a stated SNR."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rms(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """sqrt(mean(x^2) + 1e-10) over the last axis, kept as an axis of length 1 (published form, finite for silence)."""
    power = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(max(x.shape[-1], 1))
    return np.sqrt(power + np.float32(1e-10)).astype(np.float32, copy=False)


def mix(speech: NDArray[np.float32], noise: NDArray[np.float32], snr_db: ArrayLike) -> NDArray[np.float32]:
    """The published mixture: speech + noise * (rms(speech) / 10^(SNR/20)) / rms(noise), without clipping.

    ``speech`` and ``noise``: (..., n) float32 of the same n. ``snr_db``: dB, a number or one per leading index. The RMS
    is taken over the whole of the last axis, pauses included. Returns (..., n) float32, not rescaled.
    """
    snr = np.asarray(snr_db, dtype=np.float32)[..., None]
    gain = rms(speech) / np.float32(10) ** (snr / np.float32(20)) / rms(noise)
    return (speech + noise * gain).astype(np.float32, copy=False)

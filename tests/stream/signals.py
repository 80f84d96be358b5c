"""Audio for the engine tests: noises, tones, silence, clipping and level jumps, as 16-bit PCM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PCM = NDArray[np.int16]


def to_int16(x: NDArray[np.float64]) -> PCM:
    return np.clip(np.rint(x * 32768), -32768, 32767).astype(np.int16)


def varied(seconds: float = 2.5, seed: int = 0) -> PCM:
    """Pieces of quiet and loud noise, digital silence, a chirp in noise, clipped noise, a word-like burst, in turn."""
    rng = np.random.default_rng(seed)
    n = int(seconds * 16000)
    t = np.arange(n) / 16000
    out = rng.normal(0, 1e-3, n)
    cuts = np.sort(rng.integers(0, n, 8))
    chirp = 0.4 * np.sin(2 * np.pi * (200 * t + 600 * t * t)) + rng.normal(0, 0.01, n)
    kinds = [rng.normal(0, 0.1, n), np.zeros(n), chirp, rng.normal(0, 2.0, n), rng.normal(0, 3e-4, n), chirp * 0.01]
    for i in range(len(cuts) - 1):
        piece = slice(cuts[i], cuts[i + 1])
        out[piece] = kinds[i % len(kinds)][piece]
    burst = np.exp(-(((t - 0.7 * seconds) / 0.15) ** 2)) * np.sin(2 * np.pi * 440 * t + 3 * np.sin(2 * np.pi * 90 * t))
    return to_int16(out + 0.3 * burst)


def named_signals(seconds: float = 2.5) -> dict[str, PCM]:
    """Signals that stress one thing each."""
    rng = np.random.default_rng(7)
    n = int(seconds * 16000)
    noise = rng.normal(0, 1, n)
    before_block_1 = 70 * 160
    early = np.where(np.arange(n) < before_block_1, 0.003, 0.1)  # forgotten by the anchor exactly at frame 150
    dip = np.full(n, 0.1)
    dip[71 * 160 : 75 * 160 + 512] = 0.003  # five frames whose mean belongs to the anchor's second block by one frame
    step = np.where(np.arange(n) < n // 2, 0.003, 0.3)
    silence_in_noise = 0.05 * noise
    silence_in_noise[n // 3 : 2 * n // 3] = 0
    return {
        "varied": varied(seconds),
        "white": to_int16(0.1 * noise),
        "faint": to_int16(1e-4 * noise),
        "silence": np.zeros(n, np.int16),
        "silence between": to_int16(silence_in_noise),
        "noise step before the anchor's second block": to_int16(early * noise),
        "dip at the start of the anchor's second block": to_int16(dip * noise),
        "noise step of 40 dB": to_int16(step * noise),
        "clipped": to_int16(3.0 * noise),
        "full scale square wave": np.where(np.arange(n) // 40 % 2, 32767, -32768).astype(np.int16),
    }

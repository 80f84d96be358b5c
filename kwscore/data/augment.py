"""Waveform augmentation: speed, shift, reverberation, level. float32 arrays, one clip or one stream at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from kwscore.constants import SAMPLE_RATE

Audio = NDArray[np.float32]


def change_speed(x: Audio, factor: float) -> Audio:
    """Resample by ``factor`` (above 1: faster and higher), linear interpolation."""
    if factor == 1.0:
        return x
    positions = np.arange(int(len(x) / factor), dtype=np.float64) * factor
    return np.interp(positions, np.arange(len(x)), x).astype(np.float32)


def place(x: Audio, length: int, shift: int) -> Audio:
    """Centre ``x`` in ``length`` samples, moved right by ``shift``; what falls outside is cut."""
    out = np.zeros(length, np.float32)
    start = (length - len(x)) // 2 + shift
    left, right = max(start, 0), min(start + len(x), length)
    if right > left:
        out[left:right] = x[left - start : right - start]
    return out


def cut_piece(x: Audio, rng: np.random.Generator) -> Audio:
    """A word-like piece of running speech: 0.25 to 0.7 s between the quietest moments near both ends, faded."""
    length = int(rng.uniform(0.25, 0.7) * SAMPLE_RATE)
    start = int(rng.integers(0, len(x) - length + 1))
    step = SAMPLE_RATE // 100
    energy = (x[: len(x) // step * step].reshape(-1, step) ** 2).mean(1)
    edges = []
    for at in (start, start + length):  # within 80 ms
        low, high = max(0, at // step - 8), min(len(energy), at // step + 9)
        edges.append((low + int(np.argmin(energy[low:high]))) * step if high > low else at)
    first, last = edges[0], max(edges[1], edges[0] + 10 * step)
    piece = np.array(x[first:last])
    fade = np.linspace(0.0, 1.0, step, dtype=np.float32)
    piece[:step] *= fade
    piece[-step:] *= fade[::-1]
    return piece


def room_response(rng: np.random.Generator) -> Audio:
    """A synthetic room: direct sound, then exponentially decaying noise. RT60 0.1 to 0.6 s, DRR -2 to 12 dB."""
    rt60 = rng.uniform(0.1, 0.6)
    n = int(SAMPLE_RATE * min(rt60, 0.4))
    t = np.arange(n) / SAMPLE_RATE
    tail = rng.standard_normal(n) * 10.0 ** (-3.0 * t / rt60)
    gap = int(rng.uniform(0.001, 0.008) * SAMPLE_RATE)
    tail[:gap] = 0.0
    drr = 10.0 ** (rng.uniform(-2.0, 12.0) / 10.0)
    tail *= np.sqrt(1.0 / (drr * np.sum(tail**2) + 1e-12))
    tail[0] = 1.0
    return (tail / np.sqrt(1.0 + 1.0 / drr)).astype(np.float32)


def reverberate(x: Audio, response: Audio) -> Audio:
    """Convolve and keep the original length; a direct path at 0 keeps the timing."""
    return oaconvolve(x, response)[: len(x)].astype(np.float32)


def equalise(x: Audio, rng: np.random.Generator) -> Audio:
    """A gentle random colour of microphone and room: first-order tilt of up to 6 dB per end."""
    a = rng.uniform(-0.35, 0.35)
    return (x + a * np.concatenate((x[:1], x[:-1]))).astype(np.float32) / np.float32(1.0 + abs(a) * 0.5)


def from_pcm(x: NDArray[np.int16]) -> Audio:
    """int16 PCM as float32 in [-1, 1)."""
    return np.asarray(x, np.float32) * np.float32(1 / 32768)


def to_pcm(x: Audio) -> NDArray[np.int16]:
    """What a network hears: 16-bit PCM, rounded and clipped."""
    return np.clip(np.rint(x * 32768.0), -32768, 32767).astype(np.int16)

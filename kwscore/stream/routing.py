"""Routing kernels: how much each PCEN expert counts in this frame (versions 1 and 2)."""

from __future__ import annotations

import math

import numpy as np

from kwscore.constants import N_MELS
from kwscore.stream import layout as at
from kwscore.stream.jit import kernel
from kwscore.stream.mathf import ZERO, clip

_LEAST = np.float32(1e-4)
_LOW_END = 13
_HIGH_START = 26


@kernel
def _sigmoid64(x):
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@kernel
def spectral_shape(energy):
    """Flatness, tilt and mean of the floored mel magnitudes, each over the bands of one frame."""
    log_sum = 0.0
    total = 0.0
    low = 0.0
    high = 0.0
    for m in range(N_MELS):
        e = np.float64(max(energy[m], _LEAST))
        log_sum += math.log(e)
        total += e
        if m < _LOW_END:
            low += e
        elif m >= _HIGH_START:
            high += e
    mean = total / N_MELS
    low /= _LOW_END
    high /= N_MELS - _HIGH_START
    flatness = clip(math.exp(log_sum / N_MELS) / mean, 0.0, 1.0)
    return flatness, clip(low / (low + high + 1e-8), 0.0, 1.0), mean


@kernel
def _average(history, row, t, value):
    """Put ``value`` into its ring and return the mean of the last seven (zeros before the start)."""
    history[row, t % at.SMOOTH] = value
    total = 0.0
    for i in range(at.SMOOTH):
        total += history[row, i]
    return total / at.SMOOTH


@kernel
def route(shape, t, scalar, sbar, energy, history, out):
    """Write the experts' weights into ``out`` (E,); return what the state-space models hear of them.

    That is the stationarity gate g of version 2 with several experts; other front ends send none, which 0 stands for.
    ``sbar``: running mean SNR.
    """
    if shape.front == at.FRONT_LOG:
        return ZERO
    if shape.front == at.FRONT_PCEN:
        out[0] = 1.0
        return ZERO
    flatness, tilt, mean = spectral_shape(energy)
    kappa = 1.0
    bonus = 0.0
    if shape.front_v2:
        flatness = _average(history, 0, t, flatness)
        level = _average(history, 1, t, mean)
        square = _average(history, 2, t, mean * mean)
        spread = math.sqrt(max(square - level * level, 0.0) + 1e-6) / (max(level, 1e-5) + 1e-8)
        modulation = _average(history, 3, t, clip(spread, 0.0, 2.0) / 2.0)
        bonus = 0.5 * max(0.5 - modulation, 0.0)
        kappa = 1.0 + 2.0 * (1.0 - sbar)
    indicator = flatness
    if shape.tilt:
        indicator += (1.0 - flatness) * max(tilt - 0.6, 0.0)
    indicator += (1.0 - indicator) * bonus
    g = _sigmoid64(scalar[at.GATE_TEMP] * kappa * (indicator - 0.5))
    if math.isnan(g):
        g = 0.5
    if shape.front == at.FRONT_DUAL:
        out[0] = 1.0 - g
        out[1] = g
    else:
        h = _sigmoid64(scalar[at.GATE_TEMP2] * kappa * (flatness - 0.7))
        if math.isnan(h):
            h = 0.5
        out[0] = 1.0 - g
        out[1] = g * h
        out[2] = g * (1.0 - h)
    return np.float32(g) if shape.front_v2 else ZERO

"""Scalar functions of the kernels, in float32 (numba constants typed so that nothing widens by accident)."""

from __future__ import annotations

import math

import numpy as np

from kwscore.stream.jit import kernel

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)


@kernel
def sigmoid(x):
    """Logistic function, same precision as ``x``, without overflow on either side."""
    if x >= ZERO:
        return ONE / (ONE + math.exp(-x))
    e = math.exp(x)
    return e / (ONE + e)


@kernel
def silu(x):
    """x sigmoid(x)."""
    return x * sigmoid(x)


@kernel
def softplus(x):
    """ln(1 + e^x), exact on both tails."""
    if x > ZERO:
        return x + math.log1p(math.exp(-x))
    return math.log1p(math.exp(x))


@kernel
def clip(x, low, high):
    """x limited to [low, high]; NaN stays NaN."""
    if x < low:
        return low
    if x > high:
        return high
    return x


@kernel
def finite(x, limit):
    """The published guard: NaN becomes 0, infinities become +-limit."""
    if math.isnan(x):
        return ZERO
    if math.isinf(x):
        return limit if x > ZERO else -limit
    return x

"""Scalar functions of the kernels, in float32 (numba constants typed so that nothing widens by accident)."""

from __future__ import annotations

import math

import numpy as np

from kwscore.stream.jit import kernel

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)


_LOWEST = np.float32(-87.0)
_HIGHEST = np.float32(88.0)
_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_P0, _P1, _P2, _P3, _P4, _P5 = (
    np.float32(p)
    for p in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_BIAS = np.int32(127)
_MANTISSA = np.int32(1 << 23)


@kernel
def exp(x):
    """e^x in float32 to 1e-7 relative (Cephes polynomial), limited to x in [-87, 88]; NaN stays NaN.

    Free of branches and calls, so that loops over it vectorise; the library's exp was half of a hop.
    """
    x = _LOWEST if x < _LOWEST else x
    x = _HIGHEST if x > _HIGHEST else x
    n = np.floor(x * _LOG2_E + HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    y = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    y = y * r * r + r + ONE
    power = np.int32((np.int32(n) + _BIAS) * _MANTISSA)
    return y * power.view(np.float32)


@kernel
def sigmoid(x):
    """Logistic function of a float32; accurate on both tails."""
    return ONE / (ONE + exp(-x))


@kernel
def silu(x):
    """x sigmoid(x)."""
    return x * sigmoid(x)


@kernel
def softplus(x):
    """ln(1 + e^x), exact on both tails."""
    return max(x, ZERO) + math.log1p(exp(-abs(x)))


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

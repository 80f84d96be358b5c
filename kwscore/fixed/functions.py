"""The table unit: log2, exp2, sigmoid and softplus from 256 segments with linear interpolation."""

from __future__ import annotations

import numpy as np

from kwscore.fixed.arith import bit_length, rsh, usat
from kwscore.fixed.jit import kernel

LOG2, EXP2, SIGMOID, SOFTPLUS = 0, 1, 2, 3
"""Tables of the unit."""
ONE = 65536
"""1.0 in the 16 fraction bits that logarithms, exponentials and sigmoids have."""
LOG2_ZERO = -32 * ONE
"""What log2 answers for 0."""
_TOP = 65535


@kernel
def interpolate(table, which, u):
    """Table ``which`` at the 16-bit position ``u``: entry u >> 8, slope times the low 8 bits."""
    i = u >> 8
    return table[which, i, 0] + rsh(table[which, i, 1] * (u & 255), 8)


@kernel
def log2(table, x):
    """log2 of a whole number 0 <= x < 2^40 with 16 fraction bits; LOG2_ZERO for 0."""
    if x == 0:
        return np.int64(LOG2_ZERO)
    b = bit_length(x) - 1
    mantissa = x >> (b - 16) if b >= 16 else x << (16 - b)
    return (b << 16) + interpolate(table, LOG2, mantissa & _TOP)


@kernel
def exp2_mantissa(table, x):
    """2^(fraction of x) with 16 fraction bits, 65536..131071; the exponent is x >> 16."""
    return ONE + interpolate(table, EXP2, x & _TOP)


@kernel
def exp2(table, x, fraction, bits):
    """2^x (x with 16 fraction bits) as an unsigned number with ``fraction`` fraction bits, saturated to ``bits``."""
    mantissa = exp2_mantissa(table, x)
    n = 16 - fraction - (x >> 16)
    if n >= 0:
        return usat(rsh(mantissa, min(n, np.int64(20))), bits)
    if n < -32:
        return usat(np.int64(1) << 48, bits)
    return usat(mantissa << -n, bits)


@kernel
def reciprocal(table, n):
    """1/n = mantissa / 2^(16 + e) for 1 <= n < 65536: returns mantissa (65536..131071) and e."""
    x = -log2(table, n)
    return exp2_mantissa(table, x), -(x >> 16)


@kernel
def sigmoid(table, x):
    """Logistic function of x (12 fraction bits), 0..65536 with 16 fraction bits."""
    y = interpolate(table, SIGMOID, min(abs(x), np.int64(_TOP)))
    return ONE - y if x < 0 else y


@kernel
def softplus(table, x):
    """ln(1 + e^x) of x (12 fraction bits) with 16 fraction bits."""
    y = interpolate(table, SOFTPLUS, min(abs(x), np.int64(_TOP)))
    return y + (x << 4) if x > 0 else y

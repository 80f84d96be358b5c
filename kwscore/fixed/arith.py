"""Integer primitives of the datapath (docs/fixed_point.md, section 1). All on int64; no value ever needs more."""

from __future__ import annotations

import numpy as np

from kwscore.fixed.jit import kernel

_ONE = np.int64(1)


@kernel
def rsh(x, n):
    """x / 2^n rounded half up: floor((x + 2^(n-1)) / 2^n), and x for n = 0. The only rounding rule."""
    if n == 0:
        return x
    return (x + (_ONE << (n - 1))) >> n


@kernel
def sat(x, bits):
    """x limited to the range of a signed number of ``bits`` bits."""
    top = (_ONE << (bits - 1)) - 1
    if x > top:
        return top
    if x < -top - 1:
        return -top - 1
    return x


@kernel
def usat(x, bits):
    """x limited to the range of an unsigned number of ``bits`` bits."""
    top = (_ONE << bits) - 1
    if x > top:
        return top
    if x < 0:
        return np.int64(0)
    return x


@kernel
def bit_length(x):
    """Bits of x >= 0: 0 for 0, else 1 + floor(log2 x); x < 2^48."""
    n = np.int64(0)
    if x >= _ONE << 32:
        x >>= 32
        n += 32
    if x >= _ONE << 16:
        x >>= 16
        n += 16
    if x >= _ONE << 8:
        x >>= 8
        n += 8
    if x >= _ONE << 4:
        x >>= 4
        n += 4
    if x >= _ONE << 2:
        x >>= 2
        n += 2
    if x >= 2:
        return n + 2
    return n + x

"""The table unit is close to the true functions, exact where it must be; the other read-only memories too."""

from __future__ import annotations

import hashlib
import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.fixed import functions as fn
from kwscore.fixed.arith import bit_length, rsh, sat, usat
from kwscore.fixed.tables import rom
from kwscore.models.melbank import mel_filterbank
from tests.fixed import datapath as slow

TABLE = rom().func


@numba.njit
def _probe(table, which, x, a, b):  # one compiled wrapper around kernels that only kernels can call
    if which == 0:
        return fn.log2(table, x), 0
    if which == 1:
        return fn.exp2(table, x, a, b), 0
    if which == 2:
        return fn.sigmoid(table, x), 0
    if which == 3:
        return fn.softplus(table, x), 0
    if which == 4:
        return fn.reciprocal(table, x)
    if which == 5:
        return rsh(x, a), 0
    if which == 6:
        return sat(x, a), usat(x, a)
    return bit_length(x), 0


def probe(which: int, x: int, a: int = 0, b: int = 0) -> tuple[int, int]:
    first, second = _probe(TABLE, which, np.int64(x), np.int64(a), np.int64(b))
    return int(first), int(second)


@given(st.integers(0, 2**40 - 1))
def test_log2(x: int) -> None:
    got = probe(0, x)[0]
    assert got == slow.log2(x)
    if x:
        assert abs(got / 65536 - math.log2(x)) < 3e-5


@given(st.integers(-60 * 65536, 60 * 65536), st.integers(0, 24), st.integers(16, 32))
def test_exp2(x: int, fraction: int, bits: int) -> None:
    got = probe(1, x, fraction, bits)[0]
    assert got == slow.exp2(x, fraction, bits)
    true = 2.0 ** (x / 65536 + fraction)
    assert abs(got - min(true, 2.0**bits - 1)) <= 0.51 + 2e-5 * min(true, 2.0**bits)


@given(st.integers(-(2**24), 2**24))
def test_sigmoid_and_softplus(x: int) -> None:
    true = x / 4096
    s, p = probe(2, x)[0], probe(3, x)[0]
    assert s == slow.sigmoid(x)
    assert p == slow.softplus(x)
    assert abs(s / 65536 - 1 / (1 + math.exp(min(-true, 700)))) < 7e-5
    assert abs(p / 65536 - (math.log1p(math.exp(-abs(true))) + max(true, 0.0))) < 1.5e-4


@given(st.integers(-(2**48), 2**48), st.integers(0, 40))
def test_rounding_is_half_up(x: int, n: int) -> None:
    assert probe(5, x, n)[0] == slow.shift(x, n) == math.floor((x + (2**n // 2)) / 2**n if n < 4 else x / 2**n + 0.5)


@given(st.integers(-(2**60), 2**60), st.integers(2, 48))
def test_saturation(x: int, bits: int) -> None:
    assert probe(6, x, bits) == (slow.clamp(x, bits), slow.uclamp(x, bits))


@given(st.integers(0, 2**48 - 1))
def test_bit_length(x: int) -> None:
    assert probe(7, x)[0] == x.bit_length()


@given(st.integers(1, 65535))
def test_reciprocal(n: int) -> None:
    mantissa, e = probe(4, n)
    assert (mantissa, e) == slow.reciprocal(n)
    assert 65536 <= mantissa < 131072
    assert abs(mantissa / 2 ** (16 + e) * n - 1) < 4e-5
    if n & (n - 1) == 0:
        assert mantissa * n == 2 ** (16 + e)


@given(st.integers(-(2**41), 2**41 - 1), st.integers(-(2**17), 2**17 - 1), st.integers(17, 40))
def test_two_passes_are_the_rounded_product(v: int, c: int, n: int) -> None:
    assert slow.wide_mul(v, c, n) == slow.shift(v * c, n)


def test_functions_never_decrease() -> None:
    x = range(-70000, 70000, 7)
    for which in (2, 3):
        values = [probe(which, v)[0] for v in x]
        assert values == sorted(values)
    assert probe(2, 0)[0] == 32768
    assert probe(2, 10**7)[0] == 65536
    assert probe(2, -(10**7))[0] == 0
    logs = [probe(0, v)[0] for v in range(1, 5000)]
    assert logs == sorted(logs)


def test_field_widths() -> None:
    table = rom()
    assert table.func[..., 0].min() >= 0
    assert table.func[..., 0].max() <= 65536
    assert np.abs(table.func[..., 1]).max() < 4096
    assert table.window.max() == 65536
    assert np.abs(table.twiddle).max() == 65536


def test_window_twiddles_and_mel_are_the_published_ones() -> None:
    table = rom()
    k = np.arange(512)
    assert np.abs(table.window / 65536 - (0.5 - 0.5 * np.cos(2 * np.pi * k / 512))).max() <= 2**-17 + 1e-12
    turn = np.exp(-2j * np.pi * k[:256] / 512)
    assert np.abs(table.twiddle / 65536 - [turn.real, turn.imag]).max() <= 2**-17 + 1e-12
    dense = np.zeros((40, 257))
    for m in range(40):
        first = table.mel_start[m]
        dense[m, first : first + table.mel_count[m]] = table.mel_weight[m, : table.mel_count[m]] / 65536
    assert np.abs(dense - mel_filterbank()).max() <= 2**-17 + 1e-7
    assert np.count_nonzero(table.mel_weight) == 454


def test_the_read_only_memories_never_change_unnoticed() -> None:
    """A changed table is another datapath: the RTL's copies and this hash must change with it."""
    digest = hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in rom()))
    assert digest.hexdigest()[:16] == "f09bacd8a3126998"
    with pytest.raises(ValueError, match="read-only"):
        rom().func[0, 0, 0] = 1

"""Arithmetic of the oracle: Python integers, every operand checked against the width that it has on the chip."""

from __future__ import annotations

from kwscore.fixed.tables import rom

_FUNC = rom().func.tolist()
LOG2, EXP2, SIGMOID, SOFTPLUS = range(4)


def fits(x: int, bits: int) -> int:
    """x, which must be a signed number of ``bits`` bits."""
    assert -(1 << (bits - 1)) <= x < 1 << (bits - 1), f"{x} does not fit into {bits} bits"
    return x


def mul(a: int, b: int) -> int:
    """Product on one 25 x 18 multiplier."""
    wide, narrow = (a, b) if abs(a) >= abs(b) else (b, a)
    return fits(wide, 25) * fits(narrow, 18)


def accumulate(products: list[int]) -> int:
    """Sum in a 48-bit accumulator, order of arrival."""
    total = 0
    for p in products:
        total = fits(total + p, 48)
    return total


def shift(x: int, n: int) -> int:
    """x / 2^n, rounded half up."""
    assert 0 <= n <= 48
    return (2 * x + (1 << n)) // (1 << (n + 1))


def wide_mul(v: int, c: int, n: int) -> int:
    """shift(v c, n) for v of 42 bits: two passes over the multiplier with its 17-bit shift between them."""
    assert n >= 17
    low, high = v & 0x1FFFF, fits(v, 42) >> 17
    first = fits((1 << (n - 1)) + mul(low, c), 48)
    return fits((first >> 17) + mul(high, c), 48) >> (n - 17)


def clamp(x: int, bits: int) -> int:
    """Saturate to a signed number of ``bits`` bits."""
    return min(max(x, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def uclamp(x: int, bits: int) -> int:
    """Saturate to an unsigned number of ``bits`` bits."""
    return min(max(x, 0), 2**bits - 1)


def table(which: int, u: int) -> int:
    """Table unit: 8 bits of segment, 8 bits inside it."""
    assert 0 <= u <= 65535
    base, slope = _FUNC[which][u // 256]
    return base + shift(mul(slope, u % 256), 8)


def log2(x: int) -> int:
    if x == 0:
        return -32 * 65536
    assert 0 < x < 1 << 40
    exponent = len(bin(x)) - 3
    mantissa = x * 65536 // 2**exponent - 65536
    return exponent * 65536 + table(LOG2, mantissa)


def split(x: int) -> tuple[int, int]:
    """Mantissa 65536..131071 and exponent of 2^x."""
    exponent, fraction = divmod(fits(x, 28), 65536)
    return 65536 + table(EXP2, fraction), exponent


def exp2(x: int, fraction: int, bits: int) -> int:
    mantissa, exponent = split(x)
    n = 16 - fraction - exponent
    if n >= 0:
        return uclamp(shift(mantissa, n) if n <= 18 else 0, bits)
    return uclamp(mantissa << min(-n, 48), bits)


def reciprocal(n: int) -> tuple[int, int]:
    mantissa, exponent = split(-log2(n))
    return mantissa, -exponent


def sigmoid(x: int) -> int:
    y = table(SIGMOID, min(abs(x), 65535))
    return y if x >= 0 else 65536 - y


def softplus(x: int) -> int:
    return table(SOFTPLUS, min(abs(x), 65535)) + max(x, 0) * 16

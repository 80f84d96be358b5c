"""nm_mac against plain integers: every operation, shift and saturation, extremes, rows of any length, pauses."""

import random

import cocotb
from bench import start
from cocotb.triggers import FallingEdge

from rtl.tools import isa

LATENCY = 4
IDLE = {"valid": 0, "last": 0, "f": 0, "b": 0, "shift": 0, "alu": 0, "swap": 0, "acc_neg": 0, "acc_max": 0, "sat": 0}


def number(bits):
    """A signed number of so many bits, extremes included."""
    edge = 1 << (bits - 1)
    return random.choice(
        (-edge, edge - 1, 0, -1, 1, random.randrange(-edge, edge), random.randrange(-edge, edge) >> bits // 2)
    )


def arithmetic(alu, swap, f, b):
    if alu == isa.MUL:
        wide, narrow = (b, f) if swap else (f, b)
        return wide * (((narrow & 0x3FFFF) ^ 0x20000) - 0x20000)
    return {
        isa.ADD: f + b, isa.SUB: f - b, isa.RSUB: b - f, isa.MAX: max(f, b), isa.MIN: min(f, b),
        isa.MAXABS: max(abs(f), abs(b)), isa.PASS: f,
    }[alu]  # fmt: skip


def saturated(x, code):
    kind = isa.SAT[code]
    bits = 42 if kind == "none" else int(kind[1:])
    if kind[0] == "u":
        return min(max(x, 0), 2**bits - 1)
    return min(max(x, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def row(alu, swap, neg, largest, code):
    length = random.choice((1, 1, 2, 3, 40))
    bits_f, bits_b = (42, 18) if not swap else (18, 36)
    if length > 2:  # what is summed leaves room in the accumulator
        bits_f, bits_b = (min(bits_f, 36), bits_b) if not swap else (bits_f, 34)
    elements = [(number(bits_f), number(bits_b if alu == isa.MUL else 36)) for _ in range(length)]
    shift = random.choice((0, 1, 63, random.randrange(64)))
    values = [arithmetic(alu, swap, f, b) for f, b in elements]
    total = max(values) if largest else values[0] + sum(-v if neg else v for v in values[1:])
    wanted = saturated((2 * total + (1 << shift)) >> (shift + 1), code)
    return elements, shift, wanted


@cocotb.test()
async def rows(dut):
    await start(dut, **IDLE)
    for trial in range(420):
        alu, swap, code = trial % 8, random.getrandbits(1), random.randrange(len(isa.SAT))
        neg, largest = random.choice(((0, 0), (0, 0), (1, 0), (0, 1)))
        for name, value in (("alu", alu), ("swap", swap), ("sat", code), ("acc_neg", neg), ("acc_max", largest)):
            getattr(dut, name).value = value
        wanted, got = [], []
        pending = []
        for _ in range(3):
            elements, shift, result = row(alu, swap, neg, largest, code)
            wanted.append(result)
            pending += [(f, b, shift, i == len(elements) - 1) for i, (f, b) in enumerate(elements)]
        quiet = 0
        while quiet < LATENCY + 2:
            go = bool(pending) and random.random() < 0.8
            dut.valid.value = int(go)
            if go:
                f, b, shift, last = pending.pop(0)
                dut.f.value, dut.b.value, dut.shift.value, dut.last.value = f, b, shift, int(last)
            quiet = 0 if pending else quiet + 1
            await FallingEdge(dut.clk)
            if dut.done.value == 1:
                got.append(dut.result.value.signed_integer)
        assert dut.busy.value == 0
        assert got == wanted, (alu, swap, isa.SAT[code], neg, largest, got, wanted)


@cocotb.test()
async def reset_forgets_a_row(dut):
    await start(dut, **IDLE)
    dut.alu.value = isa.ADD
    dut.f.value, dut.valid.value = 5, 1
    await FallingEdge(dut.clk)
    dut.valid.value, dut.rst.value = 0, 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    dut.f.value, dut.valid.value, dut.last.value = 7, 1, 1
    await FallingEdge(dut.clk)
    dut.valid.value = 0
    for _ in range(LATENCY):
        if dut.done.value == 1:
            break
        await FallingEdge(dut.clk)
    assert dut.done.value == 1
    assert dut.result.value.signed_integer == 7

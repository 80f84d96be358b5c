"""nm_func against the integer engine's own functions: borders of every segment, extremes, random numbers."""

import random

import cocotb
import numpy as np
from bench import start
from cocotb.triggers import FallingEdge

from rtl.tools import isa
from rtl.tools.model import function
from tests.fixed import datapath as oracle

CODES = (
    isa.ID, isa.LOG2, isa.MANT, isa.EXP, isa.SIGMA, isa.SOFTPLUS, isa.BITS, isa.NORM, isa.SPLIT, isa.ZERO,
)  # fmt: skip
LATENCY = 3


def stimulus():
    numbers = [0, 1, 2, 3, 2**40 - 1, 2**39, 2**39 - 1, 65535, 65536, 65537]
    numbers += [2**k + d for k in range(40) for d in (-1, 0, 1) if 0 <= 2**k + d < 2**40]
    numbers += [256 * i + d for i in range(0, 256, 5) for d in (0, 1, 127, 128, 255)]
    numbers += [random.getrandbits(random.randint(1, 40)) for _ in range(600)]
    unsigned = (isa.LOG2, isa.BITS, isa.NORM)
    for code in CODES:
        for x in numbers:
            yield code, x, random.getrandbits(1)
            if code not in unsigned:
                yield code, -x, random.getrandbits(1)


def small(code, x):
    """Whether the answer fits the 42 bits; softplus moves its argument by four bits."""
    return code != isa.SOFTPLUS or abs(x) < 2**36


@cocotb.test()
async def equals_the_model(dut):
    cases = [case for case in stimulus() if small(*case[:2])]
    random.shuffle(cases)
    want = [int(function(c, np.array([x]), np.array([bool(first)]))[0]) for c, x, first in cases]
    await start(dut, en=1, func=0, first=0, x=0)
    for step in range(len(cases) + LATENCY):
        if step >= LATENCY:
            got = dut.y.value.signed_integer
            assert got == want[step - LATENCY], (cases[step - LATENCY], got, want[step - LATENCY])
        if step < len(cases):
            dut.func.value, dut.x.value, dut.first.value = cases[step][0], cases[step][1], cases[step][2]
        await FallingEdge(dut.clk)


@cocotb.test()
async def model_equals_the_oracle(dut):
    """The model that the unit was compared with is the integer engine's second definition."""
    await start(dut, en=1, func=0, first=0, x=0)
    first = np.array([True])
    for _ in range(3000):
        x = random.getrandbits(random.randint(1, 40))
        signed = x % 2**27 - 2**26
        assert function(isa.LOG2, np.array([x]), first)[0] == oracle.log2(x)
        assert function(isa.MANT, np.array([signed]), first)[0] == oracle.split(signed)[0]
        assert function(isa.SIGMA, np.array([signed >> 4]), first)[0] == oracle.sigmoid(signed >> 4)
        assert function(isa.SOFTPLUS, np.array([signed >> 4]), first)[0] == oracle.softplus(signed >> 4)

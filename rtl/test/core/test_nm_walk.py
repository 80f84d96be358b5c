"""nm_walk: addresses of nested loops with any strides, with pauses."""

import random

import cocotb
from bench import start
from cocotb.triggers import FallingEdge

MASK = (1 << 13) - 1


@cocotb.test()
async def loops(dut):
    await start(dut, load=0, base=0, step=0, row_end=0, stride=0, jump=0)
    for _ in range(60):
        base, stride, jump = (random.getrandbits(13) for _ in range(3))
        inner, outer = random.randint(1, 6), random.randint(1, 6)
        dut.base.value, dut.stride.value, dut.jump.value, dut.load.value = base, stride, jump, 1
        await FallingEdge(dut.clk)
        dut.load.value = 0
        want = base
        for _ in range(outer):
            for i in range(inner):
                while random.random() < 0.2:
                    dut.step.value = 0
                    await FallingEdge(dut.clk)
                assert dut.addr.value.integer == want & MASK
                dut.step.value, dut.row_end.value = 1, int(i == inner - 1)
                await FallingEdge(dut.clk)
                want += jump if i == inner - 1 else stride
        dut.step.value = 0

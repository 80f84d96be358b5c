"""nm_seq on the real program: order, loop counts, conditions, waiting for the pipeline, reset in the middle."""

import random

import cocotb
from bench import start
from cocotb.triggers import FallingEdge

from rtl.tools import isa
from rtl.tools.generate import TINY
from rtl.tools.program import Builder


async def follow(dut, code, pc, flags, limit):
    """Run until idle or ``limit`` instructions; returns what was executed with its issues, rows and elements."""
    seen = []
    busy_for = 0
    for _ in range(200_000):
        if dut.idle.value == 1 or len(seen) > limit:
            break
        if dut.issue.value == 1:
            now = dut.pc.value.integer
            if not seen or seen[-1][0] != now:
                seen.append([now, 0, 0, 0])
            seen[-1][1] += 1
            seen[-1][2] += dut.first.value.integer
            seen[-1][3] += dut.last.value.integer
            busy_for = random.randint(0, 12)
        dut.pipe_busy.value = int(busy_for > 0)
        busy_for -= busy_for > 0
        await FallingEdge(dut.clk)
    return seen


def expected(code, pc, flag):
    out = []
    while True:
        op = code[pc]
        if op.cond == isa.ALWAYS or (op.cond == isa.IF_NEGATIVE) == bool(flag):
            elements = op.inner * op.outer
            out.append([pc, elements, op.outer, elements if op.each else op.outer])
        if op.stop:
            return out
        pc += 1


async def begin(dut, entry):
    dut.start.value, dut.entry.value = 1, entry
    await FallingEdge(dut.clk)
    dut.start.value = 0


@cocotb.test()
async def first_instructions_of_a_frame(dut):
    builder = Builder(TINY)
    await start(dut, start=0, entry=0, pipe_busy=0, flag=0)
    for flag in (0, 1):
        dut.flag.value = flag
        entry = builder.entries["FRAME"]
        await begin(dut, entry)
        seen = await follow(dut, builder.code, entry, flag, 24)
        assert seen[:-1] == expected(builder.code, entry, flag)[: len(seen) - 1]
        assert len(seen) > 20
        dut.rst.value = 1
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        assert dut.idle.value == 1


@cocotb.test()
async def init_runs_to_its_end(dut):
    builder = Builder(TINY)
    await start(dut, start=0, entry=0, pipe_busy=0, flag=0)
    await begin(dut, builder.entries["INIT"])
    seen = await follow(dut, builder.code, 0, 0, 1000)
    assert dut.idle.value == 1
    assert seen == expected(builder.code, builder.entries["INIT"], 0)

"""crc16 against the protocol's own."""

import random

import cocotb
from bench import payload, start, strobe
from cocotb.triggers import FallingEdge

from kwscore.board.framing import crc16


@cocotb.test()
async def matches_the_protocol(dut):
    await start(dut, clear=0, en=0, data=0)
    for data in (b"", b"123456789", *(payload(random.randint(1, 60)) for _ in range(30))):
        await strobe(dut, "clear", [({}, 0)])
        await strobe(dut, "en", [({"data": byte}, random.choice((0, 0, 2))) for byte in data])
        assert dut.crc.value.integer == crc16(data), data


@cocotb.test()
async def clear_wins_over_a_byte(dut):
    await start(dut, clear=1, en=1, data=0x55)
    await FallingEdge(dut.clk)
    assert dut.crc.value.integer == 0xFFFF

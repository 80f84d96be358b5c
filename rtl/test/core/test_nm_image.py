"""nm_image: bytes in by port B, words out by port A, bytes back; the literals are there from the start."""

import random

import cocotb
from bench import start
from cocotb.triggers import FallingEdge

from rtl.tools.generate import TINY
from rtl.tools.isa import IMAGE_BYTES, LITERAL_BYTE
from rtl.tools.program import Builder


@cocotb.test()
async def bytes_and_words(dut):
    await start(dut, a_en=1, a_addr=0, b_en=1, b_we=0, b_addr=0, b_wdata=0)
    for i, literal in enumerate(Builder(TINY).literals):
        dut.a_addr.value = LITERAL_BYTE // 4 + i
        await FallingEdge(dut.clk)
        assert dut.a_data.value.signed_integer == literal
    memory = bytearray(IMAGE_BYTES)
    places = random.sample(range(LITERAL_BYTE // 4), 200)
    for place in places:
        for byte in random.sample(range(4), 4):
            at, value = 4 * place + byte, random.getrandbits(8)
            dut.b_we.value, dut.b_addr.value, dut.b_wdata.value = 1, at, value
            memory[at] = value
            await FallingEdge(dut.clk)
    dut.b_we.value = 0
    for place in places:
        at = 4 * place + random.randrange(4)
        dut.a_addr.value, dut.b_addr.value = place, at
        await FallingEdge(dut.clk)
        assert dut.a_data.value.integer == int.from_bytes(memory[4 * place : 4 * place + 4], "little")
        assert dut.b_data.value.integer == memory[at]

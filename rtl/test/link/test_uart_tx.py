"""uart_tx: bits of the right length in the right order, bytes back to back, rates changed while idle."""

import random

import cocotb
from bench import cycles, feed, start
from cocotb.triggers import FallingEdge


async def receive(dut, divisor, count):
    """Sample each clock; every bit must last exactly ``divisor`` clocks."""
    out = []
    while len(out) < count:
        while dut.txd.value == 1:
            await FallingEdge(dut.clk)
        bits = []
        for _ in range(10):
            samples = set()
            for _ in range(divisor):
                samples.add(int(dut.txd.value))
                await FallingEdge(dut.clk)
            assert len(samples) == 1, "a bit changes half way"
            bits.append(samples.pop())
        assert (bits[0], bits[9]) == (0, 1)
        out.append(sum(bit << i for i, bit in enumerate(bits[1:9])))
    return out


@cocotb.test()
async def bytes_at_several_rates(dut):
    await start(dut, divisor=4, s_valid=0, s_data=0)
    for divisor in (4, 5, 25, 50):
        assert dut.idle.value == 1
        dut.divisor.value = divisor
        data = [0, 255, 0x55, 0xAA, *random.randbytes(12)]
        for pause in (0.0, 0.9):
            task = cocotb.start_soon(receive(dut, divisor, len(data)))
            await feed(dut, [{"data": byte} for byte in data], pause=pause)
            assert await task == data
        await cycles(dut, 2)


@cocotb.test()
async def the_line_rests_high(dut):
    await start(dut, divisor=4, s_valid=0, s_data=0)
    for _ in range(50):
        await FallingEdge(dut.clk)
        assert dut.txd.value == 1
        assert dut.s_ready.value == 1

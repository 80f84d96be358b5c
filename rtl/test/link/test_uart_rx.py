"""uart_rx: every byte at every rate and at 2 % wrong rates, spikes, missing stop bits, breaks."""

import random

import cocotb
from bench import Watch, cycles, start


async def send_byte(dut, byte, period, stop=1):
    """``period`` clocks per bit, may be a fraction."""
    line = [0, *((byte >> i) & 1 for i in range(8)), stop]
    done = 0
    for number, bit in enumerate(line, 1):
        dut.rxd.value = bit
        until = round(number * period)
        await cycles(dut, until - done)
        done = until


async def bench(dut, divisor):
    await start(dut, rxd=1, divisor=divisor)
    watch = [
        Watch(dut, "m_valid", lambda: dut.m_data.value.integer),
        Watch(dut, "framing_error"),
        Watch(dut, "line_break"),
    ]
    await cycles(dut, 2 * divisor)
    return watch


@cocotb.test()
async def every_byte(dut):
    got, errors, breaks = await bench(dut, 4)
    data = [*range(256), *random.randbytes(50)]
    for byte in data:
        await send_byte(dut, byte, 4)
        await cycles(dut, random.choice((0, 0, 0, 3, 20)))
    await cycles(dut, 20)
    assert got.got == data
    assert not errors.got
    assert not breaks.got


@cocotb.test()
async def rates_and_their_errors(dut):
    got, errors, _ = await bench(dut, 8)
    for divisor in (5, 25, 50, 54):
        for error in (-0.02, 0.0, 0.02):
            dut.divisor.value = divisor
            await cycles(dut, 3)
            got.got.clear()
            data = list(random.randbytes(12))
            for byte in data:
                await send_byte(dut, byte, divisor * (1 + error))
            dut.rxd.value = 1
            await cycles(dut, 2 * divisor)
            assert got.got == data, (divisor, error)
    assert not errors.got


@cocotb.test()
async def a_spike_is_no_byte(dut):
    got, errors, breaks = await bench(dut, 16)
    for length in (1, 3, 5):
        dut.rxd.value = 0
        await cycles(dut, length)
        dut.rxd.value = 1
        await cycles(dut, 200)
    assert (got.got, errors.got, breaks.got) == ([], [], [])
    await send_byte(dut, 0xA5, 16)
    await cycles(dut, 20)
    assert got.got == [0xA5]


@cocotb.test()
async def a_missing_stop_bit_drops_the_byte(dut):
    got, errors, breaks = await bench(dut, 8)
    for byte in (0x00, 0x5A, 0xFF):
        await send_byte(dut, byte, 8, stop=0)
        dut.rxd.value = 1
        await cycles(dut, 16)
        await send_byte(dut, 0x42, 8)
        await cycles(dut, 16)
    assert got.got == [0x42] * 3
    assert len(errors.got) == 3
    assert not breaks.got


@cocotb.test()
async def a_break_strobes_once(dut):
    got, errors, breaks = await bench(dut, 8)
    for _ in range(2):
        dut.rxd.value = 0
        await cycles(dut, 8 * 40)
        dut.rxd.value = 1
        await cycles(dut, 16)
    await send_byte(dut, 0x42, 8)
    await cycles(dut, 16)
    assert got.got == [0x42]
    assert len(errors.got) == len(breaks.got) == 2


@cocotb.test()
async def a_slow_zero_is_a_break(dut):
    _, _, breaks = await bench(dut, 8)
    await send_byte(dut, 0x00, 70)
    await cycles(dut, 100)
    assert len(breaks.got) == 1

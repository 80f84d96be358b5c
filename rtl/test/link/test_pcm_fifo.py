"""pcm_fifo: hops come out as they went in, lost ones as zeros, never more than fit."""

import random

import cocotb
from bench import Sink, cycles, start, strobe

HOP = 160


def reader(dut):
    names = ("m_data", "m_first", "m_index", "m_zero")
    return lambda: tuple(getattr(dut, name).value.integer for name in names)


def expected(hop):
    index, zero, samples = hop
    return [(0 if zero else sample, int(at == 0), index, zero) for at, sample in enumerate(samples)]


async def put(dut, hop):
    index, zero, samples = hop
    if not zero:
        await strobe(dut, "w_en", [({"w_data": sample}, 0) for sample in samples])
    await strobe(dut, "push", [({"push_index": index, "push_zero": zero}, 0)])


def some_hop(number):
    zero = int(random.random() < 0.3)
    return (number * HOP) % 2**32, zero, [random.randrange(65536) for _ in range(HOP)]


async def bench(dut, pause):
    await start(dut, flush=0, w_en=0, w_data=0, push=0, push_zero=0, push_index=0, m_ready=0)
    return Sink(dut, reader(dut), pause=pause)


@cocotb.test()
async def hops_in_order(dut):
    sink = await bench(dut, 0.4)
    hops = [some_hop(2**32 // HOP - 2 + number) for number in range(14)]
    for hop in hops:
        while not (dut.room.value and dut.free.value.integer):
            await cycles(dut, 1)
        await put(dut, hop)
    got = await sink.wait(14 * HOP)
    assert got == [word for hop in hops for word in expected(hop)]
    await cycles(dut, 5)
    assert len(sink.got) == 14 * HOP
    assert dut.free.value.integer == 16


@cocotb.test()
async def six_hops_fit_and_descriptors_are_counted(dut):
    sink = await bench(dut, 1.0)
    stored = 0
    while dut.room.value:
        await put(dut, (stored * HOP, 0, [stored] * HOP))
        stored += 1
        await cycles(dut, 2)
    assert stored == 6
    # The reader holds one descriptor already.
    assert dut.free.value.integer == 16 - 6 + 1
    for number in range(11):
        await put(dut, (number, 1, []))
    await cycles(dut, 2)
    assert dut.free.value.integer == 0
    sink.pause = 0.0
    got = await sink.wait(17 * HOP)
    assert [word[0] for word in got[::HOP]] == [0, 1, 2, 3, 4, 5] + [0] * 11


@cocotb.test()
async def flush_empties(dut):
    sink = await bench(dut, 0.5)
    for number in range(3):
        await put(dut, some_hop(number))
    await sink.wait(50)
    await strobe(dut, "flush", [({}, 0)])
    sink.got.clear()
    hop = (7, 0, list(range(HOP)))
    await put(dut, hop)
    assert await sink.wait(HOP) == expected(hop)

"""cobs_encoder against the cobs package, with back-pressure on both sides."""

import random

import cocotb
from bench import Sink, cycles, feed, payload, start
from cobs import cobs


@cocotb.test()
async def frames(dut):
    await start(dut, s_valid=0, s_data=0, s_last=0, m_ready=0)
    sink = Sink(dut, lambda: dut.m_data.value.integer)
    sent = [b"\0", b"\1", b"\0\0", b"\1\0", b"\0\1", b"\1" * 253, b"\1" * 254, b"\1" * 255, b"\1" * 508, b"\1" * 509]
    sent += [b"\1" * 254 + b"\0", b"\1" * 253 + b"\0", b"\1" * 254 + b"\0\0", b"\0" * 300]
    sent += [payload(random.randint(1, 600)) for _ in range(20)]
    expected = b"".join(cobs.encode(data) + b"\0" for data in sent)
    for data in sent:
        sink.pause = random.choice((0.0, 0.3, 0.8))
        items = [{"data": byte, "last": int(at == len(data) - 1)} for at, byte in enumerate(data)]
        await feed(dut, items, pause=random.choice((0.0, 0.3, 0.8)))
    sink.pause = 0.1
    assert bytes(await sink.wait(len(expected))) == expected
    await cycles(dut, 5)
    assert len(sink.got) == len(expected)
    assert dut.idle.value == 1

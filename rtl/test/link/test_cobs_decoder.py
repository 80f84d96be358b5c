"""cobs_decoder against the cobs package, with gaps, garbage and flushes."""

import random

import cocotb
from bench import Watch, cycles, payload, start, strobe
from cobs import cobs


class Stretches:
    """What the decoder makes of the bytes: one (bytes, ok) for each delimiter that ended something."""

    def __init__(self, dut):
        self._dut = dut
        self._bytes = Watch(dut, "m_valid", lambda: dut.m_data.value.integer)
        self.got = []
        self._ends = Watch(dut, "m_end", self._end)

    def _end(self):
        self.got.append((bytes(self._bytes.got), dut_ok(self._dut)))
        self._bytes.got.clear()


def dut_ok(dut):
    return bool(dut.m_ok.value)


async def send(dut, data):
    await strobe(dut, "s_valid", [({"s_data": byte}, random.choice((0, 0, 0, 1, 5))) for byte in data])
    await cycles(dut, 2)


@cocotb.test()
async def frames(dut):
    await start(dut, flush=0, s_valid=0, s_data=0)
    seen = Stretches(dut)
    sent = [b"\0", b"\0\0", bytes(254), b"\1" * 254, b"\1" * 255, b"\1" * 254 + b"\0", b"\1" * 508]
    sent += [payload(random.randint(1, 400)) for _ in range(30)]
    for data in sent:
        await send(dut, b"\0" * random.randint(0, 2) + cobs.encode(data) + b"\0")
    assert seen.got == [(data, True) for data in sent]


@cocotb.test()
async def in_step_after_garbage(dut):
    await start(dut, flush=0, s_valid=0, s_data=0)
    seen = Stretches(dut)
    for _ in range(30):
        garbage = bytes(byte or 1 for byte in payload(random.randint(1, 300)))
        try:
            expected = [(cobs.decode(garbage), True)]
        except cobs.DecodeError:
            expected = None
        seen.got.clear()
        await send(dut, garbage + b"\0")
        assert (seen.got == expected) if expected else [ok for _, ok in seen.got] == [False], garbage
        seen.got.clear()
        good = payload(40)
        await send(dut, cobs.encode(good) + b"\0")
        assert seen.got == [(good, True)]


@cocotb.test()
async def flush_forgets(dut):
    await start(dut, flush=0, s_valid=0, s_data=0)
    seen = Stretches(dut)
    await send(dut, b"\x09abc")
    await strobe(dut, "flush", [({}, 2)])
    seen._bytes.got.clear()
    await send(dut, b"\0" + cobs.encode(b"xyz") + b"\0")
    assert seen.got == [(b"xyz", True)], "a flushed stretch is no bad one"

"""link_rx against the protocol's decoder: intact and damaged frames, two slots, overrun."""

import random

import cocotb
from bench import Watch, cycles, payload, start, strobe

from kwscore.board.framing import Frame, crc16


def raw(frame, length=None):
    """A frame before COBS; ``length`` makes its length field lie."""
    body = bytes([frame.version, frame.type]) + frame.seq.to_bytes(2, "little")
    body += (len(frame.payload) if length is None else length).to_bytes(2, "little") + frame.payload
    return body + crc16(body).to_bytes(2, "little")


def some_frame(longest=60):
    return Frame(
        random.randrange(256), random.randrange(65536), payload(random.randint(0, longest)), random.randrange(3)
    )


async def bench(dut):
    await start(dut, flush=0, s_valid=0, s_data=0, s_end=0, s_ok=1, frame_done=0, rd_addr=0)
    return Watch(dut, "good"), Watch(dut, "bad"), Watch(dut, "overrun")


async def send(dut, data, ok=1):
    await strobe(dut, "s_valid", [({"s_data": byte}, random.choice((0, 0, 2))) for byte in data])
    await strobe(dut, "s_end", [({"s_ok": ok}, 2)])


async def shown(dut):
    """The frame presented, read through the port; then done."""
    assert dut.frame_valid.value == 1
    data = bytearray()
    length = dut.frame_len.value.integer
    for address in range(length):
        dut.rd_addr.value = address
        await cycles(dut, 1)
        data.append(dut.rd_data.value.integer)
    version, kind = dut.frame_version.value.integer, dut.frame_type.value.integer
    frame = Frame(kind, dut.frame_seq.value.integer, bytes(data), version)
    await strobe(dut, "frame_done", [({}, 1)])
    return frame


@cocotb.test()
async def intact_frames(dut):
    good, bad, overrun = await bench(dut)
    frames = [some_frame() for _ in range(20)] + [Frame(3, 9, payload(1024))]
    for frame in frames:
        await send(dut, raw(frame))
        assert await shown(dut) == frame
        assert dut.frame_valid.value == 0
    assert len(good.got) == len(frames)
    assert not bad.got
    assert not overrun.got


@cocotb.test()
async def damaged_frames_are_counted_and_not_shown(dut):
    good, bad, _ = await bench(dut)
    for number in range(25):
        data = bytearray(raw(some_frame()))
        ok = 1
        match number % 5:
            case 0:
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            case 1:
                del data[random.randrange(len(data))]
            case 2:
                data.insert(0, data[0] ^ 1)
            case 3:
                ok = 0
            case 4:
                data = data[: random.randrange(8)]
        await send(dut, data, ok)
        assert dut.frame_valid.value == 0
    await send(dut, raw(Frame(1, 1, b"abc"), length=4))
    await send(dut, raw(Frame(1, 1, bytes(1025))))
    await send(dut, b"")
    assert dut.frame_valid.value == 0
    assert len(bad.got) == 28
    assert not good.got
    frame = some_frame()
    await send(dut, raw(frame))
    assert await shown(dut) == frame


@cocotb.test()
async def two_slots(dut):
    good, _, overrun = await bench(dut)
    frames = [some_frame() for _ in range(4)]
    for frame in frames[:3]:
        await send(dut, raw(frame))
    assert len(overrun.got) == 1
    assert len(good.got) == 3
    assert await shown(dut) == frames[0]
    await send(dut, raw(frames[3]))
    assert await shown(dut) == frames[1]
    assert await shown(dut) == frames[3]
    assert dut.frame_valid.value == 0


@cocotb.test()
async def flush_forgets_the_frame_under_way_only(dut):
    _, bad, _ = await bench(dut)
    first, second = some_frame(), some_frame()
    await send(dut, raw(first))
    await strobe(dut, "s_valid", [({"s_data": 7}, 0)] * 20)
    await strobe(dut, "flush", [({}, 2)])
    await send(dut, raw(second))
    assert await shown(dut) == first
    assert await shown(dut) == second
    assert not bad.got

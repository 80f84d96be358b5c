"""nm_link against kwscore/board/device.py: the same bytes in, the same messages out."""

import binascii
import random
import struct

import cocotb
import numpy as np
from bench import cycles, start, strobe
from core_model import HardwareCore, Recorder, ReferenceCore, play

from kwscore.board import protocol as p
from kwscore.board.device import Device
from kwscore.board.framing import Frame, FrameDecoder, encode

HOP = 160
NOW = 0.0


class Bench:
    """The hardware and the reference side by side."""

    def __init__(self, dut):
        self.dut = dut
        self.core = HardwareCore(dut)
        self.reference = ReferenceCore(features=True)
        self.device = Device(self.reference)
        self.sent = Recorder(dut, "tx")
        self.seq = 0
        self._expected, self._results = [], []

    async def send(self, wire, gap=10):
        """Bytes to both; what the reference answers is expected of the hardware too."""
        answers = FrameDecoder().feed(self.device.receive(wire, NOW))
        self._expected += [frame for frame in answers if frame.type != p.Type.RESULT]
        self._results += [frame for frame in answers if frame.type == p.Type.RESULT]
        # No slower than the fastest line: 40 clocks per byte.
        await play(self.dut, "host", wire, gap=gap)

    async def message(self, message, settle=True):
        self.seq = (self.seq + 1) & 0xFFFF
        await self.send(p.to_wire(message, self.seq))
        if settle:
            await self.settle()

    async def settle(self, limit=100_000):
        """Wait for everything expected, compare, and see that nothing else comes."""
        count = len(self._expected) + len(self._results)
        decoder = FrameDecoder()
        frames = []
        for _ in range(limit // 50):
            frames += decoder.feed(bytes(self.sent.take()))
            if len(frames) >= count:
                break
            await cycles(self.dut, 50)
        await cycles(self.dut, 200)
        frames += decoder.feed(bytes(self.sent.take()))
        assert decoder.errors == 0
        got = [f for f in frames if f.type != p.Type.RESULT], [f for f in frames if f.type == p.Type.RESULT]
        for mine, theirs in zip(got, (self._expected, self._results), strict=True):
            assert mine == theirs, f"\n{readable(mine)}\ninstead of\n{readable(theirs)}"
        self._expected, self._results = [], []
        return frames


def readable(frames):
    return "\n".join(f"{p.Type(f.type).name} {f.seq} {p.parse_answer(f)}" for f in frames)


async def bench(dut):
    players = {"host_start": 0, "host_count": 0, "host_gap": 0, "body_start": 0, "body_count": 0, "body_pause": 0}
    line = {"rx_framing_error": 0, "rx_break": 0, "tx_idle": 1}
    pauses = {"tx_pause": 10, "pcm_pause": 60, "feat_pause": 120}
    await start(dut, **HardwareCore.INPUTS, **players, **line, **pauses)
    return Bench(dut)


IMAGE = random.Random(5).randbytes(600)


async def load(b, image=IMAGE, model_id=0x1234ABCD, crc=None):
    for offset in range(0, len(image), p.WEIGHT_BLOCK):
        await b.message(p.LoadWeights(offset, image[offset : offset + p.WEIGHT_BLOCK]))
    await b.message(p.Commit(len(image), binascii.crc32(image) if crc is None else crc, model_id))


def pcm(index):
    return p.PcmFrame(index % 2**32, np.random.default_rng(index).integers(-32768, 32768, HOP).astype("<i2").tobytes())


@cocotb.test()
async def hello_info_and_statistics(dut):
    b = await bench(dut)
    await b.message(p.Hello())
    assert dut.weights_valid.value == 0
    await b.message(p.GetStats())
    await load(b)
    assert dut.weights_valid.value == 1
    assert b.core.weights(0, len(IMAGE)) == IMAGE
    await b.message(p.Hello())
    await b.message(p.GetStats())


@cocotb.test()
async def audio_becomes_results(dut):
    b = await bench(dut)
    await load(b)
    for mode in (p.SetMode(), p.SetMode(3, p.Mask.LOGITS | p.Mask.SNR), p.SetMode(2, p.Mask.COUNTERS)):
        await b.message(mode)
        await b.message(p.Reset())
        for hop in range(7):
            await b.message(pcm(hop * HOP), settle=False)
        await b.settle()
    await b.message(p.GetStats())


@cocotb.test()
async def gaps(dut):
    b = await bench(dut)
    await load(b)
    await b.message(p.SetMode(1, p.Mask.LOGITS))
    for hop in (0, 1, 3, 4, 7, 11):  # 1, 2 and 3 hops missing
        await b.message(pcm(hop * HOP))
    await b.message(pcm(16 * HOP))  # 4: too many
    await b.message(p.Hello())  # halted
    await b.message(pcm(12 * HOP))  # taken in silence
    await b.message(p.Reset())
    for index in (0, HOP, HOP):  # doubled
        await b.message(pcm(index))
    await b.message(p.Reset())
    await b.message(pcm(5))  # no multiple of the hop
    await b.message(p.GetStats())


@cocotb.test()
async def damaged_bytes(dut):
    b = await bench(dut)
    await load(b)
    await b.message(p.SetMode(1, p.Mask.LOGITS | p.Mask.COUNTERS))
    index = 0
    for number in range(12):
        wire = bytearray(p.to_wire(pcm(index), number))
        at = random.randrange(1, len(wire) - 1)
        match number % 4:
            case 1:
                del wire[at]
            case 2:
                wire.insert(at, wire[at])
            case 3:
                wire[at] ^= 1 << random.randrange(8)
        await b.send(bytes(wire))
        await b.settle()
        index += HOP
    await b.send(random.randbytes(500) + b"\0")
    await b.send(b"\0\0\0" + p.to_wire(p.GetStats(), 7))
    await b.settle()


@cocotb.test()
async def refusals(dut):
    b = await bench(dut)
    await b.message(pcm(0))
    await b.message(p.FeatFrame(0, bytes(160)))
    await load(b, crc=1)
    await load(b, model_id=0)
    b.reference.accept = False
    dut.w_accept.value = 0
    await load(b)
    await b.message(p.Commit(0, 0, 1))
    await b.message(p.Commit(16385, 0, 1))
    await b.message(p.LoadWeights(16384 - 3, b"1234"))
    await b.message(p.LoadWeights(2**32 - 2, b"1234"))
    await b.message(p.LoadWeights(16384 - 4, b"1234"))
    assert b.core.weights(16380, 16384) == b"1234"
    bad = [
        (p.Type.HELLO, b"abc"),
        (p.Type.HELLO, b"KWSX\1\1"),
        (p.Type.RESET, b"\3"),
        (p.Type.RESET, b""),
        (p.Type.RESET, b"\0\0"),
        (p.Type.LOAD_WEIGHTS, bytes(4)),
        (p.Type.LOAD_WEIGHTS, bytes(4 + p.WEIGHT_BLOCK + 1)),
        (p.Type.COMMIT, bytes(11)),
        (p.Type.SET_BAUD, struct.pack("<H", 3)),
        (p.Type.SET_BAUD, struct.pack("<H", 4096)),
        (p.Type.SET_BAUD, b"\1"),
        (p.Type.SET_MODE, struct.pack("<BxH", 0, 1)),
        (p.Type.SET_MODE, struct.pack("<BxH", 1, 0x80)),
        (p.Type.SET_MODE, b"\1\0\1"),
        (p.Type.PCM_FRAME, bytes(323)),
        (p.Type.FEAT_FRAME, bytes(163)),
        (p.Type.GET_STATS, b"\0"),
        (p.Type.INFO, bytes(42)),
        (0x7F, b""),
        (0, bytes(1024)),
    ]
    for kind, payload in bad:
        await b.send(encode(Frame(kind, 99, payload)))
        await b.settle()
    await b.send(encode(Frame(p.Type.GET_STATS, 5, b"", version=2)))
    await b.send(encode(Frame(p.Type.HELLO, 6, p.Hello().pack(), version=2)), gap=40)
    await b.settle()


@cocotb.test()
async def resets(dut):
    b = await bench(dut)
    await load(b)
    for level in p.Level:
        await b.message(p.SetMode(2, p.Mask.LOGITS))
        for hop in range(4):
            await b.message(pcm(hop * HOP), settle=hop == 3)
        await b.message(p.Reset(level))
        await b.message(p.Hello())
        await b.message(p.GetStats())
        await b.message(pcm(0))
        if level != p.Level.STREAM:
            await load(b)


@cocotb.test()
async def a_reset_never_cuts_a_frame(dut):
    b = await bench(dut)
    await load(b)
    dut.tx_pause.value = 235  # results are still on their way when RESET comes
    for _ in range(4):
        for hop in range(5):
            await b.message(pcm(hop * HOP), settle=False)
        b.seq += 1
        await play(dut, "host", p.to_wire(p.Reset(), b.seq), gap=10)
        await cycles(dut, 40_000)
        decoder = FrameDecoder()
        frames = decoder.feed(bytes(b.sent.take()))
        assert decoder.errors == 0
        assert frames[-1].type == p.Type.ACK
        results = [p.parse_answer(frame) for frame in frames[:-1]]
        assert [r.index for r in results] == [hop * HOP for hop in range(len(results))]
        b.device.receive(p.to_wire(p.Reset(), b.seq), NOW)
        b._results.clear()
    dut.tx_pause.value = 0
    for hop in range(5):
        await b.message(pcm(hop * HOP))


@cocotb.test()
async def features(dut):
    b = await bench(dut)
    await load(b)
    await b.message(p.SetMode(4, p.Mask.LOGITS))
    for index in range(3):
        await b.message(p.FeatFrame(index, random.randbytes(160)))
        await b.message(pcm(index * HOP))


@cocotb.test()
async def more_than_the_credit_overruns_and_is_bridged(dut):
    b = await bench(dut)
    await load(b)
    dut.pcm_pause.value = 256  # the core takes nothing
    for hop in range(8):
        await play(dut, "host", p.to_wire(pcm(hop * HOP), hop), gap=3)
    dut.pcm_pause.value = 0
    decoder, frames = FrameDecoder(), []
    while len(frames) < 6:
        await cycles(dut, 2000)
        frames += decoder.feed(bytes(b.sent.take()))
    await play(dut, "host", p.to_wire(pcm(8 * HOP), 9), gap=3)
    late = []
    while len(late) < 3:
        await cycles(dut, 2000)
        late += [p.parse_answer(frame) for frame in decoder.feed(bytes(b.sent.take()))]
    assert [r.index // HOP for r in late] == [6, 7, 8]
    assert [bool(r.flags & p.Flag.FILLED) for r in late] == [True, True, False]
    await play(dut, "host", p.to_wire(p.GetStats(), 10), gap=3)
    await cycles(dut, 3000)
    (stats,) = (p.parse_answer(frame) for frame in FrameDecoder().feed(bytes(b.sent.take())))
    assert (stats.overruns, stats.gaps, stats.crc_errors) == (2, 2, 0), (
        "hops 6 and 7 found no room; 7 and 8 were not expected"
    )


@cocotb.test()
async def rates(dut):
    b = await bench(dut)
    assert dut.divisor.value.integer == 50
    await b.message(p.SetBaud(25))
    assert dut.divisor.value.integer == 25
    await b.message(p.Hello())
    await cycles(dut, 70_000)
    assert dut.divisor.value.integer == 25, "confirmed"
    await b.message(p.SetBaud(54))
    assert dut.divisor.value.integer == 54
    await cycles(dut, 50_000)
    assert dut.divisor.value.integer == 54
    await cycles(dut, 11_000)
    assert dut.divisor.value.integer == 50, "not confirmed"
    for signal, count in (("rx_break", 1), ("rx_framing_error", p.MAX_FRAMING_ERRORS)):
        await b.message(p.SetBaud(25))
        await b.message(p.Hello())
        await strobe(dut, signal, [({}, 5)] * (count - 1))
        assert dut.divisor.value.integer == 25
        await strobe(dut, signal, [({}, 5)])
        assert dut.divisor.value.integer == 50
    b.device.framing_errors(p.MAX_FRAMING_ERRORS, NOW)
    await b.message(p.GetStats())


@cocotb.test()
async def an_answer_at_the_old_rate(dut):
    b = await bench(dut)
    dut.tx_pause.value = 248
    dut.tx_idle.value = 0
    await b.message(p.SetBaud(25))
    assert dut.divisor.value.integer == 50, "the last stop bit is not over"
    dut.tx_idle.value = 1
    await cycles(dut, 20)
    assert dut.divisor.value.integer == 25

"""A core behind the ports of nm_link, and the same for the reference device: results are checksums of the audio."""

import random
import zlib

import cocotb
import numpy as np
from bench import cycles, strobe
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from kwscore.board.protocol import Info, Mask, Mode, Sizes

HOP = 160
SIZES = Sizes()


def body_of(total: int, mask: Mask) -> bytes:
    """The fields of the mask without COUNTERS, from a checksum."""
    words = sum(SIZES.length(part) for part in mask if part is not Mask.COUNTERS)
    return np.random.default_rng(total).integers(0, 65536, words).astype("<u2").tobytes()


class Checksum:
    """What both cores compute: warm-up for three hops, then fields and cycles from the CRC-32 of all audio."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.total = 0
        self.hops = 0

    def hop(self, samples: bytes, mask: Mask):
        self.total = zlib.crc32(samples, self.total)
        self.hops += 1
        cycles = self.total % 30000
        return cycles, None if self.hops <= 3 else body_of(self.total, mask)

    def features(self, data: bytes, mask: Mask):
        total = zlib.crc32(data)
        return total % 30000, body_of(total, mask)


class ReferenceCore:
    """The core of ``kwscore.board.device.Device``."""

    def __init__(self, features=False):
        self.info = Info(mode=Mode.FEATURES if features else Mode(0), mask=Mask(0x7F))
        self.accept = True
        self._checksum = Checksum()
        self._features = features

    def load(self, image, model_id):
        return self.accept

    def reset(self):
        self._checksum.reset()

    def hop(self, samples, mask, counters):
        spent, body = self._checksum.hop(samples.astype("<i2").tobytes(), mask)
        return spent, None if body is None else self._counted(body, mask, counters)

    def features(self, data, mask, counters):
        if not self._features:
            return None
        spent, body = self._checksum.features(data, mask)
        return spent, self._counted(body, mask, counters)

    def _counted(self, body, mask, counters):
        if Mask.COUNTERS in mask:
            return b"".join((count & 0xFFFF).to_bytes(2, "little") for count in counters) + body
        return body


class Recorder:
    """New entries of a sim_recorder since the last look."""

    def __init__(self, dut, name):
        self._memory, self._count = getattr(dut, name).memory, getattr(dut, f"{name}_count")
        self._at = self._count.value.integer  # of an earlier test

    def __len__(self):
        return self._count.value.integer - self._at

    def take(self, count=None):
        """The next ``count`` entries, or all."""
        end = self._at + (len(self) if count is None else count)
        out = [self._memory[at % 32768].value.integer for at in range(self._at, end)]
        self._at = end
        return out


async def play(dut, name, data, **options):
    """Let a sim_player send these bytes; returns when the last has been taken."""
    memory = getattr(dut, name).memory
    for at, byte in enumerate(data):
        memory[at].value = byte
    for option, value in {"count": len(data), **options}.items():
        getattr(dut, f"{name}_{option}").value = value
    await strobe(dut, f"{name}_start", [({}, 1)])
    while getattr(dut, f"{name}_busy").value == 1:
        await cycles(dut, 20)


class HardwareCore:
    """The same core on the ports of nm_link, with random pauses."""

    _RESULT = ("valid", "index", "cycles", "frame", "zero", "features", "len", "dropped")
    INPUTS = dict.fromkeys((f"res_{name}" for name in _RESULT), 0) | {"w_accept": 1}

    def __init__(self, dut):
        self._dut = dut
        self._checksum = Checksum()
        self._pcm, self._feat = Recorder(dut, "pcm"), Recorder(dut, "feat")
        self._task = cocotb.start_soon(self._run())
        cocotb.start_soon(self._resets())

    async def _resets(self):
        dut = self._dut
        while True:
            await RisingEdge(dut.stream_rst)
            await FallingEdge(dut.clk)
            self._task.kill()
            dut.res_valid.value = 0
            self._checksum.reset()
            await FallingEdge(dut.clk)  # the FIFO is empty from here on
            self._pcm.take()
            self._feat.take()
            self._task = cocotb.start_soon(self._run())

    def weights(self, start, end):
        """Bytes of the weight memory."""
        return bytes(self._dut.memory[at].value.integer for at in range(start, end))

    async def _run(self):
        while True:
            await cycles(self._dut, 20)
            mask = Mask(self._dut.mode_mask.value.integer)
            if len(self._pcm) >= HOP:
                samples, index, zero = self._words(self._pcm, HOP)
                spent, body = self._checksum.hop(samples, mask)
                await self._result(index, spent, body, zero=zero)
            elif len(self._feat) >= 80:
                words, index, _ = self._words(self._feat, 80)
                spent, body = self._checksum.features(words, mask)
                await self._result(index, spent, body, features=1)

    def _words(self, recorder, count):
        words = recorder.take(count)
        tags = {word >> 16 for word in words[1:]}
        assert len(tags) == 1, "index and flags must stay for the whole hop"
        tag = tags.pop()
        assert words[0] >> 16 == tag | 1 << 32, "the first word, and only it, is marked"
        return np.array([word & 0xFFFF for word in words], "<u2").tobytes(), tag & 0xFFFFFFFF, tag >> 33

    async def _result(self, index, spent, body, **flags):
        dut = self._dut
        values = {"index": index, "cycles": spent, "frame": int(body is not None), "len": len(body or b"")}
        for name, value in {"zero": 0, "features": 0, **flags, **values, "valid": 1}.items():
            getattr(dut, f"res_{name}").value = value
        await ReadOnly()
        if dut.res_ready.value != 1:
            await RisingEdge(dut.res_ready)
            await ReadOnly()
        full = dut.res_full.value == 1
        await RisingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.res_valid.value = 0
        if full and body:
            await play(dut, "body", body, pause=random.choice((0, 100, 230)))

"""nm_device through its bytes: weights, audio, results equal to the integer engine's, resets, a wrong image."""

from typing import Any

import cocotb
import numpy as np
from bench import cycles, start
from core_model import Recorder, play
from session import Session, audio

from kwscore.board import protocol as p
from kwscore.board.framing import Frame, FrameDecoder
from rtl.test.images import test_image

HOPS = 6


class Bytes:
    """The byte ports as a line."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self._sent = Recorder(dut, "tx")
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []

    async def send(self, data: bytes) -> None:
        await play(self._dut, "host", data, gap=3)

    async def frame(self) -> Frame:
        for _ in range(4000):
            self._frames += self._decoder.feed(bytes(self._sent.take()))
            if self._frames:
                return self._frames.pop(0)
            await cycles(self._dut, 50)
        raise AssertionError("no answer within 200,000 cycles")


async def begin(dut: Any) -> Session:
    await start(dut, host_start=0, host_count=0, host_gap=0, tx_pause=100, rx_framing_error=0, rx_break=0)
    return Session(Bytes(dut), test_image())


@cocotb.test()
async def weights_audio_results(dut):
    s = await begin(dut)
    info = await s.hello()
    assert info.model_id == 0
    assert info.mask == p.FULL_MASK | p.Mask.DELTA_MEAN
    assert info.sizes == p.Sizes()
    assert info.weight_bytes >= len(s.image.to_bytes())
    await s.load()
    assert dut.loaded.value == 1
    await s.mode(info.mask)
    await s.hops(audio(HOPS, 1))
    await s.reset()
    await s.mode(p.Mask.LOGITS)
    await s.hops(audio(4, 2))
    stats = await s.ask(p.GetStats())
    assert stats.max_cycles == s.worst
    assert 30_000 < s.worst <= 60_000
    assert (stats.crc_errors, stats.overruns, stats.gaps, stats.dropped) == (0, 0, 0, 0)


@cocotb.test()
async def feature_frames_run_the_network_alone(dut):
    """What the integer engine's front end gives, sent as features between hops; the stream's front end stays."""
    s = await begin(dut)
    assert p.Mode.FEATURES in (await s.hello()).mode
    await s.load()
    await s.mode(p.Mask.LOGITS | p.Mask.SNR)
    traces = s.engine.trace(audio(6, 5))
    for number, trace in enumerate(traces):
        features = np.concatenate([trace.normed, trace.snr]).astype("<i2").tobytes()
        await s.tell(p.FeatFrame(number, features))
        result = p.parse_answer(await s.line.frame())
        assert isinstance(result, p.Result), result
        assert result.flags == p.Flag.FULL | p.Flag.FEATURES
        assert result.index == number
        assert result.body == trace.logits.astype("<i2").tobytes() + trace.snr.astype("<u2").tobytes()
        assert 5_000 < result.cycles < 15_000
    await s.reset()
    await s.hops(audio(5, 6))


@cocotb.test()
async def another_network_is_refused(dut):
    import binascii

    s = await begin(dut)
    raw = bytearray(s.image.to_bytes()[:64])
    raw[13] += 1
    await s.ask(p.LoadWeights(0, bytes(raw)))
    answer = await s.ask(p.Commit(len(raw), binascii.crc32(raw), 7))
    assert answer.code == p.Code.WRONG_MODEL
    assert dut.loaded.value == 0
    answer = await s.ask(p.PcmFrame(0, bytes(320)))
    assert answer.code == p.Code.NO_WEIGHTS

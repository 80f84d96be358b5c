"""The whole device through its two wires: shipped weights, speech, silence, clipping, resets; every result compared."""

import os

import cocotb
import numpy as np
import soundfile
from bench import start
from session import HOP, Session
from wires import Wires

from kwscore.board import protocol as p
from kwscore.constants import LABELS
from kwscore.fixed.calibrate import load_image
from rtl.test.run import PARAMETERS, RTL

HOPS = int(os.environ.get("E2E_HOPS", "14"))
WORD = RTL.parent / "assets" / "demo" / "02-yes.opus"


def scenes() -> list[np.ndarray]:
    """A spoken word; the same so loud that it clips, after silence."""
    pcm, rate = soundfile.read(WORD, dtype="int16")
    assert rate == 16000
    loud = int(np.abs(pcm.astype(int)).argmax())
    begin = max(0, min(loud - HOP * HOPS // 2, len(pcm) - HOP * HOPS))
    word = pcm[begin : begin + HOP * HOPS]
    clipped = (word[: HOP * 4].astype(int) * 40).clip(-32768, 32767).astype(np.int16)
    return [word, np.concatenate([np.zeros(2 * HOP, np.int16), clipped])]


@cocotb.test()
async def speech_silence_clipping_resets(dut):
    image = load_image("NanoMamba-Tiny-DualPCEN")
    await start(dut, rxd=1)
    s = Session(Wires(dut, int(PARAMETERS["e2e"]["DEFAULT_DIVISOR"])), image)
    info = await s.hello()
    assert info.tag == "SIM"
    assert info.model_id == 0
    await s.load()
    await s.mode(info.mask | p.Mask.COUNTERS)
    for pcm in scenes():
        await s.hops(pcm)
        assert LABELS[int(dut.word.value)] == LABELS[int(s.logits.argmax())]
        await s.reset()
    stats = await s.ask(p.GetStats())
    assert stats.max_cycles == s.worst
    assert s.worst <= 60_000
    assert (stats.crc_errors, stats.framing_errors, stats.overruns, stats.gaps, stats.dropped) == (0, 0, 0, 0, 0)
    dut._log.info("worst hop: %d cycles", s.worst)

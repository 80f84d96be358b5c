"""The check of every tensor in the Verilated datapath: it passes, and it finds a wrong bit."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from kwscore.board.verilated import missing_tools
from kwscore.fixed.image import Image
from kwscore.fixed.layout import Trace
from rtl.sim import check_engine
from rtl.sim.check_engine import RECORD, Checked, check, compare_run, runs
from rtl.tools.model import Write
from tests.board.toy import speech_like
from tests.fixed.images import image

save = Image.save
DUAL = "NanoMamba-Tiny-DualPCEN"


@pytest.mark.timeout(1200)  # it may have to be built
@pytest.mark.skipif(bool(missing_tools()), reason="needs verilator, g++ and make")
def test_every_tensor_of_some_frames() -> None:
    """60 s of everything with the trained weights: python -m rtl.sim.check_engine."""
    dump = check_engine.program().build()
    checked = Checked()
    check(dump, image(DUAL, 1), speech_like(10), checked)
    check(dump, image(DUAL, 1), np.full(5 * 160, 32767, np.int16), checked, instructions=True)
    assert checked.frames == 7 + 2
    assert checked.tensors == 9 * len(Trace._fields)
    assert checked.results > 9 * 20_000
    assert 30_000 < checked.worst <= 60_000


def records(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(list(pairs), RECORD)


def test_runs_are_cut_wherever_the_pipe_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = records((1, 5), (2, 6), (0xFFFF, 9), (0xFFFF, 3), (4, -7), (0xFFFF, 2), (8, 1))
    for chunk in (1, 2, 3, 7, 100):
        monkeypatch.setattr(check_engine, "_CHUNK", chunk)
        found = [run.tolist() for run in runs(io.BytesIO(whole.tobytes()))]
        assert found == [[(1, 5), (2, 6), (0xFFFF, 9)], [(0xFFFF, 3)], [(4, -7), (0xFFFF, 2)]]


def test_a_wrong_result_is_named() -> None:
    writes = [Write(3, "gain", np.array([7]), None), Write(4, "windowed", np.array([1, 2]), None)]
    compare_run(writes, records((3, 7), (4, 1), (4, 2), (0xFFFF, 50)))
    with pytest.raises(AssertionError, match="windowed at 4"):
        compare_run(writes, records((3, 7), (4, 1), (4, 3), (0xFFFF, 50)))
    with pytest.raises(AssertionError, match="2 results instead of 3"):
        compare_run(writes, records((3, 7), (4, 1), (0xFFFF, 50)))


@pytest.mark.timeout(1200)
@pytest.mark.skipif(bool(missing_tools()), reason="needs verilator, g++ and make")
@pytest.mark.parametrize("instructions", [False, True])
def test_weights_that_differ_in_one_bit_are_found(instructions: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the RTL runs is not what the engine runs: the first tensor behind the weight is named."""
    made = image(DUAL, 1)
    weight = made.weight.in_proj.copy()
    weight[1, 40, 3] ^= 64
    other = replace(made, weight=made.weight._replace(in_proj=weight))
    monkeypatch.setattr(type(made), "save", lambda _, path: save(other, path))
    with pytest.raises(AssertionError, match="z1" if not instructions else r"in_row|z1"):
        check(check_engine.program().build(), made, speech_like(5), Checked(), instructions=instructions)

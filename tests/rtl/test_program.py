"""The program on the machine's model against the integer engine, every tensor; and the committed files (pytest)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kwscore.constants import N_MELS
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from rtl.syn import report as synthesis
from rtl.syn.report import CEILING, TOP, source_hash
from rtl.test.images import test_image as network
from rtl.tools import isa
from rtl.tools.compare import compare, expected, results
from rtl.tools.generate import MEM, TINY, files
from rtl.tools.model import Machine
from rtl.tools.program import Builder

REPORT = Path(synthesis.__file__)
BUDGET = 60_000
pytestmark = pytest.mark.timeout(900)  # a cold cache on a slow machine


def run(image: Image, pcm: np.ndarray) -> int:
    """Compare every frame; returns the most cycles of one."""
    builder = Builder(image.sizes)
    machine, engine = Machine(builder, image), FixedEngine(image)
    worst = position = 0
    for t, trace in enumerate(engine.visit(pcm)):
        end = 512 + 160 * t
        machine.push(pcm[position:end])
        position = end
        compare(machine.run("FRAME"), trace, image.sizes)
        worst = max(worst, machine.cycles)
    assert position
    return worst


def noise(frames: int, level: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(512 + 160 * (frames - 1)) * level).clip(-32768, 32767).astype(np.int16)


def test_every_tensor_over_all_wraps() -> None:
    """160 frames: past the ring of 5, the block of 75, the pool of 97."""
    assert run(network(), noise(160, 3000.0, 0)) <= BUDGET


@pytest.mark.parametrize("seed", range(3))
def test_networks_with_extreme_constants(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fixed import images

    monkeypatch.setattr(images, "image", lambda name: network())
    image = images.extreme_image(images.DUAL, np.random.default_rng(seed))
    pcm = np.concatenate(
        [noise(3, 30000.0, seed), np.zeros(800, np.int16), np.full(700, -32768, np.int16), noise(2, 1.0, seed)]
    )
    run(image, pcm)


def test_feature_frames_are_the_network_of_a_frame() -> None:
    """What the front end hands over, given alone to a machine that never hears a sample, has the same consequences."""
    image = network()
    builder = Builder(image.sizes)
    machine, engine = Machine(builder, image), FixedEngine(image)
    for trace in engine.visit(noise(12, 3000.0, 4)):
        machine.data[builder.m["normed"] : builder.m["normed"] + N_MELS] = trace.normed
        machine.data[builder.m["snr"] : builder.m["snr"] + N_MELS] = trace.snr
        got = results(machine.run("FEATURES"))
        for name in ("x0", "hidden1", "delta1", "pool_sum", "logits"):
            want = expected(trace, image.sizes)[name]
            assert np.array_equal(got[name], want), name


def test_committed_files_are_the_generator_s() -> None:
    made = files()
    assert {path.name for path in MEM.iterdir()} == set(made)
    for name, text in made.items():
        assert (MEM / name).read_text(encoding="ascii") == text, name


def test_every_instruction_fits_its_word() -> None:
    for op in Builder(TINY).code:
        assert 0 <= op.encode() < 1 << isa.WORD_BITS


def test_a_conflict_of_banks_is_refused() -> None:
    from rtl.tools.asm import Assembler, vec

    with pytest.raises(ValueError, match="one bank"):
        Assembler().op("both in x", vec(0), isa.ADD, vec(8), vec(16), n=4)


def test_synthesis_report_is_of_these_sources_and_under_the_ceiling() -> None:
    report = json.loads((REPORT.parent / f"{TOP}.json").read_text(encoding="ascii"))
    assert report["sources"] == source_hash(), "run python -m rtl.syn.report --write"
    for name, most in CEILING.items():
        assert 0 < report[name] <= most

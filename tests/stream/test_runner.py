"""The runner: nothing lost, any chunking, parts exchanged while it runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kwscore.audio.source import Source
from kwscore.stream import StreamEngine
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.runner import Batch, Runner
from tests.stream.fakes import Blocks
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied


class Halving:
    """A mixer that can be told from its output."""

    def process(self, speech: NDArray[np.int16], /) -> NDArray[np.int16]:
        return (speech // 2).astype(np.int16)


SETTINGS = DetectionSettings(smoothing_ms=30, threshold=0.12, minimum_ms=10, refractory_ms=200, release=0.99)


@pytest.fixture(scope="module")
def engine() -> StreamEngine:
    return StreamEngine(random_net(DUAL, seed=4))


def drain(runner: Runner) -> list[Batch]:
    batches = []
    while not runner.finished:
        batches.append(runner.step())
    return batches


@given(cuts=st.lists(st.integers(0, 20000), max_size=10))
def test_chunking_changes_nothing(engine: StreamEngine, cuts: list[int]) -> None:
    pcm = varied(1.25, seed=1)
    whole = drain(Runner(Blocks([pcm]), engine, Detector(SETTINGS)))
    blocks = [block for block in np.split(pcm, sorted(cuts)) if len(block)]
    parts = drain(Runner(Blocks(blocks), engine, Detector(SETTINGS)))
    assert np.array_equal(np.concatenate([b.samples for b in parts]), pcm)
    assert [e for b in parts for e in b.events] == [e for b in whole for e in b.events]
    assert np.array_equal(np.concatenate([b.posteriors for b in parts]), np.concatenate([b.posteriors for b in whole]))
    for a, b in zip((r for x in whole for r in x.telemetry), (r for x in parts for r in x.telemetry), strict=True):
        assert (a.frame, a.sample) == (b.frame, b.sample)
        assert np.array_equal(a.logits, b.logits)


def test_events_are_found_at_all(engine: StreamEngine) -> None:
    """So that comparing lists of events compares something."""
    (batch, *_) = drain(Runner(Blocks([varied(1.25, seed=1)]), engine, Detector(SETTINGS)))
    assert batch.events


def test_it_is_a_source_that_is_driven() -> None:
    assert isinstance(Blocks([]), Source)


def test_mixer_is_heard_and_can_be_exchanged(engine: StreamEngine) -> None:
    pcm = varied(2.0)
    runner = Runner(Blocks([pcm[:10000], pcm[10000:20000], pcm[20000:]]), engine, Detector(), Halving())
    heard = [runner.step().samples]
    runner.swap(mixer=None)
    heard.append(runner.step().samples)
    runner.swap(mixer=Halving())
    heard.append(runner.step().samples)
    expected = pcm.copy()
    expected[:10000] //= 2
    expected[20000:] //= 2
    assert np.array_equal(np.concatenate(heard), expected)


@pytest.mark.parametrize("cut", [0, 300, 512, 700, 8003, 16000])
@pytest.mark.parametrize("how", ["swap", "reset"])
def test_exchange_and_reset_lose_no_sample_and_no_column(engine: StreamEngine, cut: int, how: str) -> None:
    pcm = varied(2.0, seed=3)
    runner = Runner(Blocks([pcm[:cut], pcm[cut:]]), engine, Detector())
    before = runner.step()
    other = (
        StreamEngine(random_net("NanoMamba-Tiny", seed=1)) if how == "swap" else StreamEngine(random_net(DUAL, seed=4))
    )
    if how == "swap":
        runner.swap(engine=other)
    else:
        runner.reset()
    after = runner.step()
    assert runner.engine.name == other.name
    ends = [r.sample + b.origin for b in (before, after) for r in b.telemetry]
    assert ends == list(range(511, len(pcm), 160))
    assert after.telemetry[0].frame == 0
    assert after.origin % 160 == 0
    # the new engine heard exactly the stream from its origin on
    expected = (
        other.process(pcm[after.origin :])
        if how == "reset"
        else StreamEngine(random_net("NanoMamba-Tiny", seed=1)).process(pcm[after.origin :])
    )
    assert np.array_equal([r.logits for r in after.telemetry], [r.logits for r in expected])


def test_statistics(engine: StreamEngine) -> None:
    pcm = varied(3.0)
    runner = Runner(Blocks(np.array_split(pcm, 50)), engine, Detector())
    assert runner.statistics().frames == 0
    drain(runner)
    figures = runner.statistics()
    assert figures.position == len(pcm)
    assert figures.frames == (len(pcm) - 512) // 160 + 1
    assert 0 < figures.hop_us <= figures.hop_p99_us
    assert figures.load > 0


def test_nothing_due_is_an_empty_batch(engine: StreamEngine) -> None:
    runner = Runner(Blocks([np.zeros(0, np.int16), np.zeros(100, np.int16)]), engine, Detector())
    batch = runner.step()
    assert not len(batch.samples)
    assert batch.telemetry == []
    assert batch.posteriors.shape == (0, 12)
    assert not runner.finished

"""The comparison of two engines: figures against a plain calculation, any order of arrival."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.constants import LABELS
from kwscore.errors import KWScopeError
from kwscore.stream.agreement import LATENESS, TOLERANCE, EventPairs
from kwscore.stream.comparison import FIRST, SECOND, SURE, Comparison
from kwscore.stream.detection import Detector, Event
from kwscore.stream.runner import Batch, Runner, Track
from tests.board.toy import ToyEngine, speech_like
from tests.stream.fakes import Blocks, ShiftedEngine

PCM = speech_like(120)
NONE = np.empty((0, 12), np.float32)


def compared(first: object, second: object, cuts: list[int]) -> tuple[Comparison, list[Batch]]:
    runner = Runner(Blocks(np.split(PCM, cuts)), first, Detector(), reference=second)  # type: ignore[arg-type]
    comparison, batches = Comparison(), []
    while not runner.finished:
        batches.append(runner.step())
        comparison.extend(batches[-1])
    return comparison, batches


def test_equal_engines_are_bit_exact() -> None:
    comparison, _ = compared(ToyEngine(), ToyEngine(), [500, 3000])
    figures = comparison.summary()
    assert figures.frames == figures.equal == figures.agreeing == 117
    assert figures.bit_exact
    assert (figures.largest_difference, figures.mean_difference, figures.unequal_at) == (0.0, 0.0, None)


def test_figures_are_those_of_a_plain_calculation() -> None:
    comparison, _ = compared(ToyEngine(), ShiftedEngine(25.0, since=40), [4000])
    a = np.stack([r.logits for r in ToyEngine().process(PCM)])
    b = np.stack([r.logits for r in ShiftedEngine(25.0, since=40).process(PCM)])
    difference = np.abs(a - b)
    figures = comparison.summary()
    assert not figures.bit_exact
    assert (figures.frames, figures.equal, figures.unequal_at) == (117, 40, 40)
    assert figures.mean_difference == pytest.approx(difference.mean(), rel=1e-5)
    assert figures.largest_difference == difference.max() == 25.0
    assert figures.largest_at == int(difference.max(1).argmax())
    assert figures.agreement == (a.argmax(1) == b.argmax(1)).mean()
    ordered = np.sort(a, 1)
    lead = ordered[:, -1] - ordered[:, -2]
    assert figures.mean_margin == pytest.approx(lead.mean(), rel=1e-5)
    assert figures.sure == (lead > SURE).sum()
    assert figures.agreeing_sure == ((lead > SURE) & (a.argmax(1) == b.argmax(1))).sum()
    view = comparison.view(-5, 130)
    assert (view.start, view.stop) == (-5, 130)
    assert view.paired.tolist() == [False] * 5 + [True] * 117 + [False] * 13
    np.testing.assert_array_equal(view.logits[FIRST, 5:122], a)
    np.testing.assert_array_equal(view.logits[SECOND, 5:122], b)
    np.testing.assert_allclose(view.largest[5:122], difference.max(1))
    np.testing.assert_allclose(view.mean[5:122], difference.mean(1), rtol=1e-5)
    np.testing.assert_array_equal(view.agrees[5:122], a.argmax(1) == b.argmax(1))
    np.testing.assert_allclose(view.margin[5:122], lead)


@given(late=st.integers(0, 60), capacity=st.integers(20, 200))
def test_answers_may_come_late_and_the_ring_may_be_short(late: int, capacity: int) -> None:
    """``late`` frames: the second engine's batch holds older frames than the first one's."""
    a, b = ToyEngine().process(PCM), ShiftedEngine(1.0).process(PCM)
    comparison = Comparison(capacity / 100)
    for n in range(len(a) + late):
        mine, theirs = a[n : n + 1], b[n - late : n - late + 1] if n >= late else []
        batch = Batch(
            PCM[:0], 0, 320, mine, np.zeros((len(mine), 12), np.float32), [],
            reference=Track(theirs, np.zeros((len(theirs), 12), np.float32), []),
        )  # fmt: skip
        comparison.extend(batch)
    figures = comparison.summary()
    # frames that left the ring before their partner came cannot be compared; those held at the end are
    assert figures.frames == (117 if late < capacity else capacity)
    assert comparison.end == 119  # two columns later than the frames: the origin
    view = comparison.view(comparison.end - capacity, comparison.end)
    held = view.paired
    if late < capacity:
        assert held[max(0, capacity - 117) :].all()
        assert figures.largest_difference == pytest.approx(1.0, abs=1e-3)


def test_a_standbys_frames_and_silent_networks_do_not_count() -> None:
    records = ToyEngine().process(PCM[:2000])
    mute = ShiftedEngine(0.0).process(PCM[:2000])
    for record in mute[:3]:
        record.logits[:] = 0.0
    posteriors = np.zeros((len(records), 12), np.float32)
    comparison = Comparison()
    comparison.extend(
        Batch(PCM[:2000], 0, 0, records, posteriors, [], frozenset({5}), reference=Track(mute, posteriors, []))
    )
    assert comparison.summary().frames == len(records) - 4
    assert np.flatnonzero(~comparison.view(0, len(records)).paired).tolist() == [0, 1, 2, 5]


def test_counting_anew_forgets_the_counts_only() -> None:
    comparison, _ = compared(ToyEngine(), ShiftedEngine(1.0), [])
    comparison.count_anew()
    assert comparison.summary().frames == 0
    assert not comparison.summary().bit_exact
    assert comparison.view(0, 117).paired.all()


def test_times_of_link_and_computation_are_kept_apart() -> None:
    from kwscore.board.engine import HopTiming

    records = ToyEngine().process(PCM[:2000])
    posteriors = np.zeros((len(records), 12), np.float32)
    comparison = Comparison()
    timings = [HopTiming(r.frame, 900.0 + r.frame, 800.0) for r in records]
    comparison.extend(
        Batch(PCM[:2000], 0, 160, records, posteriors, [], reference=Track(records, posteriors, [], timings))
    )
    software, board = comparison.latency(FIRST, 0, 100), comparison.latency(SECOND, 0, 100)
    assert software.link.tolist() == [0.0] * len(records)
    assert software.compute.tolist() == [123.0] * len(records)
    assert board.link.tolist() == [t.link_us for t in timings]
    assert board.compute.tolist() == [800.0] * len(records)
    assert len(comparison.latency(SECOND, 3, 5).link) == 2


def test_a_board_that_counts_no_cycles_has_no_time_of_computation() -> None:
    from kwscore.board.engine import HopTiming

    records = ToyEngine().process(PCM[:2000])
    posteriors = np.zeros((len(records), 12), np.float32)
    timings = [HopTiming(r.frame, 900.0, float("nan")) for r in records]
    comparison = Comparison()
    comparison.extend(
        Batch(PCM[:2000], 0, 160, records, posteriors, [], reference=Track(records, posteriors, [], timings))
    )
    board = comparison.latency(SECOND, 0, 100)
    assert board.link.tolist() == [900.0] * len(records)
    assert len(board.compute) == 0


def event(word: str, decided: int) -> Event:
    return Event(
        word=word, index=LABELS.index(word), score=0.9, start=decided - 800, peak=decided, decided=decided,
        start_frame=0, peak_frame=0, decided_frame=0,
    )  # fmt: skip


def test_detections_are_matched_once_and_late_ones_too() -> None:
    pairs = EventPairs()
    pairs.add([event("yes", 16_000)], [], 320)
    pairs.advance(30_000)
    assert pairs.tally().only == (0, 0)  # it may still come
    pairs.add([], [event("yes", 17_000), event("yes", 17_100)], 320)
    assert pairs.tally().matched == 1
    pairs.add([event("no", 40_000)], [event("go", 40_000)], 0)
    pairs.advance(40_000 + TOLERANCE + LATENESS + 1)
    tally = pairs.tally()
    assert (tally.matched, tally.only) == (1, (1, 2))
    assert [(u.engine, u.word, u.decided) for u in tally.recent] == [
        (0, "no", 40_000), (1, "yes", 17_420), (1, "go", 40_000),
    ]  # fmt: skip


def test_a_comparison_has_a_sensible_length() -> None:
    with pytest.raises(KWScopeError, match="3600"):
        Comparison(0)

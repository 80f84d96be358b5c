"""A runner with a deferred engine: nothing waits for it, its standby fills in, and all begin together again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from kwscore.errors import KWScopeError
from kwscore.stream import runner as module
from kwscore.stream.deferred import DeferredEngine
from kwscore.stream.detection import Detector
from kwscore.stream.history import History
from kwscore.stream.runner import Batch, Runner
from tests.board.toy import ToyEngine, assert_same, speech_like
from tests.stream.fakes import PATIENCE, Blocks, GatedEngine

PCM = speech_like(300)


@pytest.fixture
def defer() -> Iterator[Callable[..., DeferredEngine]]:
    made: list[tuple[DeferredEngine, GatedEngine]] = []

    def make(engine: GatedEngine, **options: object) -> DeferredEngine:
        made.append((DeferredEngine(engine, **options), engine))  # type: ignore[arg-type]
        return made[-1][0]

    yield make
    for deferred, engine in made:
        engine.gate.set()
        deferred.close()


def settle(engine: DeferredEngine) -> None:
    """Until everything given has been worked through."""
    pause = threading.Event()
    for _ in range(round(PATIENCE / 0.002)):
        if engine.idle:
            return
        pause.wait(0.002)
    raise AssertionError("the deferred engine does not finish")


def steps(runner: Runner, engine: DeferredEngine) -> list[Batch]:
    """Run to the end; every step finds what the one before it caused."""
    batches = []
    while not runner.finished:
        batches.append(runner.step())
        settle(engine)
    return batches


def frames(batches: list[Batch]) -> list[int]:
    """Columns of the runner's clock, in the order in which they came."""
    return [record.frame + batch.origin // 160 for batch in batches for record in batch.telemetry]


def test_process_never_waits_and_answers_come_later(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    engine.gate.clear()
    deferred = defer(engine)
    assert deferred.process(PCM[:4000]) == []
    assert not deferred.idle
    engine.gate.set()
    settle(deferred)
    assert_same(deferred.process(PCM[:0]), ToyEngine().process(PCM[:4000]))
    assert (deferred.name, deferred.model_hash, deferred.channels) == (engine.name, engine.model_hash, engine.channels)


def test_answers_of_before_a_reset_never_arrive(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    engine.gate.clear()
    deferred = defer(engine)
    deferred.process(PCM[:4000])
    deferred.reset()
    deferred.process(PCM[5000:8000])
    engine.gate.set()
    settle(deferred)
    assert_same(deferred.process(PCM[:0]), ToyEngine().process(PCM[5000:8000]))


def test_a_failure_is_a_sentence_and_a_reset_ends_it(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    engine.failing = "The board is gone."
    there = [False]
    deferred = defer(engine, at_hand=lambda: there[0])
    deferred.process(PCM[:1000])
    settle(deferred)
    assert (deferred.lost, deferred.returned) == ("The board is gone.", False)
    deferred.process(PCM[1000:2000])
    assert deferred.idle  # nothing piles up
    engine.failing, there[0] = "", True
    assert deferred.returned
    deferred.reset()
    deferred.process(PCM[:2000])
    settle(deferred)
    assert_same(deferred.process(PCM[:0]), ToyEngine().process(PCM[:2000]))
    assert not deferred.lost


def test_an_engine_that_goes_astray_keeps_what_it_had_and_begins_anew(defer: Callable[..., DeferredEngine]) -> None:
    astray = ["It lost audio."]
    deferred = defer(GatedEngine(), astray=lambda: astray[0])
    deferred.process(PCM[:1000])
    settle(deferred)
    assert (deferred.lost, deferred.returned) == ("It lost audio.", True)
    assert len(deferred.process(PCM[:0])) == 4
    astray[0] = ""
    deferred.reset()
    deferred.process(PCM[:1000])
    settle(deferred)
    assert not deferred.lost


def test_an_engine_that_stands_still_is_lost_after_ten_seconds(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    engine.gate.clear()
    deferred = defer(engine)
    for _ in range(24):  # the thread may have taken up to ten at once before it stood still
        deferred.process(np.zeros(16_000, np.int16))
    assert "ten seconds" in deferred.lost


def test_an_engine_that_is_lost_again_and_again_waits_longer_each_time(defer: Callable[..., DeferredEngine]) -> None:
    now = [100.0]
    engine = GatedEngine()
    engine.failing = "The board is gone."
    deferred = defer(engine, clock=lambda: now[0])

    def lose() -> float:
        """Seconds until it may begin anew."""
        deferred.reset()
        deferred.process(PCM[:1000])
        settle(deferred)
        assert deferred.lost
        lost = now[0]
        while not deferred.returned:
            now[0] += 0.25
        return now[0] - lost

    assert [lose() for _ in range(8)] == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    now[0] += 11.0  # it was well for a while
    assert lose() == 0.0


def test_a_job_has_the_engine_for_itself(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    deferred = defer(engine)
    deferred.process(PCM[:1000])
    settle(deferred)
    seen: list[tuple[str, bool]] = []

    def job() -> int:
        engine.process(PCM[:5000])
        seen.append((deferred.lost, deferred.returned))
        return 7

    assert deferred.apart(job, "It is being tested.") == 7
    assert seen == [("It is being tested.", False)]
    assert deferred.returned
    deferred.reset()
    deferred.process(PCM[:2000])
    settle(deferred)
    assert_same(deferred.process(PCM[:0]), ToyEngine().process(PCM[:2000]))
    with pytest.raises(ZeroDivisionError):
        deferred.apart(lambda: 1 // 0, "It fails.")
    deferred.close()
    with pytest.raises(KWScopeError, match="closed"):
        deferred.apart(job, "Too late.")


def test_a_deferred_engine_without_standby_is_refused(defer: Callable[..., DeferredEngine]) -> None:
    deferred = defer(GatedEngine())
    with pytest.raises(KWScopeError, match="standby"):
        Runner(Blocks([PCM]), deferred, Detector())
    runner = Runner(Blocks([PCM]), ToyEngine(), Detector())
    with pytest.raises(KWScopeError, match="standby"):
        runner.swap(engine=deferred)


@pytest.mark.parametrize("cuts", [[], [100, 700, 5000, 5001, 20_000, 40_000]])
def test_frames_of_a_deferred_engine_are_all_its_own(defer: Callable[..., DeferredEngine], cuts: list[int]) -> None:
    deferred = defer(GatedEngine())
    batches = steps(Runner(Blocks(np.split(PCM, cuts)), deferred, Detector(), standby=ToyEngine()), deferred)
    assert not any(batch.stood_in for batch in batches)
    assert_same([r for b in batches for r in b.telemetry], ToyEngine().process(PCM))


def test_a_late_engine_stalls_nothing(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    engine.gate.clear()
    deferred = defer(engine)
    runner = Runner(Blocks(np.split(PCM, range(160, len(PCM), 160))), deferred, Detector(), standby=ToyEngine())
    batches = [runner.step() for _ in range(100)]
    given = frames(batches)
    assert given == list(range(100 - 3 - module.PATIENCE - 1))
    assert all(batch.stood_in == frozenset(range(len(batch.telemetry))) for batch in batches)
    engine.gate.set()
    settle(deferred)
    batches += steps(runner, deferred)
    assert frames(batches) == list(range(297))
    # it takes over again where it has caught up, and nothing is given twice
    assert not any(batch.stood_in for batch in batches[-50:])


def test_lost_and_back_again(defer: Callable[..., DeferredEngine]) -> None:
    engine, reference, there = GatedEngine(), ToyEngine(), [True]
    deferred = defer(engine, at_hand=lambda: there[0])
    blocks = np.split(PCM, range(160, len(PCM), 160))
    runner = Runner(Blocks(blocks), deferred, Detector(), reference=reference, standby=ToyEngine())
    history = History.for_engine(deferred)
    batches: list[Batch] = []

    def go(count: int) -> None:
        for _ in range(count):
            batches.append(runner.step())
            history.extend(batches[-1])
            settle(deferred)

    go(100)
    engine.failing, there[0] = "The board is gone.", False
    go(60)
    assert deferred.lost
    assert batches[-1].stood_in  # the standby goes on at once
    engine.failing, there[0] = "", True
    go(100)
    while not runner.finished:
        go(1)
    assert frames(batches) == list(range(297))  # no column is missing or doubled
    origins = sorted({batch.origin for batch in batches})
    assert len(origins) == 2
    assert origins[1] % 160 == 0
    # all engines began at the same sample: equal engines give equal frames
    again = [r for b in batches if b.origin == origins[1] for i, r in enumerate(b.telemetry) if i not in b.stood_in]
    expected = ToyEngine().process(PCM[origins[1] :])
    assert len(again) == len(expected)
    assert_same(again, expected)
    assert_same([r for b in batches if b.origin == origins[1] for r in b.reference.telemetry], expected)
    # the sound of late frames was kept for the display
    view = history.view()
    assert view.end == 297
    hops = PCM[512 - 160 :].astype(np.float64)[: 297 * 160].reshape(-1, 160) / 32768
    np.testing.assert_allclose(view.high, hops.max(1), atol=1e-6)


def test_a_swap_gives_what_was_owed_first(defer: Callable[..., DeferredEngine]) -> None:
    engine = GatedEngine()
    engine.gate.clear()
    deferred = defer(engine)
    runner = Runner(Blocks(np.split(PCM, range(160, len(PCM), 160))), deferred, Detector(), standby=ToyEngine())
    batches = [runner.step() for _ in range(20)]
    assert frames(batches) == []
    runner.swap(engine=ToyEngine(), standby=None)
    batches += [runner.step() for _ in range(30)]
    assert frames(batches) == list(range(20 + 29 - 3))
    assert runner.engine is not deferred


def test_both_engines_hear_the_same_mixture() -> None:
    class Inverting:
        def process(self, speech: np.ndarray, /) -> np.ndarray:
            return (-speech // 2).astype(np.int16)

    runner = Runner(Blocks([PCM]), ToyEngine(), Detector(), Inverting(), reference=ToyEngine())
    batch = runner.step()
    expected = ToyEngine().process((-PCM // 2).astype(np.int16))
    assert_same(batch.telemetry, expected)
    assert_same(batch.reference.telemetry, expected)
    assert np.array_equal(batch.reference.posteriors, batch.posteriors)

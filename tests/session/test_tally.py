"""What is counted while a run goes on is what the report finds in its file afterwards, in memory that does not grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwscore.audio.playlist import Truth
from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.evaluation.events import Detection, Utterance, score_events
from kwscore.session import tally as module
from kwscore.session.accepts import Counter, comparable, report
from kwscore.session.reader import Session
from kwscore.session.spans import Spans
from kwscore.session.tally import SETTLED, Standing, Tally
from kwscore.stream.detection import DetectionSettings
from tests.session.conftest import SETTINGS, record
from tests.stream.fakes import Blocks

THRESHOLDS = (0.1, 0.11, 0.115, 0.12, 0.125, 0.13, 0.15)


def same(standing: Standing, path: Path) -> None:
    with Session(path) as session:
        made = report(session, THRESHOLDS)
        assert (standing.samples, standing.reported, standing.known) == (
            session.length, len(session.events), made.known
        )  # fmt: skip
    assert [count.threshold for count in standing.counts] == [row.threshold for row in made.rows]
    for count, row in zip(standing.counts, made.rows, strict=True):
        assert count.by_word == {word: n["false_accepts"] for word, n in row.score.by_word().items()}
        assert (count.hits, count.misses) == (len(row.score.hits), len(row.score.misses))
        assert standing.per_hour(count.false_accepts) == pytest.approx(row.per_hour)


@pytest.mark.parametrize("blocks", [61, 700])
@pytest.mark.parametrize("told", [False, True], ids=["nobody knows", "words are known"])
def test_live_is_what_the_file_says(
    tmp_path: Path, float_engine, speech, monkeypatch: pytest.MonkeyPatch, blocks: int, told: bool
) -> None:
    if told:
        words = [Truth(WORDS[n % 10], n * SAMPLE_RATE, n * SAMPLE_RATE + 9000, "") for n in range(1, 46, 2)]
        monkeypatch.setattr(Blocks, "truth", lambda self, since: [w for w in words if w.end >= since], raising=False)
    spans = Spans.for_settings(SETTINGS, 0.11)
    live = Tally(SETTINGS, spans.floor, THRESHOLDS)
    path = record(
        tmp_path / "run.kwsession", float_engine, np.tile(speech, 4), blocks=blocks, spans=spans, listener=live.take
    )
    standing = live.standing()
    assert standing.known is told
    assert max(count.false_accepts for count in standing.counts) > 10
    assert min(count.threshold for count in standing.counts) == 0.11  # below it not all was kept
    same(standing, path)


def test_a_reset_in_the_middle(tmp_path: Path, float_engine, speech) -> None:
    live = Tally(SETTINGS, 0.0, THRESHOLDS)

    def hook(step, runner, recorder) -> None:
        if step == 40:
            runner.engine.reset()
            runner.detector.reset()

    same(
        (record(tmp_path / "run.kwsession", float_engine, speech, hook=hook, listener=live.take), live.standing())[1],
        tmp_path / "run.kwsession",
    )


TIMES = st.integers(0, 60 * SAMPLE_RATE)
FOUND = st.lists(st.tuples(TIMES, st.sampled_from(WORDS[:3])), max_size=40)
SAID = st.lists(
    st.tuples(TIMES, st.integers(1, SAMPLE_RATE * 2), st.sampled_from((*WORDS[:3], "unknown"))), max_size=30
)


@settings(max_examples=30, deadline=None)
@given(FOUND, SAID)
def test_settling_changes_no_count(found: list, said: list) -> None:
    counting = module._Counting(Counter(DetectionSettings(), 0.5))
    detections = [Detection(word, at) for at, word in sorted(found)]
    truth = [Utterance(word, at, at + length) for at, length, word in said]
    for now in range(0, 75 * SAMPLE_RATE + SETTLED, SAMPLE_RATE):
        step = range(now - SAMPLE_RATE, now)
        counting.counter.found += [each for each in detections if each.decided in step]
        counting.truth += [each for each in truth if each.end in step]
        counting.settle(now - SETTLED)
    whole = score_events(truth, detections, 1)
    count = counting.count()
    assert count.by_word == {word: n["false_accepts"] for word, n in whole.by_word().items()}
    assert (count.hits, count.misses) == (len(whole.hits), len(whole.misses))
    assert counting.counter.found == [] == counting.truth


def test_what_can_be_counted_together() -> None:
    assert comparable(SETTINGS, DetectionSettings(**{**SETTINGS.to_dict(), "threshold": 0.9}))
    assert not comparable(SETTINGS, DetectionSettings(**{**SETTINGS.to_dict(), "smoothing_ms": 40}))


def test_nothing_heard_has_no_rate() -> None:
    standing = Tally(DetectionSettings()).standing()
    assert np.isnan(standing.per_hour(0))
    assert {count.false_accepts for count in standing.counts} == {0}

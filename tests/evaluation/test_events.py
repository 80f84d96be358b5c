"""The event scorer on cases made by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.constants import WORDS
from kwscore.errors import KWScopeError
from kwscore.evaluation.events import Detection, Utterance, score_events

SECOND = 16000
HOUR = 3600 * SECOND


def said(word: str, start: float, end: float) -> Utterance:
    return Utterance(word, round(start * SECOND), round(end * SECOND))


def heard(word: str, at: float, score: float = 0.9) -> Detection:
    return Detection(word, round(at * SECOND), score)


def test_hit_with_latency() -> None:
    score = score_events([said("yes", 1.0, 1.5)], [heard("yes", 1.7)], HOUR)
    assert len(score.hits) == 1
    assert score.median_latency_ms == pytest.approx(200)
    assert (score.misses, score.false_accepts, score.miss_rate) == ((), (), 0.0)


def test_early_decision_has_negative_latency() -> None:
    score = score_events([said("yes", 1.0, 1.5)], [heard("yes", 1.4)], HOUR)
    assert score.median_latency_ms == pytest.approx(-100)


@pytest.mark.parametrize(("at", "hit"), [(0.99, False), (1.0, True), (2.2, True), (2.21, False)])
def test_limits_of_a_hit(at: float, hit: bool) -> None:
    score = score_events([said("yes", 1.0, 1.5)], [heard("yes", at)], HOUR, late_ms=700)
    assert len(score.hits) == hit
    assert len(score.misses) == len(score.false_accepts) == (not hit)


def test_one_burst_of_false_accepts_counts_once() -> None:
    burst = [heard("go", 10 + 0.1 * i) for i in range(5)]
    score = score_events([], [*burst, heard("go", 20)], HOUR // 2)
    assert [d.decided for d in score.false_accepts] == [10 * SECOND, 20 * SECOND]
    assert score.false_accepts_per_hour == pytest.approx(4.0)


def test_one_word_detected_twice_is_a_hit_and_a_false_accept() -> None:
    score = score_events([said("stop", 5, 5.6)], [heard("stop", 5.5), heard("stop", 6.1)], HOUR)
    assert (len(score.hits), len(score.false_accepts), len(score.misses)) == (1, 1, 0)


def test_wrong_word_is_a_miss_a_false_accept_and_a_confusion() -> None:
    score = score_events([said("off", 5, 5.6)], [heard("up", 5.7)], HOUR)
    assert (len(score.hits), len(score.misses), len(score.false_accepts), len(score.confusions)) == (0, 1, 1, 1)
    assert score.miss_rate == 1.0
    assert math.isnan(score.median_latency_ms)
    assert score.by_word()["up"]["false_accepts"] == 1
    assert score.by_word()["off"]["misses"] == 1


def test_word_in_an_unknown_word_is_a_false_accept_but_no_confusion() -> None:
    score = score_events([said("marvin", 5, 5.6)], [heard("up", 5.7)], HOUR)
    assert (len(score.misses), len(score.false_accepts), len(score.confusions)) == (0, 1, 0)
    assert math.isnan(score.miss_rate)


def test_same_word_twice_in_a_row_each_hit_once() -> None:
    truth = [said("no", 1.0, 1.4), said("no", 1.6, 2.0)]
    score = score_events(truth, [heard("no", 1.5), heard("no", 2.1)], HOUR)
    assert [m.utterance for m in score.hits] == truth
    single = score_events(truth, [heard("no", 1.5)], HOUR)
    assert (len(single.hits), len(single.misses)) == (1, 1)


def test_figures_are_plain() -> None:
    figures = score_events([said("yes", 1, 1.5), said("no", 3, 3.5)], [heard("yes", 1.6)], HOUR).to_dict()
    assert figures["words"] == 2
    assert figures["miss_rate"] == 0.5
    assert figures["hours"] == 1.0
    assert figures["by_word"]["yes"]["hits"] == 1
    assert score_events([], [], HOUR).to_dict()["miss_rate"] is None


@given(
    truth=st.lists(st.tuples(st.sampled_from(WORDS[:3]), st.integers(0, 500), st.integers(1, 60)), max_size=15),
    found=st.lists(st.tuples(st.sampled_from(WORDS[:3]), st.integers(0, 600)), max_size=25),
)
def test_every_word_and_every_detection_is_accounted_for(
    truth: list[tuple[str, int, int]], found: list[tuple[str, int]]
) -> None:
    words = [Utterance(w, 160 * s, 160 * (s + n)) for w, s, n in truth]
    score = score_events(words, [Detection(w, 160 * t) for w, t in found], HOUR, repeat_ms=0)
    assert len(score.hits) + len(score.misses) == len(words)
    # repetitions at the very same sample are one burst
    extra = len(found) - len(score.hits) - len(score.false_accepts)
    assert 0 <= extra <= len(found) - len(set(found))
    for match in score.hits:
        assert match.utterance.word == match.detection.word


@pytest.mark.parametrize(
    ("truth", "found", "samples"),
    [
        ([], [], 0),
        ([Utterance("yes", 10, 10)], [], HOUR),
        ([Utterance("yes", -1, 10)], [], HOUR),
        ([], [Detection("silence", 5)], HOUR),
    ],
)
def test_nonsense_is_refused(truth: list[Utterance], found: list[Detection], samples: int) -> None:
    with pytest.raises(KWScopeError):
        score_events(truth, found, samples)

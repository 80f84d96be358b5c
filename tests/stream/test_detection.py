"""Detection: one burst one event, refractory time, hysteresis, only words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.constants import LABELS, SILENCE, UNKNOWN, WORDS
from kwscore.errors import KWScopeError
from kwscore.stream.detection import DetectionSettings, Detector, Event, softmax
from kwscore.stream.telemetry import Telemetry

EMPTY = np.zeros(0, np.float32)


def record(frame: int, logits: np.ndarray) -> Telemetry:
    return Telemetry(frame, 160 * frame + 511, -20.0, EMPTY, EMPTY, EMPTY, EMPTY, logits.astype(np.float32), 1.0)


def logits_of(posteriors: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(posteriors, 1e-9))


def stream(tracks: dict[int, np.ndarray], frames: int) -> np.ndarray:
    """Posteriors (frames, 12): given tracks for some classes, the rest of the probability on silence."""
    p = np.zeros((frames, 12))
    for index, track in tracks.items():
        p[:, index] = track
    p[:, SILENCE] += 1.0 - p.sum(1)
    return p


def run(detector: Detector, posteriors: np.ndarray, first: int = 0) -> list[Event]:
    events = (detector.update(record(first + i, logits_of(p))) for i, p in enumerate(posteriors))
    return [event for event in events if event is not None]


def bump(frames: int, start: int, length: int, height: float = 0.95) -> np.ndarray:
    track = np.zeros(frames)
    track[start : start + length] = height
    return track


def test_one_burst_is_one_event_with_its_times() -> None:
    settings = DetectionSettings(smoothing_ms=10, threshold=0.6, minimum_ms=30)
    track = np.zeros(100)
    track[20:32] = [0.5, 0.61, 0.7, 0.9, 0.8, 0.95, 0.9, 0.9, 0.7, 0.5, 0.65, 0.1]
    (event,) = run(Detector(settings), stream({WORDS.index("stop"): track}, 100))
    assert (event.word, LABELS[event.index]) == ("stop", "stop")
    assert (event.start_frame, event.peak_frame, event.decided_frame) == (21, 23, 23)
    assert (event.start, event.peak, event.decided) == (21 * 160 + 511, 23 * 160 + 511, 23 * 160 + 511)
    assert event.score == pytest.approx(0.9, abs=1e-6)


def test_smoothing_is_the_mean_of_the_last_posteriors() -> None:
    detector = Detector(DetectionSettings(smoothing_ms=50))
    logits = np.random.default_rng(0).normal(0, 3, (700, 12)).astype(np.float32)
    for i, row in enumerate(logits):
        detector.update(record(i, row))
        expected = softmax(logits[max(0, i - 4) : i + 1]).mean(0)
        assert np.abs(detector.posterior - expected).max() < 1e-6


@given(
    length=st.integers(12, 80),
    height=st.floats(0.75, 1.0),
    smoothing=st.sampled_from([10, 50, 100]),
    word=st.integers(0, 9),
)
def test_a_burst_gives_exactly_one_event(length: int, height: float, smoothing: int, word: int) -> None:
    settings = DetectionSettings(smoothing_ms=smoothing, threshold=0.6, minimum_ms=20, refractory_ms=300)
    events = run(Detector(settings), stream({word: bump(200, 40, length, height)}, 200))
    assert [event.index for event in events] == [word]


@given(seed=st.integers(0, 10_000), refractory=st.integers(0, 80), release=st.floats(0.1, 1.0))
def test_events_keep_the_refractory_time_and_rearm_only_below_release(
    seed: int, refractory: int, release: float
) -> None:
    settings = DetectionSettings(
        smoothing_ms=20, threshold=0.4, minimum_ms=20, refractory_ms=10 * refractory, release=release
    )
    rng = np.random.default_rng(seed)
    logits = np.repeat(rng.normal(0, 4, (60, 12)), rng.integers(1, 15, 60), axis=0)
    detector = Detector(settings)
    fired: list[tuple[Event, int]] = []
    levels = []
    for i, row in enumerate(logits):
        event = detector.update(record(i, row))
        levels.append(detector.posterior)
        if event is not None:
            fired.append((event, i))
    for event, frame in fired:
        assert event.decided_frame == frame
        assert event.index < len(WORDS)
        assert event.start_frame <= event.peak_frame <= frame
        assert frame - event.start_frame + 1 >= settings.minimum_frames
        assert all(levels[f][event.index] >= 0.4 - 1e-6 for f in range(event.start_frame, frame + 1))
        assert event.score == pytest.approx(max(levels[f][event.index] for f in range(event.start_frame, frame + 1)))
    for (first, a), (second, b) in pairwise(fired):
        assert b - a >= refractory
        if first.index == second.index:
            assert min(levels[f][first.index] for f in range(a, b)) <= release * 0.4 + 1e-6


def test_a_word_that_stays_up_fires_once_and_again_only_after_release() -> None:
    settings = DetectionSettings(smoothing_ms=10, threshold=0.6, release=0.5, minimum_ms=20, refractory_ms=100)
    track = np.full(300, 0.9)
    track[100:120] = 0.4  # below the threshold, above the release level of 0.3
    track[200:220] = 0.2
    events = run(Detector(settings), stream({3: track}, 300))
    assert [event.decided_frame for event in events] == [1, 221]


def test_silence_and_unknown_never_fire() -> None:
    detector = Detector(DetectionSettings(smoothing_ms=10, minimum_ms=0, refractory_ms=0, threshold=0.01))
    for index in (SILENCE, UNKNOWN):
        p = np.zeros((100, 12))
        p[:, index] = 1.0
        assert run(detector, p) == []


def test_word_thresholds() -> None:
    settings = DetectionSettings(smoothing_ms=10, threshold=0.9, word_thresholds={"up": 0.3})
    p = stream({WORDS.index("up"): bump(100, 10, 20, 0.4), WORDS.index("no"): bump(100, 60, 20, 0.8)}, 100)
    assert [event.word for event in run(Detector(settings), p)] == ["up"]


def test_a_word_within_the_refractory_time_is_delayed_not_lost() -> None:
    settings = DetectionSettings(smoothing_ms=10, minimum_ms=20, refractory_ms=500)
    p = stream({0: bump(200, 10, 20), 1: bump(200, 32, 60)}, 200)
    events = run(Detector(settings), p)
    assert [(event.index, event.start_frame, event.decided_frame) for event in events] == [(0, 10, 11), (1, 32, 61)]


def test_reset_and_interrupted_frames_start_afresh() -> None:
    settings = DetectionSettings(smoothing_ms=100)
    p = stream({2: bump(60, 10, 40)}, 60)
    used, fresh = Detector(settings), Detector(settings)
    run(used, p[:40])
    used.reset()
    assert not used.posterior.any()
    assert run(used, p) == run(fresh, p)
    run(used, p[:30], first=1000)
    assert run(used, p) == run(Detector(settings), p)  # frame 0 after frame 1029: the engine was reset


def test_settings_can_change_while_running() -> None:
    detector = Detector(DetectionSettings(smoothing_ms=10, threshold=0.9))
    p = stream({2: np.full(60, 0.7)}, 60)
    assert run(detector, p) == []
    detector.settings = DetectionSettings(smoothing_ms=10, threshold=0.6)
    assert len(run(detector, p, first=60)) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": 0.0},
        {"threshold": float("nan")},
        {"smoothing_ms": 5},
        {"smoothing_ms": 1e9},
        {"release": 1.5},
        {"minimum_ms": -1},
        {"refractory_ms": "soon"},
        {"word_thresholds": {"marvin": 0.5}},
        {"word_thresholds": {"yes": 2.0}},
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(KWScopeError):
        DetectionSettings.from_dict(values)


def test_settings_survive_a_file() -> None:
    settings = DetectionSettings(threshold=0.7, word_thresholds={"yes": 0.5})
    assert DetectionSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(KWScopeError, match="unknown fields: volume"):
        DetectionSettings.from_dict({"volume": 1})


@pytest.mark.parametrize("cut", [0, 1, 7, 150, 420])
def test_a_state_continues_where_it_was_taken(cut: int) -> None:
    random = np.random.default_rng(5)
    levels = np.clip(np.cumsum(random.normal(0, 0.4, (700, 12)), axis=0), -6, 6).astype(np.float32)
    records = [record(i, row) for i, row in enumerate(levels)]
    whole, first, second = (Detector(DetectionSettings(threshold=0.3)) for _ in range(3))
    expected = [(whole.update(each), whole.posterior.tobytes()) for each in records]
    found = [(first.update(each), first.posterior.tobytes()) for each in records[:cut]]
    second.state = first.state
    found += [(second.update(each), second.posterior.tobytes()) for each in records[cut:]]
    assert found == expected
    assert any(event for event, _ in expected)

"""A silence is collected from the very samples that are heard, and is refused for a reason when it was none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kwscore.constants import HOP, LABELS, N_CLASSES, N_MELS, SAMPLE_RATE, SILENCE, UNKNOWN, WINDOW
from kwscore.errors import KWScopeError
from kwscore.stream.calibrator import NoiseMeter
from kwscore.stream.detection import Event
from kwscore.stream.runner import Batch
from kwscore.stream.silence import Silence
from kwscore.stream.telemetry import Telemetry

PCM = NDArray[np.int16]
SECOND = SAMPLE_RATE
_NONE = np.zeros(0, np.float32)
YES = Event("yes", 0, 0.9, 511, 511, 511, 0, 0, 0)


def hiss(seconds: float, level: float = 0.01, seed: int = 0) -> PCM:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE))
    return np.asarray(np.rint(noise * level * 32767), np.int16)


def batches(
    samples: PCM,
    sizes: int | list[int] = 800,
    *,
    clean: PCM | None = None,
    answer: int = SILENCE,
    event_at: int | None = None,
    first_frame: int = 1000,
    position: int = 0,
) -> list[Batch]:
    """``samples`` as a runner delivers them, every frame answered with ``answer``; a word at sample ``event_at``."""
    made, at, frame = [], 0, first_frame
    cuts = iter(sizes) if isinstance(sizes, list) else iter([sizes] * (len(samples) // sizes + 1))
    while at < len(samples):
        stop = min(at + next(cuts, len(samples)), len(samples))
        frames = stop // HOP - at // HOP
        posteriors = np.zeros((frames, N_CLASSES), np.float32)
        posteriors[:, answer] = 1.0
        telemetry = [
            Telemetry(frame + i, HOP * (frame + i) + WINDOW - 1, -40.0, np.zeros(N_MELS, np.float32), _NONE, _NONE,
                      np.zeros((0, 0), np.float32), np.zeros(len(LABELS), np.float32), 1.0)
            for i in range(frames)
        ]  # fmt: skip
        events = [YES] if event_at is not None and at <= event_at < stop else []
        part = None if clean is None else clean[at:stop]
        made.append(Batch(samples[at:stop], position + at, 0, telemetry, posteriors, events, clean=part))
        at, frame = stop, frame + frames
    return made


def heard(silence: Silence, stream: list[Batch], dropped: int = 0) -> Silence:
    for batch in stream:
        silence.add(batch, dropped)
    return silence


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=12), st.sampled_from([0.0, 0.1, 0.5]))
def test_exactly_the_samples_after_the_lead_however_they_come(sizes: list[int], lead: float) -> None:
    samples = hiss(2.0)
    silence = heard(Silence(1.0, lead=lead), batches(samples, sizes, position=320))
    first = round(lead * SAMPLE_RATE)
    expected = NoiseMeter()
    expected.add(samples[first : first + SECOND])
    assert silence.done
    assert silence.refusal == ""
    assert silence.start == 320 + first
    assert silence.progress == 1.0
    found, wanted = silence.profile(), expected.profile()
    np.testing.assert_allclose(found.spectrum, wanted.spectrum, rtol=1e-9)
    assert found.seconds == wanted.seconds
    assert silence.room_dbfs == pytest.approx(wanted.level_dbfs)


def test_nothing_counts_before_the_lead_is_over() -> None:
    silence = heard(Silence(1.0, lead=0.5), batches(hiss(0.4)))
    assert silence.waiting
    assert (silence.progress, silence.collected, silence.done) == (0.0, 0.0, False)
    assert silence.level_dbfs == pytest.approx(-40, abs=1)
    click = np.concatenate((hiss(0.3, 0.3), hiss(1.5)))
    assert heard(Silence(1.0, lead=0.5), batches(click, event_at=100)).refusal == ""


def test_a_word_is_no_silence() -> None:
    stream = batches(hiss(1.0), event_at=8000)
    silence = heard(Silence(1.0), stream[:-1])
    assert "“yes” was heard" in silence.disturbance
    assert not silence.done
    silence.add(stream[-1])
    assert silence.done
    assert "“yes” was heard" in silence.refusal
    assert silence.might_be_noise
    assert silence.profile().level_dbfs == pytest.approx(-40, abs=1)
    assert silence.profile().seconds == pytest.approx(0.992)
    before = silence.refusal
    silence.add(batches(hiss(0.1))[0])
    assert silence.refusal == before


def test_a_knock_is_no_silence() -> None:
    samples = hiss(1.0)
    samples[8000:9600] = hiss(0.1, 0.3)
    assert "changed by 2" in heard(Silence(1.0), batches(samples)).refusal


def test_speech_that_is_no_word_is_no_silence() -> None:
    silence = heard(Silence(1.0), batches(hiss(1.0), answer=UNKNOWN))
    assert "like speech" in silence.refusal
    assert silence.might_be_noise
    fresh = batches(hiss(1.0), answer=UNKNOWN, first_frame=0)  # what it says right after a reset counts for nothing
    assert heard(Silence(0.9), fresh).refusal != ""
    assert heard(Silence(0.6), fresh).refusal == ""


def test_mixed_in_noise_is_not_the_users_speech() -> None:
    room, noise = hiss(1.0), hiss(1.0, 0.1, seed=1)
    mixed = np.asarray(room + noise, np.int16)
    silence = heard(Silence(1.0), batches(mixed, clean=room, answer=UNKNOWN, event_at=8000))
    assert silence.refusal == ""
    assert silence.profile().level_dbfs == pytest.approx(-20, abs=0.5)
    assert silence.room_dbfs == pytest.approx(-40, abs=0.5)
    room[8000:9600] = hiss(0.1, 0.03)  # but somebody moves
    silence = heard(Silence(1.0), batches(mixed, clean=room, event_at=9000))
    assert "“yes”" in silence.refusal
    untouched = heard(Silence(1.0), batches(hiss(1.0), clean=hiss(1.0), event_at=8000))  # a mixer that adds nothing
    assert "“yes”" in untouched.refusal


def test_noise_that_begins_in_the_middle_is_no_steady_noise() -> None:
    room, noise = hiss(2.0), hiss(2.0, 0.1, seed=1)
    noise[: SECOND // 2] = 0
    mixed = np.asarray(room + noise, np.int16)
    assert "began or ended" in heard(Silence(1.0), batches(mixed, clean=room)).refusal
    silence = heard(Silence(1.0, patience=30.0), batches(mixed, 16_000, clean=room))  # a stored one, in large pieces
    assert silence.refusal == ""
    assert silence.profile().steady


def test_digital_silence_and_a_gate() -> None:
    assert "Digital silence" in heard(Silence(1.0), batches(np.zeros(SECOND, np.int16))).refusal
    gated = hiss(1.0, 0.0005)
    gated[: 10 * SECOND // 16] = 0
    silence = heard(Silence(1.0), batches(gated))
    assert "nothing but zeros" in silence.refusal
    assert not silence.might_be_noise
    assert heard(Silence(1.0), batches(hiss(1.0, 0.0005))).refusal == ""


def test_a_gap_or_a_new_beginning_is_said() -> None:
    silence, stream = Silence(1.0), batches(hiss(1.0))
    silence.add(stream[0], dropped=3)
    silence.add(stream[1], dropped=163)
    assert "160 samples were lost" in silence.refusal
    silence = Silence(1.0)
    silence.add(stream[4])
    silence.add(stream[0])
    assert "began anew" in silence.refusal
    assert not silence.might_be_noise
    silence = Silence(1.0)
    silence.stop("The source stopped.")
    assert (silence.done, silence.refusal) == (True, "The source stopped.")


def test_a_stored_source_is_searched_for_a_quiet_stretch() -> None:
    samples = hiss(4.0)
    samples[4000:12_000] = hiss(0.5, 0.3)
    silence = heard(Silence(1.0, patience=30.0), batches(samples, event_at=10_000))
    assert silence.refusal == ""
    assert silence.again > 0
    assert silence.start >= 12_000
    assert silence.profile().level_dbfs == pytest.approx(-40, abs=0.5)
    restless = np.concatenate([hiss(0.25, 0.3 if i % 2 else 0.01) for i in range(16)])
    silence = heard(Silence(1.0, patience=2.0), batches(restless))
    assert silence.refusal.startswith("No quiet 1 s came within 2 s")
    assert not silence.might_be_noise


def test_too_short_is_refused_at_once() -> None:
    with pytest.raises(KWScopeError, match=r"0\.2 s is too short: calibration needs at least 0\.3 s"):
        Silence(0.2)

"""Meters against arithmetic, and the active speech level against a literal transcription of P.56."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.level import (
    ActiveSpeechMeter,
    active_speech_dbfs,
    judge_level,
    rms_dbfs,
)


def tone(level_dbfs, n=16_000, f=440.0):
    """A sine of a given RMS level, float32."""
    return (np.sqrt(2) * 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * f * np.arange(n) / 16_000)).astype(np.float32)


def test_levels_of_known_signals():
    assert rms_dbfs(tone(-20)) == pytest.approx(-20, abs=0.01)
    square = np.tile(np.asarray([-32768, -32768], dtype=np.int16), 50)
    assert rms_dbfs(square) == 0
    for nothing in (np.zeros(100, np.int16), np.zeros(0, np.int16)):
        assert rms_dbfs(nothing) == -120


def literal_p56(x, fs=16_000, margin=15.9):
    """The recommendation's loop, as written there."""
    g = np.exp(-1 / (fs * 0.03))
    hang = int(np.ceil(fs * 0.2))
    c = [2.0**-j for j in range(15, 0, -1)]
    a, h = [0] * 15, [hang] * 15
    sq = p = q = 0.0
    for s in x:
        sq += s * s
        p = g * p + (1 - g) * abs(s)
        q = g * q + (1 - g) * p
        for j in range(15):
            if q >= c[j]:
                a[j] += 1
                h[j] = 0
            elif h[j] < hang:
                a[j] += 1
                h[j] += 1
    levels = [10 * np.log10(sq / n) for n in a if n]
    gaps = [level - 20 * np.log10(t) for level, t in zip(levels, c, strict=False)]
    j = next(i for i, gap in enumerate(gaps) if gap <= margin)
    share = (gaps[j - 1] - margin) / (gaps[j - 1] - gaps[j])
    return levels[j - 1] + share * (levels[j] - levels[j - 1])


def speechlike(seed, level):
    """Bursts of noise with pauses between."""
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.choice([0.0, 0.3, 1.0], 12), 1_000)
    x = rng.normal(0, 0.2, len(envelope)) * envelope + rng.normal(0, 1e-4, len(envelope))
    return (x * 10 ** (level / 20)).astype(np.float32)


@pytest.mark.parametrize(("seed", "level"), [(1, 0), (2, -12), (3, -25)])
def test_active_level_equals_the_recommendation(seed, level):
    x = speechlike(seed, level)
    assert active_speech_dbfs(x) == pytest.approx(literal_p56(x.astype(np.float64)), abs=1e-6)


@given(st.lists(st.integers(0, 12_000), max_size=8))
def test_active_level_does_not_depend_on_chunks(cuts):
    x = speechlike(4, -6)
    meter = ActiveSpeechMeter()
    for part in np.split(x, sorted(cuts)):
        meter.process(part)
    assert meter.active_dbfs == pytest.approx(active_speech_dbfs(x), abs=1e-9)


def test_pauses_lower_the_rms_but_not_the_active_level():
    x = tone(-23, 32_000)
    padded = np.concatenate((np.zeros(32_000, np.float32), x, np.zeros(64_000, np.float32)))
    meter = ActiveSpeechMeter()
    meter.process(padded)
    assert meter.long_term_dbfs == pytest.approx(-29, abs=0.1)
    assert meter.active_dbfs == pytest.approx(-23 - 0.5, abs=0.2)  # 2 s of tone and the hangover
    assert meter.activity == pytest.approx(0.28, abs=0.02)


def test_active_level_of_nothing_and_of_int16():
    assert ActiveSpeechMeter().active_dbfs == -120
    assert active_speech_dbfs(np.zeros(16_000, np.int16)) == -120
    assert ActiveSpeechMeter().activity == 0
    x = tone(-20)
    assert active_speech_dbfs((x * 32768).astype(np.int16)) == pytest.approx(active_speech_dbfs(x), abs=0.01)


def test_one_verdict_on_the_loudest_level():
    trained = (-50.0, -8.0)
    verdicts = [judge_level([-90.0, level, -70.0], trained) for level in (-60, -50, -20, -8, -7.9)]
    assert [verdict.words for verdict in verdicts] == [
        "too quiet",
        "good level",
        "good level",
        "good level",
        "too loud",
    ]
    assert [verdict.loudest_dbfs for verdict in verdicts] == [-60, -50, -20, -8, -7.9]
    assert judge_level(np.asarray([-30.0], np.float32), None) == (-30.0, "")

"""Conversion to mono 16 kHz int16: exact where nothing is to be done, chunk-invariant, clean, and prompt when live."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwscore.audio.resample import Downmix, Resampler, resampled_length, to_int16, to_mono
from kwscore.errors import KWScopeError

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)


def run(x, rate, *, live=False, cuts=()):
    resampler = Resampler(rate, live=live)
    return np.concatenate([*(resampler.process(part) for part in np.split(x, cuts)), resampler.flush()])


def tone(f, rate, seconds=1.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * f * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@given(st.sampled_from(RATES), st.booleans(), st.lists(st.integers(0, 20_000), max_size=12), st.integers(1, 2))
@settings(max_examples=40)
def test_output_does_not_depend_on_chunks(rate, live, cuts, channels):
    x = np.random.default_rng(1).normal(0, 0.3, (20_000, channels)).astype(np.float32)
    np.testing.assert_array_equal(run(x, rate, live=live, cuts=sorted(cuts)), run(x, rate, live=live))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("live", [False, True])
def test_tones_pass_and_aliases_do_not(rate, live):
    for f in (300.0, 1_000.0, 3_000.0, 6_000.0):
        if f > 0.4 * rate:
            continue
        y = run(tone(f, rate), rate, live=live)[2_000:14_000] / 32768
        t = np.arange(2_000, 14_000) / 16_000
        basis = np.stack((np.sin(2 * np.pi * f * t), np.cos(2 * np.pi * f * t)), 1)
        fit, *_ = np.linalg.lstsq(basis, y, rcond=None)
        assert np.hypot(*fit) == pytest.approx(0.5, rel=0.005)
        assert np.std(y - basis @ fit) < 5e-5
    for f in (9_500.0, 13_000.0, 21_000.0):
        if f < 0.45 * rate:
            assert np.abs(run(tone(f, rate), rate, live=live)[2_000:14_000]).max() <= 1


@pytest.mark.parametrize("rate", RATES)
def test_files_stay_aligned_and_keep_their_duration(rate):
    t = np.arange(rate) / rate
    x = np.exp(-(((t - 0.5) / 0.002) ** 2)).astype(np.float32)
    y = run(x, rate).astype(np.float64)
    assert abs(len(y) - 16_000) <= 1
    assert np.sum(y * np.arange(len(y))) / np.sum(y) == pytest.approx(8_000, abs=0.05)
    assert resampled_length(rate, rate) == 16_000


@pytest.mark.parametrize("rate", [r for r in RATES if r != 16_000])
def test_live_flow_is_prompt_and_even(rate):
    resampler = Resampler(rate, live=True)
    x = np.random.default_rng(2).normal(0, 0.1, rate).astype(np.float32)
    sizes = [len(resampler.process(part)) for part in np.array_split(x, 100)]
    assert 16_000 - sum(sizes) <= 500  # no more than 31 ms inside
    assert max(sizes[10:]) <= 165
    assert min(sizes[10:]) >= 155


def test_16_khz_mono_passes_untouched():
    x = np.arange(-32768, 32768, dtype=np.int16)
    np.testing.assert_array_equal(run(x, 16_000), x)
    np.testing.assert_array_equal(run(x[:, None], 16_000), x)
    np.testing.assert_array_equal(run(x.astype(np.float32) / 32768, 16_000), x)


def test_rounding_and_saturation():
    x = np.asarray([0.4, 0.6, -0.6, 32767.4, 40_000, -32768, -99_999], dtype=np.float32) / np.float32(32768)
    np.testing.assert_array_equal(to_int16(x), [0, 1, -1, 32767, 32767, -32768, -32768])


def test_channels_are_averaged_and_nan_is_silenced():
    x = np.asarray([[1000, 3000], [-32768, 32767]], dtype=np.int16)
    np.testing.assert_allclose(to_mono(x) * 32768, [2000, -0.5])
    bad = tone(440, 48_000)
    bad[1_000] = np.nan
    bad[2_000] = np.inf
    y = run(bad, 48_000, live=True)
    good = run(tone(440, 48_000), 48_000, live=True)
    assert np.abs(y[1_500:].astype(int) - good[1_500:]).max() <= 1  # the filter did not keep it


def test_reset_equals_new():
    x = tone(700, 44_100)
    resampler = Resampler(44_100, live=True)
    resampler.process(x)
    resampler.flush()
    resampler.reset()
    np.testing.assert_array_equal(resampler.process(x), Resampler(44_100, live=True).process(x))


@pytest.mark.parametrize("rate", [0, -1, 1_000, 1_000_000])
def test_impossible_rates_are_one_sentence(rate):
    with pytest.raises(KWScopeError, match=f"{rate} Hz is not supported"):
        Resampler(rate)


@given(st.lists(st.integers(0, 3_000), max_size=10))
def test_downmix_does_not_depend_on_chunks(cuts):
    x = np.random.default_rng(3).normal(0, 0.1, (3_000, 1)).astype(np.float32) * np.asarray([[1, 1]], np.float32)
    x[1_000:, 1] *= -1
    whole = Downmix(16_000)
    expected = whole.process(x)
    parts = Downmix(16_000)
    got = np.concatenate([parts.process(part) for part in np.split(x, sorted(cuts))])
    np.testing.assert_array_equal(got, expected)
    assert whole.cancels
    np.testing.assert_array_equal(expected[:1_000], x[:1_000, 0])
    np.testing.assert_array_equal(expected[1_600:], x[1_600:, 0])


def test_silence_and_ordinary_stereo_do_not_count_as_cancelling():
    random = np.random.default_rng(4)
    for x in (np.zeros((4_000, 2)), random.normal(0, 0.1, (4_000, 2)), random.normal(0, 1e-5, (4_000, 1)) * [1, -1]):
        downmix = Downmix(16_000)
        downmix.process(x.astype(np.float32))
        assert not downmix.cancels

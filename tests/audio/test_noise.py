"""The published noises against a literal transcription of their description, and streams of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwscore.audio.mixing import mix, rms
from kwscore.audio.noise import PUBLISHED_NOISES, SyntheticNoise, babble_from_clips, make_noise
from kwscore.errors import KWScopeError

LN = 16_000
T = np.arange(LN) / 16_000


def pk(x):
    return 0.7 * x / (np.max(np.abs(x)) + 1e-8)


def masked(rng, low, high, box):
    f = np.fft.rfftfreq(LN, 1 / 16_000)
    mask = np.convolve(((f >= low) & (f <= high)).astype(float), np.ones(box) / box, mode="same")
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(LN)) * mask, LN)


def literal(kind, rng):
    """The description, word for word, in double precision."""
    if kind == "white":
        return pk(rng.standard_normal(LN))
    if kind == "pink":
        f = np.fft.rfftfreq(LN, 1 / 16_000)
        f[0] = 1
        return pk(np.fft.irfft(np.fft.rfft(rng.standard_normal(LN)) / np.sqrt(f), LN))
    if kind == "factory":
        x = sum(0.3 * 50 / h * np.sin(2 * np.pi * h * T + rng.uniform(0, 2 * np.pi)) for h in (50, 100, 150, 200, 250))
        x = x + 0.2 * masked(rng, 200, 800, 20)
        for _ in range(rng.integers(5, 15)):
            start, length = rng.integers(0, LN - 1000), rng.integers(50, 500)
            x[start : start + length] += rng.uniform(0.3, 0.8) * np.hanning(length) * rng.standard_normal(length)
        return pk(x + 0.15 * literal("pink", rng))
    if kind == "street":
        x = 0.3 * masked(rng, 20, 200, 10)
        for _ in range(rng.integers(1, 4)):
            start, length = rng.integers(0, LN - 3000), rng.integers(1000, 3000)
            f, a = rng.uniform(300, 600), rng.uniform(0.3, 0.6)
            x[start : start + length] += a * np.sin(2 * np.pi * f * T[:length]) * np.hanning(length)
        f = rng.uniform(80, 150)
        x = x + 0.15 * rng.standard_normal(LN)
        return pk(x + 0.2 * np.sin(2 * np.pi * f * T) + 0.1 * np.sin(4 * np.pi * f * T))
    x = np.zeros(LN)
    for _ in range(rng.integers(5, 9)):
        f0 = rng.uniform(100, 300)
        tones = 0.15 * sum(np.sin(2 * np.pi * f * T) for f in (730, 1090, 2440))
        voice = 0.3 * np.sin(2 * np.pi * f0 * T) + 0.1 * np.sin(4 * np.pi * f0 * T) + tones
        start, length = int(rng.uniform(0.05, 0.3) * LN), int(rng.uniform(0.3, 0.8) * LN)
        envelope = np.zeros(LN)
        envelope[start : start + length] = np.hanning(length)[: LN - start]
        x += envelope * voice
    return pk(x)


def band_powers(x):
    """dB power in octave-like bands, and the total."""
    power = np.abs(np.fft.rfft(x)) ** 2
    edges = (1, 40, 120, 230, 500, 900, 1600, 3000, 8001)
    bands = [power[a:b].sum() for a, b in pairwise(edges)]
    return np.asarray([*bands, power.sum()]) / LN**2


@pytest.mark.parametrize("kind", PUBLISHED_NOISES)
def test_spectrum_equals_the_literal_description(kind):
    draws = 150
    ours = np.mean([band_powers(make_noise(kind, LN, np.random.default_rng((1, i)))) for i in range(draws)], axis=0)
    theirs = np.mean([band_powers(literal(kind, np.random.default_rng((2, i)))) for i in range(draws)], axis=0)
    np.testing.assert_allclose(10 * np.log10(ours + 1e-9), 10 * np.log10(theirs + 1e-9), atol=0.8)


@pytest.mark.parametrize("kind", PUBLISHED_NOISES)
def test_published_noise_has_peak_07_and_follows_its_seed(kind):
    x = make_noise(kind, LN, np.random.default_rng(3))
    assert x.dtype == np.float32
    assert np.abs(x).max() == pytest.approx(0.7, abs=1e-5)
    np.testing.assert_array_equal(x, make_noise(kind, LN, np.random.default_rng(3)))
    assert not np.array_equal(x, make_noise(kind, LN, np.random.default_rng(4)))


@given(st.sampled_from(PUBLISHED_NOISES), st.integers(0, 40_000))
@settings(max_examples=30, deadline=None)
def test_any_length(kind, n):
    x = make_noise(kind, n, np.random.default_rng(n))
    assert x.shape == (n,)
    assert np.isfinite(x).all()
    assert n == 0 or np.abs(x).max() < 1.0


@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None)
def test_stream_does_not_depend_on_how_it_is_read(sizes):
    parts = SyntheticNoise("street", np.random.default_rng(5))
    whole = SyntheticNoise("street", np.random.default_rng(5))
    np.testing.assert_array_equal(np.concatenate([parts.read(n) for n in sizes]), whole.read(sum(sizes)))


@pytest.mark.parametrize("kind", PUBLISHED_NOISES)
def test_stream_at_unit_rms_keeps_its_level(kind):
    x = SyntheticNoise(kind, np.random.default_rng(6), unit_rms=True).read(20 * LN)
    assert np.sqrt(np.mean(x**2)) == pytest.approx(1.0, rel=0.03)


def test_crossfade_of_white_noise_leaves_no_seam():
    x = SyntheticNoise("white", np.random.default_rng(7), unit_rms=True).read(40 * LN)
    levels = np.sqrt(np.mean(x.reshape(-1, 1_600) ** 2, axis=1))
    assert levels.min() > 0.9
    assert levels.max() < 1.1


def test_babble_from_clips_sums_clips_and_refuses_none():
    rng = np.random.default_rng(8)
    loud = rng.integers(-3000, 3000, 9_000).astype(np.int16)
    clips: list[np.ndarray] = [loud, rng.normal(0, 0.1, 20_000).astype(np.float32)]
    x = babble_from_clips(clips, LN, rng)
    assert x.shape == (LN,)
    assert np.abs(x).max() == pytest.approx(0.7, abs=1e-5)
    with pytest.raises(KWScopeError, match="at least one speech clip"):
        babble_from_clips([], LN, rng)


def test_unknown_noise_is_one_sentence():
    for n in (100, 50_000):
        with pytest.raises(KWScopeError, match=r"no noise named 'rain'.*white, pink"):
            make_noise("rain", n, np.random.default_rng(0))


@given(st.floats(-20, 30), st.floats(1e-3, 0.5), st.sampled_from(PUBLISHED_NOISES))
@settings(max_examples=30, deadline=None)
def test_mix_reaches_the_snr(snr, level, kind):
    rng = np.random.default_rng(9)
    x = (level * rng.standard_normal(LN)).astype(np.float32)
    added = mix(x, make_noise(kind, LN, rng), snr).astype(np.float64) - x
    assert 10 * np.log10(np.mean(x.astype(np.float64) ** 2) / np.mean(added**2)) == pytest.approx(snr, abs=0.01)


def test_mix_is_the_published_formula_per_row():
    rng = np.random.default_rng(10)
    x = rng.normal(0, 0.1, (3, 800)).astype(np.float32)
    x[1] = 0
    v = rng.normal(0, 0.2, (3, 800)).astype(np.float32)
    snrs = np.asarray([-5.0, 0.0, 12.0])
    for i, snr in enumerate(snrs):
        a, b = x[i].astype(np.float64), v[i].astype(np.float64)
        level = [np.sqrt(np.mean(s**2) + 1e-10) for s in (a, b)]
        expected = a + b * (level[0] / 10 ** (snr / 20)) / level[1]
        np.testing.assert_allclose(mix(x, v, snrs)[i], expected, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(mix(x[i], v[i], float(snr)), expected, rtol=1e-4, atol=1e-7)
    assert rms(x).shape == (3, 1)
    assert rms(x)[1, 0] == pytest.approx(1e-5, rel=1e-3)

"""The five published synthetic noises and streams of noise of any length, synthetic or recorded.

The published noises are defined for 1 s (16,000 samples); ``make_noise`` draws exactly those, distribution for
distribution. For other lengths: a shorter noise is a random cut of a published piece; a longer one is a chain of
independent published pieces, each crossfaded with the next over 0.2 s at equal power, begun at a random point of the
first piece. Where the published recipe filters white noise, the spectrum is drawn directly (the transform of white
noise is white): the same distribution at half the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError

Float = NDArray[np.float32]

PUBLISHED_NOISES = ("white", "pink", "factory", "street", "babble")
"""Names that ``make_noise`` takes, in the published order of description."""
PIECE = SAMPLE_RATE
"""Samples of one published noise."""
CROSSFADE = 3_200
"""Samples over which two pieces of a longer noise overlap, 0.2 s."""

_BINS = PIECE // 2 + 1


def _peak(x: Float) -> Float:
    """Scale to a peak of 0.7 (in place where possible)."""
    x *= np.float32(0.7 / (float(max(x.max(), -x.min())) + 1e-8))
    return x


@cache
def _hann(n: int) -> Float:
    window = np.hanning(n).astype(np.float32)
    window.flags.writeable = False
    return window


@cache
def _pink_shape() -> Float:
    frequency = np.arange(_BINS, dtype=np.float64)  # 1 Hz bins
    frequency[0] = 1.0
    return (1.0 / np.sqrt(frequency)).astype(np.float32)


@cache
def _band_shape(low: int, high: int, box: int) -> tuple[int, Float]:
    """Band mask low..high Hz with box-smoothed edges as (first bin, gains); zero elsewhere."""
    mask = np.zeros(_BINS)
    mask[low : high + 1] = 1.0
    mask = np.convolve(mask, np.ones(box) / box, mode="same")
    used = np.flatnonzero(mask > 0)
    return int(used[0]), mask[used[0] : used[-1] + 1].astype(np.float32)


@cache
def _hum_table() -> Float:
    """(10, 320) sines and cosines of 50..250 Hz, weighted: every hum repeats after one period of 50 Hz, 320 samples."""
    t = np.arange(SAMPLE_RATE // 50) / SAMPLE_RATE
    rows = []
    for h in (50, 100, 150, 200, 250):
        rows += [0.3 * 50 / h * np.sin(2 * np.pi * h * t), 0.3 * 50 / h * np.cos(2 * np.pi * h * t)]
    return np.asarray(rows, dtype=np.float32)


@cache
def _formants() -> Float:
    t = np.arange(PIECE) / SAMPLE_RATE
    tones = np.sin(2 * np.pi * np.outer((730.0, 1090.0, 2440.0), t))
    return (0.15 * tones.sum(axis=0)).astype(np.float32)


def _sine(frequency: float, start: int, n: int) -> Float:
    """sin(2 pi f t) for samples start..start+n: cycles in double, so that single precision sees only a small angle."""
    cycles = np.arange(start, start + n) * (frequency / SAMPLE_RATE)
    cycles -= np.rint(cycles)
    return np.sin(cycles.astype(np.float32) * np.float32(2 * np.pi))


def _spectrum(rng: np.random.Generator, bins: int) -> NDArray[np.complex64]:
    """Bins of the rFFT of 16,000 standard normal samples (none of them DC or Nyquist)."""
    z: NDArray[np.complex64] = rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)
    z *= np.float32(np.sqrt(PIECE / 2))
    return z


def _white(rng: np.random.Generator) -> Float:
    return _peak(rng.standard_normal(PIECE, dtype=np.float32))


def _pink(rng: np.random.Generator) -> Float:
    z = _spectrum(rng, _BINS)
    for edge in (0, -1):  # DC and Nyquist are real, with the whole variance
        z[edge] = z[edge].real * np.float32(np.sqrt(2))
    z *= _pink_shape()
    return _peak(np.fft.irfft(z, PIECE).astype(np.float32, copy=False))


def _band(rng: np.random.Generator, low: int, high: int, box: int) -> Float:
    """Standard normal noise band-limited by a smoothed FFT mask."""
    first, gains = _band_shape(low, high, box)
    z = np.zeros(_BINS, dtype=np.complex64)
    z[first : first + len(gains)] = _spectrum(rng, len(gains)) * gains
    return np.fft.irfft(z, PIECE).astype(np.float32, copy=False)


def _factory(rng: np.random.Generator) -> Float:
    phase = rng.uniform(0, 2 * np.pi, 5)
    period = np.column_stack((np.cos(phase), np.sin(phase))).ravel().astype(np.float32) @ _hum_table()
    x = np.tile(period, PIECE // len(period))
    x += np.float32(0.2) * _band(rng, 200, 800, 20)
    for _ in range(rng.integers(5, 15)):
        start, length = int(rng.integers(0, PIECE - 1000)), int(rng.integers(50, 500))
        burst = rng.standard_normal(length, dtype=np.float32)
        x[start : start + length] += np.float32(rng.uniform(0.3, 0.8)) * _hann(length) * burst
    x += np.float32(0.15) * _pink(rng)
    return _peak(x)


def _street(rng: np.random.Generator) -> Float:
    x = np.float32(0.3) * _band(rng, 20, 200, 10)
    for _ in range(rng.integers(1, 4)):
        start, length = int(rng.integers(0, PIECE - 3000)), int(rng.integers(1000, 3000))
        frequency, amplitude = rng.uniform(300, 600), np.float32(rng.uniform(0.3, 0.6))
        x[start : start + length] += amplitude * _hann(length) * _sine(frequency, 0, length)
    x += np.float32(0.15) * rng.standard_normal(PIECE, dtype=np.float32)
    engine = rng.uniform(80, 150)
    x += np.float32(0.2) * _sine(engine, 0, PIECE) + np.float32(0.1) * _sine(2 * engine, 0, PIECE)
    return _peak(x)


def _babble(rng: np.random.Generator) -> Float:
    x = np.zeros(PIECE, dtype=np.float32)
    for _ in range(rng.integers(5, 9)):
        f0 = rng.uniform(100, 300)
        onset = int(rng.uniform(0.05, 0.3) * SAMPLE_RATE)
        envelope = _hann(int(rng.uniform(0.3, 0.8) * SAMPLE_RATE))[: PIECE - onset]
        end = onset + len(envelope)
        voice = np.float32(0.3) * _sine(f0, onset, len(envelope))
        voice += np.float32(0.1) * _sine(2 * f0, onset, len(envelope))
        voice += _formants()[onset:end]
        x[onset:end] += envelope * voice
    return _peak(x)


_PIECES: dict[str, Callable[[np.random.Generator], Float]] = {
    "white": _white,
    "pink": _pink,
    "factory": _factory,
    "street": _street,
    "babble": _babble,
}


def babble_from_clips(clips: Sequence[NDArray[np.generic]], n: int, rng: np.random.Generator) -> Float:
    """The published babble for a caller that has speech: 5 to 8 random clips at their own level, summed, peak 0.7.

    ``clips``: mono 16 kHz, int16 or float32 in [-1, 1]; padded, or cut at random, to ``n`` samples.
    Returns (n,) float32.
    """
    if not clips:
        raise KWScopeError("babble needs at least one speech clip: give a list of recordings or use make_noise.")
    x = np.zeros(n, dtype=np.float32)
    for pick in rng.integers(0, len(clips), rng.integers(5, 9)):
        clip = clips[pick]
        start = int(rng.integers(0, len(clip) - n + 1)) if len(clip) > n else 0
        voice = clip[start : start + n]
        scale = np.float32(1 / 32768) if voice.dtype == np.int16 else np.float32(1)
        x[: len(voice)] += voice.astype(np.float32) * scale
    return _peak(x)


class SyntheticNoise:
    """An endless stream of one published noise.

    ``unit_rms`` scales every 1 s piece so that the stream's RMS is 1 (the published mixing does so with its 1 s noise)
    instead of a peak of 0.7.
    The stream depends only on the generator's state, not on how it is read.
    """

    def __init__(self, kind: str, rng: np.random.Generator, *, unit_rms: bool = False) -> None:
        if kind not in _PIECES:
            raise KWScopeError(f"There is no noise named '{kind}': choose one of {', '.join(PUBLISHED_NOISES)}.")
        self.name = kind
        self._rng = rng
        self._unit_rms = unit_rms
        ramp = (np.arange(CROSSFADE, dtype=np.float32) + np.float32(0.5)) * np.float32(np.pi / 2 / CROSSFADE)
        self._rise, self._fall = np.sin(ramp), np.cos(ramp)
        self._piece = self._draw()
        self._at = int(rng.integers(0, PIECE - CROSSFADE))

    def _draw(self) -> Float:
        piece = _PIECES[self.name](self._rng)
        if self._unit_rms:
            # The energy that each piece adds once faded, per the samples by which it lengthens the stream.
            energy = np.square(piece)
            energy[:CROSSFADE] *= np.square(self._rise)
            energy[-CROSSFADE:] *= np.square(self._fall)
            piece *= np.float32(np.sqrt((PIECE - CROSSFADE) / (float(energy.sum()) + 1e-20)))
        return piece

    def read(self, n: int) -> Float:
        """The next (n,) float32 samples."""
        out = np.empty(n, dtype=np.float32)
        done = 0
        while done < n:
            if self._at == PIECE - CROSSFADE:
                following = self._draw()
                following[:CROSSFADE] *= self._rise
                following[:CROSSFADE] += self._piece[-CROSSFADE:] * self._fall
                self._piece, self._at = following, 0
            take = min(n - done, PIECE - CROSSFADE - self._at)
            out[done : done + take] = self._piece[self._at : self._at + take]
            self._at += take
            done += take
        return out


def make_noise(kind: str, n: int, rng: np.random.Generator) -> Float:
    """``n`` samples at 16 kHz of a published noise as (n,) float32, drawn from ``rng``.

    ``n`` = 16,000 is the published definition with a peak of 0.7; see the module for other lengths (a longer noise may
    peak at up to 1 where two pieces meet). Raises KWScopeError for an unknown name.
    """
    if kind not in _PIECES:
        raise KWScopeError(f"There is no noise named '{kind}': choose one of {', '.join(PUBLISHED_NOISES)}.")
    if n > PIECE:
        return SyntheticNoise(kind, rng).read(n)
    piece = _PIECES[kind](rng)
    if n == PIECE:
        return piece
    start = int(rng.integers(0, PIECE - n + 1))
    return piece[start : start + n].copy()

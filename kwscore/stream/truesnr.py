"""The true SNR of every band where the noise is known, beside what a network's estimate says in the same unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import FLOOR_DBFS
from kwscore.constants import HOP, N_MELS, SAMPLE_RATE, WINDOW
from kwscore.models.constants import SNR_GAIN
from kwscore.models.melbank import mel_filterbank
from kwscore.stream.runner import Batch

LEAST_DB, MOST_DB = -15.0, 30.0
"""What both are compared within: a noise floor that must be followed says nothing outside."""
BOUND_DB = 60.0
NOISE_SCALE = 1.5
"""Scale k of the noise floor in the estimator (section 3.3): its initial value, at which our networks stay."""
_KEPT = SAMPLE_RATE
_MOST = 1.0 - 2.0**-24  # the largest estimate below 1 in float32


class SnrTruth(NamedTuple):
    """Of n frames; NaN where no noise is known.

    ``snr``                       (n, 40) dB by band, within +-60.
    ``clean_dbfs``, ``noise_dbfs``  (n,) levels of the frame's newest hop without the noise, and of the noise alone.
    """

    snr: NDArray[np.float32]
    clean_dbfs: NDArray[np.float32]
    noise_dbfs: NDArray[np.float32]

    @classmethod
    def unknown(cls, n: int) -> SnrTruth:
        """Of n frames of which no noise is known."""
        flat = np.full(n, np.nan, np.float32)
        return cls(np.full((n, N_MELS), np.nan, np.float32), flat, flat.copy())

    def after(self, frames: int) -> SnrTruth:
        """Without the first ``frames`` frames."""
        return SnrTruth(self.snr[frames:], self.clean_dbfs[frames:], self.noise_dbfs[frames:])


class TrueSnr:
    """10 log10(S/N) of each frame and band: powers of clean sound and noise through the network's own window and mel
    filters. The noise is what was heard minus what was there without it, rounding and saturation included: noise that
    was mixed in, and that of a playlist which knows its items without noise.

    Give it every batch of a runner, in order; frames may come up to a second after their sound.
    """

    def __init__(self) -> None:
        self._bank = mel_filterbank().astype(np.float64)
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        self._clean = np.zeros(0, np.int16)
        self._heard = np.zeros(0, np.int16)
        self._end = 0  # runner's clock
        self._noisy_to = -1  # one past the newest sample that noise was mixed into

    def measure(self, batch: Batch) -> SnrTruth:
        """Of the batch's telemetry."""
        if batch.position != self._end:
            self._clean, self._heard = self._clean[:0], self._heard[:0]
        clean = batch.samples if batch.clean is None else batch.clean
        self._clean = np.concatenate([self._clean, clean])[-_KEPT - len(clean) :]
        self._heard = np.concatenate([self._heard, batch.samples])[-_KEPT - len(clean) :]
        self._end = batch.position + len(clean)
        if batch.clean is not None:
            self._noisy_to = self._end
        begin = self._end - len(self._heard)
        firsts = [record.sample + batch.origin + 1 - WINDOW for record in batch.telemetry]
        out = SnrTruth.unknown(len(firsts))
        rows = [row for row, first in enumerate(firsts) if begin <= first < self._noisy_to]
        if rows:
            places = (np.array([firsts[row] for row in rows]) - begin)[:, None] + np.arange(WINDOW)
            there = self._clean[places].astype(np.float64)
            noise = self._heard[places] - there
            out.snr[rows] = band_snr_db(self._power(there), self._power(noise))
            known = np.isfinite(out.snr[rows, 0])
            for levels, part in ((out.clean_dbfs, there), (out.noise_dbfs, noise)):
                levels[rows] = np.where(known, _level(part[:, -HOP:]), np.nan)
        return out

    def _power(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.abs(np.fft.rfft(frames * self._hann)) ** 2
        power: NDArray[np.float64] = spectrum @ self._bank.T
        return power


def band_snr_db(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float32]:
    """10 log10 of a ratio of powers, within +-60 dB; NaN without noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = np.clip(10 * np.log10(signal / noise), -BOUND_DB, BOUND_DB)
    return np.where(noise > 0, decibels, np.nan).astype(np.float32)


def _level(hops: NDArray[np.float64]) -> NDArray[np.float64]:
    """dBFS of each of (n, 160) samples of 16 bits, as ``kwscore.audio.level`` has it."""
    power = np.mean(hops**2, axis=1) / 32768.0**2
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DBFS / 10)))


def span_snr_db(clean_dbfs: NDArray[np.floating], noise_dbfs: NDArray[np.floating]) -> float:
    """SNR in dB of a span of hops by their levels: energy without the noise over that of the noise. NaN where the noise
    is not known of every hop, or there is none."""
    if not len(noise_dbfs) or not np.isfinite(noise_dbfs).all():
        return float("nan")
    signal, noise = (np.sum(10 ** (each.astype(np.float64) / 10)) for each in (clean_dbfs, noise_dbfs))
    return float(10 * np.log10(signal / noise))


def estimate_db(snr: NDArray[np.floating], noise_scale: float = NOISE_SCALE) -> NDArray[np.float32]:
    """What an estimate s (..., 40) in 0..1 says about the band's SNR in dB, within +-60.

    The estimator's own formula, read backwards: s = tanh(0.1 w r) with w the sum of the band's filter and r the mean
    ratio of the magnitude to k times the noise floor; (k r)^2 is then (S + N)/N. High bands, whose filters are wide,
    saturate at about 18 dB.
    """
    width = mel_filterbank().sum(axis=1)
    ratio = noise_scale * np.arctanh(np.clip(snr, 0.0, _MOST).astype(np.float64)) / (SNR_GAIN * width)
    excess = np.maximum(ratio**2 - 1.0, 10 ** (-BOUND_DB / 10))
    return np.minimum(10 * np.log10(excess), BOUND_DB).astype(np.float32)


def agreement(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Pearson correlation of two maps in dB, both held within -15 to 30 dB, where the truth is known.

    NaN with fewer than two known values, or where one of the maps is flat.
    """
    known = np.isfinite(truth) & np.isfinite(estimate)
    a, b = (np.clip(each[known].astype(np.float64), LEAST_DB, MOST_DB) for each in (estimate, truth))
    if len(a) < 2 or a.std() < 1e-9 or b.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])

"""Runtime calibration from what is heard: the noise of a silence, the SNR above it, the constants that follow.

The published work passes the true mixing SNR to its calibration. Here it is measured: the noise's mean power spectrum
during silence, and from it the SNR of speech, either of a second in which a word was heard or of speech at the usual
level. The same definition of SNR as in mixing: mean power over one second. Whether it helps was measured:
docs/calibration.md. Knows no Qt and no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import FLOOR_DBFS
from kwscore.constants import HOP, N_FREQ, NOMINAL_SPEECH_DBFS, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.models.calibration import (
    CALIBRATION,
    SNR_RANGE_DB,
    Values,
    calibration_values,
    kind_of,
    profile_for_snr,
    values_for_snr,
)
from kwscore.models.config import NetworkConfig
from kwscore.models.melbank import mel_filterbank
from kwscore.stream.pcm import to_pcm

Law = Literal["continuous", "profile"]
LAWS: tuple[Law, ...] = ("continuous", "profile")
LEAST_SECONDS = 0.3
"""Shortest silence that a noise spectrum is taken from."""
SECOND_BELOW_ACTIVE_DB = 2.1
"""How far the RMS over a word's second lies below its active level, which leaves pauses out: medians of Speech
Commands, -27.1 and -25 dBFS."""
UNSTEADY_DB = 15.0
"""Loudest over quietest tenth of a second of a silence from which on something was probably said or knocked."""
QUIET_DBFS = -70.0
"""Changes below this level are nobody speaking."""

_HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
# mean over a frame of the windowed power, so that white noise of RMS 1 has a spectrum that sums to 1
_SCALE = 1.0 / (WINDOW * np.sum(_HANN**2) * 32768.0**2)


def power_spectra(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Power of every frame of int16 samples (n,) in 257 bins, (frames, 257); a frame's sum is its mean square."""
    if len(pcm) < WINDOW:
        return np.zeros((0, N_FREQ))
    frames = np.lib.stride_tricks.sliding_window_view(pcm, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * _HANN, axis=1)) ** 2 * _SCALE
    power[:, 1:-1] *= 2
    return np.asarray(power)


def band_dbfs(spectrum: NDArray[np.floating]) -> NDArray[np.float64]:
    """Level in dBFS of each of the 40 mel bands (40,) of a power spectrum (257,) as of ``power_spectra``; the bands
    overlap, and those below 1 kHz are about as wide as one bin. -120 where there is nothing."""
    power = mel_filterbank() @ np.asarray(spectrum, np.float64)
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DBFS / 10.0))))


def floor_power(magnitude: NDArray[np.floating]) -> NDArray[np.float64]:
    """The power spectrum (257,) of a noise floor of magnitudes (257,), such as ``StreamEngine.noise_floor``."""
    power = np.asarray(magnitude, np.float64) ** 2 * (_SCALE * 32768.0**2)
    power[1:-1] *= 2
    return power


def _db(power: float) -> float:
    return max(10.0 * math.log10(power), FLOOR_DBFS) if power > 0 else FLOOR_DBFS


@dataclass(frozen=True, slots=True)
class NoiseProfile:
    """The noise of a silence.

    ``spectrum`` (257,) mean power per bin, full scale = 1, summing to the mean square; ``level_dbfs`` its level;
    ``seconds`` heard; ``unsteadiness_db`` loudest over quietest tenth of a second.
    """

    spectrum: NDArray[np.float64]
    level_dbfs: float
    seconds: float
    unsteadiness_db: float

    @property
    def steady(self) -> bool:
        """Whether nothing stood out, so that it was a silence."""
        return self.unsteadiness_db < UNSTEADY_DB

    def snr_db(self, second: NDArray[np.generic]) -> float:
        """SNR of about a second of sound in this noise: power above the noise, bin by bin, over the noise's.

        Clipped to -20 .. 25 dB. Raises KWScopeError for less than one frame of 512 samples.
        """
        power = power_spectra(to_pcm(second))
        if not len(power):
            raise KWScopeError(f"An SNR needs at least {WINDOW} samples of sound, not {len(second)}.")
        above = float(np.maximum(power.mean(0) - self.spectrum, 0.0).sum())
        return _clipped(_db(above) - _db(float(self.spectrum.sum())))

    def snr_of_level(self, speech_dbfs: float) -> float:
        """SNR over its second of a word whose active level is ``speech_dbfs``; clipped to -20 .. 25 dB."""
        return _clipped(speech_dbfs - SECOND_BELOW_ACTIVE_DB - self.level_dbfs)


def _clipped(snr_db: float) -> float:
    return min(max(snr_db, SNR_RANGE_DB[0]), SNR_RANGE_DB[1])


class NoiseMeter:
    """Collects a silence, any number of samples at a time; memory is constant."""

    def __init__(self) -> None:
        self._sum = np.zeros(N_FREQ)
        self._frames = 0
        self._rest = np.zeros(0, np.int16)
        self._tenth = 0.0
        self._in_tenth = 0
        self._loudest, self._quietest = -math.inf, math.inf

    @property
    def seconds(self) -> float:
        """Sound collected so far."""
        return (self._frames * HOP + WINDOW - HOP) / SAMPLE_RATE if self._frames else 0.0

    @property
    def change_db(self) -> float:
        """Loudest over quietest tenth of a second so far."""
        return max(self._loudest - self._quietest, 0.0)

    @property
    def steady(self) -> bool:
        """Whether nothing has stood out so far."""
        return self.change_db < UNSTEADY_DB

    def add(self, samples: NDArray[np.generic]) -> None:
        """Take mono 16 kHz samples, int16 or float in [-1, 1]."""
        pcm = np.concatenate((self._rest, to_pcm(samples)))
        power = power_spectra(pcm)
        self._rest = pcm[len(power) * HOP :]
        self._sum += power.sum(0)
        self._frames += len(power)
        for value in power.sum(1):
            self._tenth += float(value)
            self._in_tenth += 1
            if self._in_tenth == SAMPLE_RATE // HOP // 10:
                level = max(_db(self._tenth / self._in_tenth), QUIET_DBFS)
                self._loudest, self._quietest = max(self._loudest, level), min(self._quietest, level)
                self._tenth, self._in_tenth = 0.0, 0

    def profile(self) -> NoiseProfile:
        """What was collected. Raises KWScopeError for less than 0.3 s."""
        if self.seconds < LEAST_SECONDS:
            raise KWScopeError(
                f"Only {self.seconds:.1f} s of silence were heard: calibration needs at least {LEAST_SECONDS} s."
            )
        spectrum = self._sum / self._frames
        level = _db(float(spectrum.sum()))
        return NoiseProfile(spectrum, level, self.seconds, self.change_db)


class Calibratable(Protocol):
    """An engine whose constants can be set while it runs: ``kwscore.StreamEngine``."""

    @property
    def config(self) -> NetworkConfig: ...

    @property
    def model_hash(self) -> str: ...

    @property
    def calibration(self) -> NDArray[np.float32]:
        """(blocks, 5)."""

    @calibration.setter
    def calibration(self, values: NDArray[np.floating]) -> None: ...

    calibrated: CalibrationRecord | None
    """What set them; assigning ``calibration`` takes it away."""


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """What was measured and what was changed, for a session or a card.

    ``snr_from``: "speech level" where a usual level was assumed, "heard" where a word's second was measured, "given".
    ``profile`` the named profile, None under the continuous law. ``before``, ``after``: the constants of every block.
    """

    network: str
    model_hash: str
    noise: NoiseProfile
    snr_db: float
    snr_from: str
    speech_dbfs: float
    law: Law
    profile: str | None
    before: tuple[Values, ...]
    after: tuple[Values, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the spectrum in dB re full scale, one number per FFT bin of 31.25 Hz."""
        noise = self.noise
        return {
            "network": self.network,
            "model_hash": self.model_hash,
            "noise": {
                "level_dbfs": round(noise.level_dbfs, 2),
                "seconds": round(noise.seconds, 3),
                "unsteadiness_db": round(noise.unsteadiness_db, 2),
                "spectrum_dbfs": [round(_db(float(power)), 2) for power in noise.spectrum],
            },
            "snr_db": round(self.snr_db, 2),
            "snr_from": self.snr_from,
            "speech_dbfs": self.speech_dbfs,
            "law": self.law,
            "profile": self.profile,
            "constants": list(CALIBRATION),
            "before": [list(values) for values in self.before],
            "after": [list(values) for values in self.after],
        }


@dataclass
class Calibrator:
    """Measures silence and sets an engine's constants by it; reversible, and a record says what was done.

    Feed ``add`` the samples of a silence, then ``apply``. ``heard`` corrects the SNR by a second in which a word was
    found; ``undo`` restores the constants that the engine had before the first ``apply``. All from the engine's thread,
    between two ``process`` calls; a change counts from the next frame on.

    Raises KWScopeError for an engine whose constants cannot be set (integer and board engines, networks without SSM).
    """

    engine: Calibratable
    law: Law = "continuous"
    speech_dbfs: float = NOMINAL_SPEECH_DBFS
    meter: NoiseMeter = field(default_factory=NoiseMeter)
    record: CalibrationRecord | None = None
    _before: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.law not in LAWS:
            raise KWScopeError(f"There is no calibration law {self.law!r}: choose {' or '.join(LAWS)}.")
        if not hasattr(self.engine, "calibration"):
            raise KWScopeError(
                f"{type(self.engine).__name__} has fixed constants: only the float engine can be calibrated."
            )
        self._kind = kind_of(self.engine.config)

    def add(self, samples: NDArray[np.generic]) -> None:
        """Take samples of the silence (mono 16 kHz, int16 or float in [-1, 1])."""
        self.meter.add(samples)

    def apply(self, snr_db: float | None = None) -> CalibrationRecord:
        """Set the constants for the noise heard so far, and for speech at the usual level unless an SNR is given.

        Raises KWScopeError where less than 0.3 s of silence was heard.
        """
        noise = self.meter.profile()
        if snr_db is not None:
            return self._set(noise, _clipped(snr_db), "given")
        return self._set(noise, noise.snr_of_level(self.speech_dbfs), "speech level")

    def heard(self, second: NDArray[np.generic]) -> CalibrationRecord:
        """Set the constants again, by the SNR of about a second of sound in which a word was found."""
        noise = self.meter.profile()
        return self._set(noise, noise.snr_db(second), "heard")

    def undo(self) -> None:
        """Restore the constants from before the first ``apply``; the noise stays measured."""
        if self._before is not None:
            self.engine.calibration = self._before
        self._before, self.record = None, None

    def _set(self, noise: NoiseProfile, snr_db: float, source: str) -> CalibrationRecord:
        if self._before is None:
            self._before = self.engine.calibration
        profile = profile_for_snr(snr_db) if self.law == "profile" else None
        values = calibration_values(profile, self._kind) if profile else values_for_snr(snr_db, self._kind)
        self.engine.calibration = np.tile(np.asarray(values, np.float32), (len(self._before), 1))
        self.record = CalibrationRecord(
            self.engine.config.name, self.engine.model_hash, noise, snr_db, source, self.speech_dbfs, self.law, profile,
            constants_of(self._before), constants_of(self.engine.calibration),
        )  # fmt: skip
        self.engine.calibrated = self.record
        return self.record


def constants_of(values: NDArray[np.float32]) -> tuple[Values, ...]:
    """An engine's ``calibration`` (blocks, 5) as plain numbers, rounded to what float32 holds."""
    rows = []
    for row in values:
        a, b, c, d, e = (float(f"{value:.7g}") for value in row)
        rows.append((a, b, c, d, e))
    return tuple(rows)

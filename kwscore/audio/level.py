"""How loud: RMS and peak meters with clip detection, and the active speech level after ITU-T P.56.

All levels are dB re full scale, where a full-scale square wave has 0 dB (a full-scale sine -3 dB), and digital silence
-120 dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE

FLOOR_DBFS = -120.0
NOMINAL_SPEECH_DBFS = -25.0
"""Median active level of Speech Commands; assumed where no speech has been heard."""
CLIP_RUN = 3
"""So many samples at full scale in a row count as clipping; fewer may be a peak that just fits."""
TRAINING_LEVEL_DBFS = (-57.0, -6.0)
"""Active speech levels that training covers: from 32 dB below the median of Speech Commands (-25 dBFS; 90 % lie in
-41..-14) to where speech is clipped most of the time."""

_BELOW_FLOOR = 10 ** (FLOOR_DBFS / 20)


def dbfs(amplitude: float) -> float:
    """20 log10 of an amplitude where full scale is 1, not below -120."""
    return float(20 * np.log10(max(amplitude, _BELOW_FLOOR)))


def as_float(x: NDArray[np.generic]) -> NDArray[np.float32]:
    """(n,) int16 or float to float32 in [-1, 1]."""
    if x.dtype == np.int16:
        return x.astype(np.float32) * np.float32(1 / 32768)
    return x.astype(np.float32, copy=False)


def rms_dbfs(x: NDArray[np.generic]) -> float:
    """RMS level of (n,) samples; -120 for none."""
    y = as_float(x)
    return dbfs(float(np.sqrt(np.dot(y, y) / len(y)))) if len(y) else FLOOR_DBFS


def peak_dbfs(x: NDArray[np.generic]) -> float:
    """Level of the largest sample; -120 for none."""
    y = as_float(x)
    return dbfs(float(max(y.max(), -y.min()))) if len(y) else FLOOR_DBFS


def in_training_range(active_dbfs: float) -> bool:
    """Whether speech at this active level is as loud as some that training heard."""
    return TRAINING_LEVEL_DBFS[0] <= active_dbfs <= TRAINING_LEVEL_DBFS[1]


@dataclass(frozen=True, slots=True)
class Level:
    """What a level meter shows."""

    rms_dbfs: float  # exponential, 300 ms
    peak_dbfs: float  # held, then falling 20 dB/s
    clipping: bool  # clipped within the last second
    clips: int  # runs of clipping since reset


class LevelMeter:
    """A level meter on the sample clock: the same samples give the same reading, however they arrive.

    RMS over an exponential window of 300 ms, peak that falls 20 dB a second, a clip mark that stays lit for a second.
    Internally steps of 10 ms; samples short of a step wait for the next call.
    """

    STEP = SAMPLE_RATE // 100
    RMS_SECONDS = 0.3
    PEAK_FALL = 20.0
    CLIP_SECONDS = 1.0

    def __init__(self) -> None:
        self._keep = float(np.exp(-self.STEP / (self.RMS_SECONDS * SAMPLE_RATE)))
        self._fall = 10 ** (-self.PEAK_FALL * self.STEP / SAMPLE_RATE / 20)
        self.reset()

    def reset(self) -> None:
        """Return to the state of a new meter."""
        self._rest = np.zeros(0, dtype=np.float32)
        self._power = 0.0
        self._peak = 0.0
        self._run = 0  # samples at full scale up to here
        self._clips = 0
        self._samples = 0
        self._clipped_at: int | None = None

    def process(self, x: NDArray[np.generic]) -> Level:
        """Take (n,) samples, int16 or float in [-1, 1]; return the reading after them."""
        y = np.concatenate((self._rest, as_float(x)))
        steps = len(y) // self.STEP
        for block in y[: steps * self.STEP].reshape(steps, self.STEP):
            self._power = self._keep * self._power + (1 - self._keep) * float(np.dot(block, block)) / self.STEP
            self._peak = max(self._peak * self._fall, float(max(block.max(), -block.min())))
            if self._peak >= _FULL or self._run:
                self._count_clips(block)
            self._samples += self.STEP
        self._rest = y[steps * self.STEP :]
        return self.reading()

    def _count_clips(self, block: NDArray[np.float32]) -> None:
        for full in np.abs(block) >= _FULL:
            self._run = self._run + 1 if full else 0
            if self._run == CLIP_RUN:
                self._clips += 1
            if self._run >= CLIP_RUN:
                self._clipped_at = self._samples

    def reading(self) -> Level:
        clipping = self._clipped_at is not None and self._samples - self._clipped_at <= self.CLIP_SECONDS * SAMPLE_RATE
        return Level(dbfs(self._power**0.5), dbfs(self._peak), clipping, self._clips)


_FULL = 32767 / 32768


class ActiveSpeechMeter:
    """The active speech level of ITU-T P.56, method B, accumulated sample by sample.

    The envelope (30 ms, twice) is compared with thresholds 6 dB apart, each with a hangover of 200 ms; the active level
    is the energy over the time above the threshold that lies 15.9 dB below it, interpolated. So pauses do not count,
    which lower an RMS. The result does not depend on how the samples arrive.
    """

    MARGIN = 15.9
    TIME_CONSTANT = 0.03
    HANGOVER = round(0.2 * SAMPLE_RATE)
    THRESHOLDS = 2.0 ** -np.arange(15, 0, -1.0)

    def __init__(self) -> None:
        from kwscore.audio.p56 import accumulate  # numba: loaded where it is used

        self._accumulate = accumulate
        self._g = float(np.exp(-1 / (SAMPLE_RATE * self.TIME_CONSTANT)))
        self.reset()
        self.process(np.zeros(0, dtype=np.float32))  # compiles now rather than in the middle of live audio

    def reset(self) -> None:
        """Return to the state of a new meter."""
        self._envelope = np.zeros(2)
        self._since = np.full(len(self.THRESHOLDS), self.HANGOVER, dtype=np.int64)
        self._active = np.zeros(len(self.THRESHOLDS))
        self._energy = 0.0
        self._samples = 0.0

    def process(self, x: NDArray[np.generic]) -> None:
        """Take (n,) samples at 16 kHz, int16 or float in [-1, 1]."""
        y = np.ascontiguousarray(as_float(x))
        self._energy += self._accumulate(
            y, self._g, self.HANGOVER, self.THRESHOLDS, self._envelope, self._since, self._active
        )
        self._samples += len(y)

    def forget(self, keep: float) -> None:
        """Scale all that was accumulated: called once per step, it turns the whole past into an exponential window."""
        self._energy *= keep
        self._samples *= keep
        self._active *= keep

    @property
    def long_term_dbfs(self) -> float:
        """RMS level of everything, pauses included."""
        return dbfs((self._energy / self._samples) ** 0.5) if self._samples else FLOOR_DBFS

    @property
    def activity(self) -> float:
        """Share of the time that was active, 0..1."""
        level = self.active_dbfs
        return min(10 ** ((self.long_term_dbfs - level) / 10), 1.0) if level > FLOOR_DBFS else 0.0

    @property
    def active_dbfs(self) -> float:
        """The active speech level; -120 until something has been active."""
        levels: list[tuple[float, float]] = []  # (level over the time above a threshold, that minus the threshold)
        for count, threshold in zip(self._active, self.THRESHOLDS, strict=True):
            if count == 0.0:
                break
            level = dbfs((self._energy / float(count)) ** 0.5)
            distance = level - dbfs(threshold)
            if distance <= self.MARGIN:
                if not levels:  # quieter than the lowest threshold can tell
                    return level
                below, far = levels[-1]
                share = (far - self.MARGIN) / (far - distance)
                return below + share * (level - below)
            levels.append((level, distance))
        return levels[-1][0] if levels else FLOOR_DBFS


def active_speech_dbfs(x: NDArray[np.generic]) -> float:
    """Active speech level (P.56) of (n,) samples at 16 kHz, int16 or float in [-1, 1]."""
    meter = ActiveSpeechMeter()
    meter.process(x)
    return meter.active_dbfs

"""How loud: RMS level, its verdict against the training, and the active speech level after ITU-T P.56.

All levels are dB re full scale, where a full-scale square wave has 0 dB (a full-scale sine -3 dB), and digital silence
-120 dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE

FLOOR_DBFS = -120.0

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


def judge_level(levels: Sequence[float] | NDArray[np.floating], trained: tuple[float, float] | None) -> LevelVerdict:
    """The loudest of some hop levels (dBFS, at least one), and how it lies to the range a network was trained on.

    The loudest, because pauses between words are quiet whatever the gain. Where ``trained`` (lowest, highest dBFS) is
    not known the verdict is empty.
    """
    loudest = float(max(levels))
    if trained is None:
        return LevelVerdict(loudest, "")
    return LevelVerdict(
        loudest, "too loud" if loudest > trained[1] else "good level" if loudest >= trained[0] else "too quiet"
    )


class LevelVerdict(NamedTuple):
    """``loudest_dbfs`` and one of "too quiet", "good level", "too loud", or nothing."""

    loudest_dbfs: float
    words: str


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

"""Any rate and channel count to the mono 16 kHz int16 that every network hears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000


def to_mono(x: NDArray[np.generic]) -> NDArray[np.float32]:
    """Mean over the channels: (n,) or (n, channels), int16 or float in [-1, 1], to (n,) float32 in [-1, 1].

    NaN becomes 0: one broken sample must not stay in a filter's state for ever.
    """
    if x.dtype == np.int16:
        y = x.astype(np.float32) * np.float32(1 / 32768)
    else:
        y = x.astype(np.float32, copy=False)
        if not np.isfinite(y).all():
            y = np.nan_to_num(y, nan=0.0, posinf=1.0, neginf=-1.0)
    if y.ndim == 2:
        y = y[:, 0] if y.shape[1] == 1 else y.mean(axis=1, dtype=np.float32)
    return y


class Downmix:
    """Mean of the channels, or the first one once they proved to cancel (one of them inverted, a common wiring fault).

    Judged over windows of 20 ms on the sample clock, so that the result does not depend on how the input is cut; from
    the first window that cancels on, ``cancels`` stays set.
    """

    RESIDUE = 1e-3
    """Channels cancel where the mean has less than this share of their power (-30 dB)."""
    QUIETEST = 1e-7
    """Mean square (-70 dBFS) below which nothing is judged."""

    def __init__(self, rate: int) -> None:
        self.cancels = False
        self._window = rate // 50
        self._left = self._window
        self._mixed = self._own = 0.0

    def process(self, x: NDArray[np.generic]) -> NDArray[np.float32]:
        """Take (n,) or (n, channels), return (n,) float32."""
        mono = to_mono(x)
        if x.ndim == 1 or x.shape[1] == 1:
            return mono
        first = to_mono(x[:, 0])
        at = 0
        while at < len(mono) and not self.cancels:
            end = min(at + self._left, len(mono))
            self._mixed += float(np.dot(mono[at:end], mono[at:end]))
            self._own += float(np.dot(first[at:end], first[at:end]))
            self._left -= end - at
            at = end
            if self._left == 0:
                self.cancels = self._own > self.QUIETEST * self._window and self._mixed < self.RESIDUE * self._own
                self._left, self._mixed, self._own = self._window, 0.0, 0.0
        if self.cancels:
            mono[at:] = first[at:]
        return mono


def to_int16(x: NDArray[np.float32]) -> NDArray[np.int16]:
    """Full scale 1.0 = 32768, rounded to nearest, saturated. An int16 value divided by 32768 returns exactly."""
    return np.clip(np.rint(x * np.float32(32768)), -32768, 32767).astype(np.int16)


class Resampler:
    """Stateful conversion to 16 kHz mono; the output does not depend on how the input is cut.

    ``live`` gives an even flow 8 to 30 ms late, where the default (for files, aligned with the input to the sample)
    emits bursts of up to 100 ms. Both reject aliases by more than 100 dB. At 16 kHz samples pass untouched.
    """

    def __init__(self, rate: int, *, live: bool = False) -> None:
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise KWScopeError(
                f"A sample rate of {rate} Hz is not supported: use audio between {LOWEST_RATE} and {HIGHEST_RATE} Hz."
            )
        self.rate = rate
        self.live = live
        self.reset()

    def reset(self) -> None:
        """Return to the state of a new resampler."""
        self._downmix = Downmix(self.rate)
        if self.rate == SAMPLE_RATE:
            self._stream = None
            return
        import soxr

        self._stream = soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ", vr=self.live)

    @property
    def cancels(self) -> bool:
        """Whether the channels cancel each other, so that only the first one is used."""
        return self._downmix.cancels

    def process(self, x: NDArray[np.generic]) -> NDArray[np.int16]:
        """Take (n,) or (n, channels), int16 or float in [-1, 1]; return the (m,) samples that are ready."""
        if self._stream is None and x.dtype == np.int16 and (x.ndim == 1 or x.shape[1] == 1):
            return x.reshape(-1).astype(np.int16)
        mono = self._downmix.process(x)
        return to_int16(mono if self._stream is None else self._stream.resample_chunk(np.ascontiguousarray(mono)))

    def flush(self) -> NDArray[np.int16]:
        """The samples still inside the filter; afterwards ``reset`` before further use."""
        if self._stream is None:
            return np.zeros(0, dtype=np.int16)
        return to_int16(self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))


def resampled_length(frames: int, rate: int) -> int:
    """Samples at 16 kHz that last as long as ``frames`` at ``rate`` (nearest, half up)."""
    return (2 * frames * SAMPLE_RATE + rate) // (2 * rate)

"""A preallocated ring between one writer thread (the device) and one reader thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Ring:
    """Single producer, single consumer, no lock: each side only ever advances its own counter, after its copy is done.

    ``capacity`` frames of ``channels`` samples each. A full ring drops the newest frames and counts them, so that what
    the reader has begun to read is never overwritten. Frames are (n,) where ``channels`` is 1, else (n, channels).
    """

    def __init__(self, capacity: int, dtype: DTypeLike = np.int16, channels: int = 1) -> None:
        self._data = np.zeros((capacity, channels) if channels > 1 else capacity, dtype=dtype)
        self._data[...] = 1  # touch every page now, not in the device's callback
        self._capacity = capacity
        self._written = 0
        self._read = 0
        self.dropped = 0
        """Frames that did not fit since the ring was made. Written by the producer only."""

    def __len__(self) -> int:
        """Frames ready to be read."""
        return self._written - self._read

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def written(self) -> int:
        """Frames accepted since the ring was made."""
        return self._written

    def write(self, frames: NDArray[np.generic]) -> int:
        """Producer: copy in as many frames as fit, count the rest as dropped; return how many fitted."""
        at = self._written % self._capacity
        n = min(len(frames), self._capacity - (self._written - self._read))
        first = min(n, self._capacity - at)
        self._data[at : at + first] = frames[:first]
        if n > first:
            self._data[: n - first] = frames[first:n]
        self._written += n
        self.dropped += len(frames) - n
        return n

    def peek(self, most: int | None = None) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Consumer: up to ``most`` of the oldest frames as two views in order; valid until ``advance``."""
        n = len(self) if most is None else min(most, len(self))
        at = self._read % self._capacity
        first = min(n, self._capacity - at)
        return self._data[at : at + first], self._data[: n - first]

    def advance(self, n: int) -> None:
        """Consumer: free the ``n`` oldest frames."""
        if not 0 <= n <= len(self):
            raise ValueError(f"cannot advance by {n}: {len(self)} frames are ready")
        self._read += n

    def read(self, most: int | None = None) -> NDArray[np.generic]:
        """Consumer: a copy of up to ``most`` of the oldest frames, which are freed."""
        first, second = self.peek(most)
        out = np.concatenate((first, second))
        self.advance(len(out))
        return out

"""What files and playlists share: a source that follows the clock, or runs as fast as it is read."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.source import SourceState, SourceStatus
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.errors import KWScopeError

Pace = Literal["realtime", "fast"]

FAST_BLOCK = 10 * HOP
"""Samples per read at pace "fast"."""
LARGEST_READ = SAMPLE_RATE
"""A reader that was held up catches up in reads of at most this many samples."""

_NOTHING = np.zeros(0, dtype=np.int16)


class PacedSource(ABC):
    """Base of sources that are stored somewhere. A subclass opens, pulls and closes; this keeps time.

    At pace "realtime" sample k is due k / 16,000 s after ``start`` on the monotonic clock, whatever the reads before it
    did, so nothing drifts. ``clock`` and ``sleep`` are injected by tests.
    """

    def __init__(
        self,
        name: str,
        pace: Pace,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if pace not in ("realtime", "fast"):
            raise KWScopeError(f"There is no pace '{pace}': choose 'realtime' or 'fast'.")
        self._name = name
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._state = SourceState.IDLE
        self._message = ""
        self._position = 0
        self._begin = 0.0
        self._damaged = False

    @abstractmethod
    def _open(self) -> None:
        """Begin at the first sample, or raise KWScopeError."""

    @abstractmethod
    def _pull(self, n: int) -> NDArray[np.int16]:
        """The next ``n`` samples, fewer only at the end."""

    @abstractmethod
    def _close(self) -> None:
        """Release everything; may be called twice."""

    def _native_rate(self) -> int:
        return SAMPLE_RATE

    def _trouble(self) -> str:
        """A sentence about the material, once it is known."""
        return ""

    @property
    def name(self) -> str:
        return self._name

    @property
    def damaged(self) -> bool:
        """Whether material proved to be cut short or unreadable since the start; ``status`` has the sentence."""
        return self._damaged

    @property
    def pace(self) -> Pace:
        return self._pace

    @property
    def live(self) -> bool:
        """True at pace "realtime"."""
        return self._pace == "realtime"

    def start(self) -> None:
        """Open at the first sample. Raises KWScopeError with one sentence when that fails."""
        with self._lock:
            if self._state is SourceState.RUNNING:
                return
            self._message = ""
            self._position = 0
            self._damaged = False
            self._open()
            self._begin = self._clock()
            self._state = SourceState.RUNNING

    def read(self, timeout: float = 0.0) -> NDArray[np.int16]:
        """See ``Source.read``. State FINISHED is shown as soon as the last samples have been returned."""
        n = FAST_BLOCK if self._pace == "fast" else self._wait(timeout)
        with self._lock:
            if n == 0 or self._state is not SourceState.RUNNING:
                return _NOTHING
            try:
                samples = self._pull(n)
            except Exception as error:
                samples, self._message = _NOTHING, str(error) or f"{self._name} could not be read further."
                self._damaged = True
            self._position += len(samples)
            if len(samples) < n:
                self._state = SourceState.FINISHED
                trouble = self._trouble()
                self._message, self._damaged = trouble or self._message, self._damaged or bool(trouble)
                self._close()
            return samples

    def _wait(self, timeout: float) -> int:
        """Samples that are due, after waiting at most ``timeout`` for a whole hop; 0 when there is none."""
        deadline = self._clock() + max(timeout, 0.0)
        while self._state is SourceState.RUNNING:
            now = self._clock()
            # The small term keeps a wait that ended exactly on time from being one sample short by rounding.
            due = int((now - self._begin) * SAMPLE_RATE + 1e-3) - self._position
            if due >= HOP:
                return min(due, LARGEST_READ)
            wake = self._begin + (self._position + HOP) / SAMPLE_RATE
            if now >= deadline:
                return 0
            self._sleep(max(min(wake, deadline) - now, 1e-5))
        return 0

    def stop(self) -> None:
        """Close. A stopped source starts again at its first sample."""
        with self._lock:
            self._state = SourceState.IDLE
            self._close()

    def status(self) -> SourceStatus:
        return SourceStatus(
            state=self._state, message=self._message, native_rate=self._native_rate(), position=self._position
        )

"""Samples that a device lost without saying so, found by counting samples against the clock."""

from __future__ import annotations


class ClockCheck:
    """Compares how many frames have come with how much time has passed.

    Sound servers rarely report an overflow: the frames are simply not there. Blocks may come late and then catch up, so
    only the most favourable block of each two seconds counts; if that falls back against the two seconds before by more
    than 40 ms, frames are missing. A device clock that is wrong by less than 2 % is not taken for a loss.
    """

    WINDOW = 2.0
    TOLERANCE = 0.04

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._seconds = 0.0
        self._begin: float | None = None  # of the window, by the clock
        self._best = 0.0
        self._before: float | None = None

    @property
    def missing(self) -> int:
        """Frames that are missing so far."""
        return round(self._seconds * self._rate)

    def observe(self, frames: int, stamp: float) -> None:
        """``frames`` had come in all with the newest block, at ``stamp`` seconds. Call it several times a second."""
        lead = frames / self._rate - stamp
        if self._begin is None:
            self._begin, self._best = stamp, lead
            return
        if stamp - self._begin >= self.WINDOW:
            if self._before is not None:
                behind = self._before - self._best
                if abs(behind) > self.TOLERANCE:  # a negative one takes back what only came very late
                    self._seconds = max(self._seconds + behind, 0.0)
            self._before, self._begin, self._best = self._best, stamp, lead
        self._best = max(self._best, lead)

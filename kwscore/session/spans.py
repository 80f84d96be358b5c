"""Which parts of hours of listening are kept: a second on each side of everything that comes near a word."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError
from kwscore.session.tap import Heard
from kwscore.stream.detection import DetectionSettings

AROUND = 1.0
"""Seconds kept before and after."""
LOWEST = 0.3
"""Lowest threshold that can be tried afterwards."""


class Spans:
    """Passes on what lies within ``around`` seconds of a frame in which a word's smoothed posterior is at least
    ``floor``; holds no more than those seconds."""

    def __init__(self, floor: float, around: float = AROUND) -> None:
        if not 0.0 < floor <= 1.0:
            raise KWScopeError(f"A posterior of {floor} cannot decide what is kept: give more than 0 and at most 1.")
        self.floor = floor
        self.around = round(around * SAMPLE_RATE)
        self._before: deque[Heard] = deque()
        self._keep_until = -1

    @classmethod
    def for_settings(cls, settings: DetectionSettings, lowest: float = LOWEST) -> Spans:
        """Keeps all that detection at any threshold from ``lowest`` on depends on.

        Between two spans every word lies below ``release`` times every such threshold, so that it is armed and at
        rest, and the refractory time and the smoothing of one span end before the next begins.
        """
        longest = max(settings.refractory_ms, settings.smoothing_ms) / 1000 + 0.1
        return cls(max(lowest * settings.release, 1e-3), max(AROUND, longest))

    def take(self, heard: Heard) -> Iterator[Heard]:
        """What is to be kept, in order, now that ``heard`` has come."""
        end = heard.position + len(heard.samples)
        if len(heard.posteriors) and float(np.max(heard.posteriors[:, : len(WORDS)])) >= self.floor:
            self._keep_until = end + self.around
        self._before.append(heard)
        if heard.position <= self._keep_until:
            yield from self._before
            self._before.clear()
        while self._before and self._before[0].position + len(self._before[0].samples) <= end - self.around:
            self._before.popleft()

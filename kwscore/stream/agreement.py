"""Which detections of two detectors on the same audio are the same word heard by both."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kwscore.constants import SAMPLE_RATE
from kwscore.stream.detection import Event

TOLERANCE = SAMPLE_RATE // 2
"""Samples by which two decisions for the same word may lie apart."""
LATENESS = SAMPLE_RATE
"""Samples that an engine's answer may come late: only then is a detection called unmatched."""
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A word that one engine alone reported: ``engine`` 0 or 1, ``decided`` in samples of the runner's clock."""

    engine: int
    word: str
    decided: int


@dataclass(frozen=True, slots=True)
class EventTally:
    """``matched`` pairs, ``only`` those of the first and of the second engine alone, and the newest of those."""

    matched: int = 0
    only: tuple[int, int] = (0, 0)
    recent: tuple[Unmatched, ...] = ()


class EventPairs:
    """Pairs the events of two detectors as they come: the same word, decided within ``TOLERANCE``, each once."""

    def __init__(self) -> None:
        self._open: tuple[deque[Unmatched], deque[Unmatched]] = (deque(), deque())
        self._matched = 0
        self._only = [0, 0]
        self._recent: deque[Unmatched] = deque(maxlen=_KEPT)

    def add(self, first: Sequence[Event], second: Sequence[Event], origin: int = 0) -> None:
        """Take new events; ``origin`` puts their samples on the runner's clock."""
        for engine, events in enumerate((first, second)):
            for event in events:
                self._take(Unmatched(engine, event.word, event.decided + origin))

    def _take(self, event: Unmatched) -> None:
        others = self._open[1 - event.engine]
        fitting = [o for o in others if o.word == event.word and abs(o.decided - event.decided) <= TOLERANCE]
        if fitting:
            others.remove(min(fitting, key=lambda other: abs(other.decided - event.decided)))
            self._matched += 1
        else:
            self._open[event.engine].append(event)

    def advance(self, now: int) -> None:
        """``now``: samples heard. What found no partner until well after its time never will."""
        for engine, waiting in enumerate(self._open):
            while waiting and waiting[0].decided < now - TOLERANCE - LATENESS:
                self._recent.append(waiting.popleft())
                self._only[engine] += 1

    def tally(self) -> EventTally:
        """The counts so far; events that may still find a partner are in none of them."""
        return EventTally(self._matched, (self._only[0], self._only[1]), tuple(self._recent))

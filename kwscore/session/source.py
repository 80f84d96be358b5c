"""A recorded session as a source: heard again like a file, from any moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.pacing import Pace, PacedSource
from kwscore.audio.playlist import Truth
from kwscore.constants import SAMPLE_RATE
from kwscore.session.notes import Note
from kwscore.session.reader import Session

LEAD = 10 * SAMPLE_RATE
"""Samples before the wanted moment that come at once, so that the network has warmed up when it comes."""


@dataclass(frozen=True, slots=True)
class RecordedWord:
    """A word reported while recording: samples [start, end) of this source, ``end`` being the decision."""

    word: str
    start: int
    end: int
    score: float


class SessionSource(PacedSource):
    """The sound of a session as a ``Source``. ``start_at``: session sample to begin with.

    Positions of ``truth``, ``recorded`` and ``pins`` are on this source's clock: samples delivered since ``start``.
    ``session`` is open from ``start`` on; only its fields may be read by other threads, not its sound.
    """

    def __init__(
        self,
        path: str | Path,
        pace: Pace = "realtime",
        *,
        start_at: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(Path(path).name, pace, clock=clock, sleep=sleep)
        self.path = Path(path)
        self.session: Session | None = None
        self._start_at = start_at
        self._next = 0  # session sample that comes next
        self._shift = 0  # session sample minus sample of this source, since the last seek

    def _open(self) -> None:
        self._close()
        self.session = Session(self.path)
        self._message = self.session.trouble
        self._next = self._shift = min(max(self._start_at, 0), self.session.length)

    def _pull(self, n: int) -> NDArray[np.int16]:
        if self.session is None:
            return np.zeros(0, np.int16)
        samples = self.session.audio(self._next, self._next + n)
        self._next += len(samples)
        if self.session.lost:
            self._message = self.session.trouble  # damage is met where it is heard
        return samples

    def _close(self) -> None:
        if self.session is not None:
            self.session.close()

    def _trouble(self) -> str:
        return self.session.trouble if self.session is not None and self.session.lost else ""

    @property
    def length(self) -> int | None:
        """Samples of the whole session, once started."""
        return self.session.length if self.session is not None else None

    @property
    def shift(self) -> int:
        """Add it to a position on this source's clock to get the session's."""
        return self._shift

    def seek(self, sample: int, lead: int = LEAD) -> None:
        """Go on at session sample ``sample``; the ``lead`` samples before it come at once. From any thread."""
        with self._lock:
            if self.session is None:
                self._start_at = sample
                return
            wanted = min(max(sample, 0), self.session.length)
            self._next = max(wanted - max(lead, 0), 0)
            self._shift = self._next - self._position
            self._begin = self._clock() - (self._position + wanted - self._next) / SAMPLE_RATE

    def truth(self, since: int = 0) -> list[Truth]:
        """Words known to be in the sound that end after sample ``since``."""
        words = self.session.truths if self.session is not None else []
        moved = [Truth(w.word, w.start - self._shift, w.end - self._shift, w.caption) for w in words]
        return [word for word in moved if word.end > since]

    def recorded(self, since: int = 0) -> list[RecordedWord]:
        """Words that were reported while recording and decided after sample ``since``."""
        events = self.session.events if self.session is not None else []
        moved = [RecordedWord(e.word, e.start - self._shift, e.decided + 1 - self._shift, e.score) for e in events]
        return [word for word in moved if word.end > since]

    def pins(self, since: int = 0) -> list[tuple[int, Note]]:
        """(sample, note) of the notes after sample ``since``."""
        notes = self.session.notes if self.session is not None else []
        return [(note.position - self._shift, note) for note in notes if note.position - self._shift >= since]

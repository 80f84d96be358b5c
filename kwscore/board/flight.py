"""Hops under way: sent to a board and not answered yet, and the answers that nobody has fetched."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kwscore.board.answers import Result
from kwscore.constants import HOP


@dataclass(frozen=True, slots=True)
class HopResult:
    """The answer to one hop. ``result`` is None when it was lost on the line; ``round_trip`` in seconds."""

    hop: int
    result: Result | None
    round_trip: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A hop on its way: its number in the stream, the index of its first sample, and when it left (seconds)."""

    hop: int
    index: int
    time: float


class Flight:
    """The hops of one stream, in order. Its owner's lock covers it.

    ``lost`` counts hops whose answer never came, over all streams.
    """

    def __init__(self) -> None:
        self._waiting: deque[Sent] = deque()
        self._answers: deque[HopResult] = deque()
        self._hops = 0
        self.lost = 0

    def start(self) -> None:
        """Begin a new stream; what is under way of the old one no longer counts."""
        self._waiting.clear()
        self._answers.clear()
        self._hops = 0

    @property
    def under_way(self) -> int:
        """Hops sent and not answered."""
        return len(self._waiting)

    @property
    def oldest(self) -> Sent | None:
        """The hop that has waited longest."""
        return self._waiting[0] if self._waiting else None

    def send(self, now: float) -> Sent:
        """The next hop leaves."""
        sent = Sent(self._hops, self._hops * HOP % (1 << 32), now)
        self._hops += 1
        self._waiting.append(sent)
        return sent

    def answer(self, result: Result, now: float) -> bool:
        """A RESULT came: older hops without one are lost. False for one of an earlier stream, or a doubled one."""
        if all(sent.index != result.index for sent in self._waiting):
            return False
        while True:
            sent = self._waiting.popleft()
            found = sent.index == result.index
            self._answers.append(HopResult(sent.hop, result if found else None, now - sent.time))
            if found:
                return True
            self.lost += 1

    def write_off(self) -> None:
        """What is under way will never be answered."""
        self.lost += len(self._waiting)
        self._answers.extend(HopResult(sent.hop, None, 0.0) for sent in self._waiting)
        self._waiting.clear()

    def collect(self) -> list[HopResult]:
        """Answers since the last call, in order of their hops."""
        answers = list(self._answers)
        self._answers.clear()
        return answers

"""A piece of history that stands still, for panels that do not follow the sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.feed import Array, Columns, Mark
from app.history_feed import columns_of
from kwscore.stream.history import HistoryView


@dataclass(slots=True)
class StillFeed:
    """Satisfies ``app.feed.Feed`` from a view that was taken before."""

    view: HistoryView
    expert_names: Sequence[str]
    thresholds: Sequence[float]
    training_level: tuple[float, float] | None = None
    marks: list[Mark] = field(default_factory=list)
    said: list[Mark] = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.view.start

    @property
    def end(self) -> int:
        return self.view.end

    @property
    def blocks(self) -> int:
        return self.view.delta_mean.shape[1]

    def columns(self, start: int, stop: int) -> Columns:
        return columns_of(self.view, start, stop)

    def elapsed(self, start: int, stop: int) -> tuple[int, Array]:
        start = min(max(start, self.first), self.end)
        return start, np.array(self.view.elapsed[start - self.first : max(min(stop, self.end), start) - self.first])

    def warm_up(self, start: int, stop: int) -> Sequence[tuple[int, int]]:
        return ()

    def detections(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in self.marks if mark.column >= start and mark.start < stop]

    def truths(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in self.said if mark.column >= start and mark.start < stop]

    def annotations(self, start: int, stop: int) -> Sequence[Mark]:
        return ()

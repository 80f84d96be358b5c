"""The panels' view of the engine's history: one consistent copy a frame, shared by all panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.feed import Array, Columns, Mark
from kwscore.audio.source import Source
from kwscore.constants import HOP, LABELS, SILENCE, WINDOW
from kwscore.stream.comparison import Comparison
from kwscore.stream.detection import DetectionSettings
from kwscore.stream.history import History, HistoryView

WARM_UP = 50  # columns (0.5 s) until the network has heard enough to be trusted
FULL_SCALE_DB = 42.1  # 20 log10(128): a full-scale sine through a 512-point Hann window
QUIETEST = 1e-5
FOLLOWED = 60  # columns after the report of a word in which its posterior may still rise
MARGIN = 160  # columns beside the visible ones: the meter's hold time, and joins of lines


class HistoryFeed:
    """Satisfies ``app.feed.Feed``. ``attach`` and ``refresh`` are called by the GUI thread only."""

    def __init__(self) -> None:
        self.expert_names: Sequence[str] = ()
        self.training_level: tuple[float, float] | None = None
        self.settings = DetectionSettings()
        self.marks: list[Mark] = []
        """Detections since the start or reset, oldest first; the controller adds to it."""
        self.comparison: Comparison | None = None
        """Two engines on the same columns; None while one runs alone."""
        self._history: History | None = None
        self._source: Source | None = None
        self._base = 0
        self._view: HistoryView | None = None
        self.pins: list[Mark] = []
        """Notes on the display; whoever keeps them sets them."""
        self._truths: list[Mark] = []
        self._recorded: list[Mark] = []
        self._followed = 0  # columns that ``follow`` has seen
        self.begun = 0
        """How often a history began: columns of an earlier one mean nothing in this."""

    def attach(self, history: History | None, source: Source | None, base: int, expert_names: Sequence[str]) -> None:
        """Read from another history. ``base``: samples that ``source`` had delivered when the history began."""
        self._history, self._source, self._base = history, source, base
        self.begun += 1
        self.expert_names = expert_names
        self.marks.clear()
        self._view = None
        self._truths = []
        self._recorded = []
        self.pins = []
        self._followed = 0

    def compare(self, comparison: Comparison | None) -> None:
        """Two engines run on the columns to come, or one alone again."""
        self.comparison = comparison

    def follow(self) -> list[Mark]:
        """Raise the scores of the newest marks to the highest posterior since their start; return those that rose.

        A word is reported as soon as it may be: its posterior goes on rising for a moment.
        """
        rose: list[Mark] = []
        history = self._history
        if history is None:
            return rose
        end = history.end
        for place in reversed(range(len(self.marks))):
            mark = self.marks[place]
            last = int(mark.column) + FOLLOWED
            if last < self._followed:
                break
            stop = min(end, last)
            view = history.view(stop, max(stop - int(mark.start), 1))
            reached = round(float(view.posteriors[:, LABELS.index(mark.label)].max(initial=0.0)), 6)
            if reached > mark.score:
                self.marks[place] = replace(mark, score=reached)
                rose.append(self.marks[place])
        self._followed = end
        return rose

    def refresh(self, end: int, shown: int) -> None:
        """Take a copy of the ``shown`` columns before ``end``; everything read until the next call is of this copy."""
        if self._history is None:
            return
        while self.marks and self.marks[0].column < self._history.first:
            del self.marks[0]
        held = self._view
        if held is None or held.end != end or len(held) < min(shown, end - self.first):
            self._view = self._history.view(end, shown + MARGIN)
            self._truths = self._find_truths(self._view)
            self._recorded = self._find_recorded(self._view)

    @property
    def first(self) -> int:
        return self._history.first if self._history else 0

    @property
    def end(self) -> int:
        return self._history.end if self._history else 0

    @property
    def blocks(self) -> int:
        return self._history.blocks if self._history else 0

    @property
    def thresholds(self) -> Sequence[float]:
        return self.settings.thresholds

    def columns(self, start: int, stop: int) -> Columns:
        return columns_of(self._view, start, stop) if self._view is not None else _NOTHING

    def elapsed(self, start: int, stop: int) -> tuple[int, Array]:
        return self._history.elapsed(start, stop) if self._history else (0, _NOTHING.level)

    def warm_up(self, start: int, stop: int) -> Sequence[tuple[int, int]]:
        view = self._view
        if view is None or not len(view):
            return ()
        begins = np.flatnonzero(view.frame == 0) + view.start
        spans = [(int(begin), int(begin) + WARM_UP) for begin in begins]
        if 0 < view.frame[0] < WARM_UP:
            spans.append((view.start, view.start + WARM_UP - int(view.frame[0])))
        return [(a, b) for a, b in spans if b > start and a < stop]

    def detections(self, start: int, stop: int) -> Sequence[Mark]:
        found = []
        for mark in reversed(self.marks):
            if mark.column < start:
                break
            if mark.start < stop and mark.column <= stop:
                found.append(mark)
        return found[::-1]

    def truths(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in self._truths if mark.column >= start and mark.start < stop]

    def annotations(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in (*self._recorded, *self.pins) if mark.column >= start and mark.start < stop]

    @property
    def replays(self) -> bool:
        """Whether a recorded session is heard: sound as it was after any noise."""
        return hasattr(self._source, "recorded")

    def column_of(self, sample: int) -> float:
        """Where a sample of the source lies on the time axis."""
        return (sample - self._base - WINDOW) / HOP + 1

    def caption(self, end: int) -> str:
        """What the playlist plays at column ``end``; empty for other sources."""
        item_at = getattr(self._source, "item_at", None)
        if item_at is None or end == 0:
            return ""
        item = item_at((end - 1) * HOP + WINDOW - 1 + self._base)
        return f"playing: {item.caption}" if item is not None else ""

    def _find_truths(self, view: HistoryView) -> list[Mark]:
        truth = getattr(self._source, "truth", None)
        if truth is None or not len(view):
            return []
        words = truth(since=view.start * HOP + self._base)
        return [
            Mark(self.column_of(word.start), self.column_of(word.end), word.word)
            for word in words
            if word.word != LABELS[SILENCE] and self.column_of(word.start) < view.end
        ]

    def _find_recorded(self, view: HistoryView) -> list[Mark]:
        """Words that a replayed session reported when it was recorded."""
        recorded = getattr(self._source, "recorded", None)
        if recorded is None or not len(view):
            return []
        return [
            Mark(self.column_of(word.start), self.column_of(word.end), word.word, word.score, "recorded")
            for word in recorded(since=view.start * HOP + self._base)
            if self.column_of(word.start) < view.end
        ]


def columns_of(view: HistoryView, start: int, stop: int) -> Columns:
    """What the panels read of the part of [start, stop) that a view holds."""
    start = min(max(start, view.start), view.end)
    part = slice(start - view.start, max(min(stop, view.end), start) - view.start)
    return Columns(
        start=start, low=view.low[part], high=view.high[part], level=view.level[part],
        mel_db=20 * np.log10(view.mel[part] + QUIETEST) - FULL_SCALE_DB, snr=view.snr[part],
        routing=view.routing[part], delta_mean=view.delta_mean[part], delta_low=view.delta_low[part],
        delta_high=view.delta_high[part], posteriors=view.posteriors[part], pcen=view.pcen[part],
        gate_mean=view.gate_mean[part], gate_low=view.gate_low[part], gate_high=view.gate_high[part],
        true_snr=view.true_snr[part], clean_level=view.clean_level[part], noise_level=view.noise_level[part],
    )  # fmt: skip


def _empty() -> Columns:
    flat, map_, none = np.zeros(0, np.float32), np.zeros((0, 40), np.float32), np.zeros((0, 0), np.float32)
    classes = np.zeros((0, len(LABELS)), np.float32)
    return Columns(
        0, flat, flat, flat, map_, map_, none, none, none, none, classes, map_, none, none, none, map_, flat, flat
    )


_NOTHING = _empty()

"""False accepts while a run goes on: what ``accepts.report`` will find in its file, from what is heard, live."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.evaluation.events import EventScore, Utterance, score_events
from kwscore.evaluation.longrun import THRESHOLDS
from kwscore.session.accepts import Counter, counters_for
from kwscore.session.container import TRUTH
from kwscore.session.tap import Entry, Heard, Remembered
from kwscore.stream.detection import DetectionSettings

SETTLED = 10 * SAMPLE_RATE
"""After so many samples all is known of a moment: boards answer late, and sources tell what was said afterwards."""
_APART = SAMPLE_RATE
"""Further apart from each other than this, detections and words have nothing to do with one another in the scorer."""


@dataclass(frozen=True, slots=True)
class Count:
    """At one ``threshold``: false accepts of each word, and words found and missed where it is known what was said."""

    threshold: float
    by_word: dict[str, int]
    hits: int
    misses: int

    @property
    def false_accepts(self) -> int:
        """Of all words."""
        return sum(self.by_word.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands: ``samples`` heard, ``reported`` words, ``known``: whether the source tells what is said."""

    samples: int
    reported: int
    known: bool
    counts: tuple[Count, ...]

    @property
    def hours(self) -> float:
        """Listened."""
        return self.samples / SAMPLE_RATE / 3600

    def per_hour(self, count: int) -> float:
        """``count`` events as a rate; NaN before anything was heard."""
        return count / self.hours if self.samples else float("nan")


class Tally:
    """Counts at every threshold; a ``Recorder``'s ``listener``. Holds only what is not yet settled.

    ``settings`` those at the beginning; ``floor`` as in ``Spans``. ``take`` belongs to one thread, ``standing`` to any.
    """

    def __init__(
        self, settings: DetectionSettings, floor: float = 0.0, thresholds: Iterable[float] = THRESHOLDS
    ) -> None:
        self._lock = threading.Lock()
        self._counting = [_Counting(counter) for counter in counters_for(settings, thresholds, floor)]
        self._samples = self._reported = 0
        self._settle_due = SETTLED
        self._known = False

    def take(self, item: Heard | Entry | Remembered) -> None:
        """The next that is heard or told, on the session's clock."""
        with self._lock:
            if isinstance(item, Heard):
                self._hear(item)
            elif isinstance(item, Entry) and item.kind == TRUTH:
                self._known = True
                word = Utterance(item.value["word"], item.value["start"], item.value["end"])
                for counting in self._counting:
                    counting.truth.append(word)

    def _hear(self, heard: Heard) -> None:
        self._samples = heard.position + len(heard.samples)
        self._reported += len(heard.events)
        if heard.telemetry:
            frame = np.array([record.frame for record in heard.telemetry], np.int64)
            position = np.array([record.sample for record in heard.telemetry], np.int64) + heard.origin
            origin = np.full(len(frame), heard.origin, np.int64)
            for counting in self._counting:
                counting.counter.take(frame, position, origin, heard.posteriors)
        if self._samples >= self._settle_due:
            self._settle_due = self._samples + SETTLED
            for counting in self._counting:
                counting.settle(self._samples - SETTLED)

    def standing(self) -> Standing:
        """Everything so far."""
        with self._lock:
            counts = tuple(counting.count() for counting in self._counting)
            return Standing(self._samples, self._reported, self._known, counts)


class _Counting:
    """One threshold: totals of what is settled, and the detections and words that are not."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.truth: list[Utterance] = []
        self._by_word = dict.fromkeys(WORDS, 0)
        self._hits = self._misses = 0

    def settle(self, limit: int) -> None:
        """Score what came before a pause at or before sample ``limit``: nothing later can change it."""
        cut = limit
        for start, end in sorted(self._spans(), key=lambda span: span[1], reverse=True):
            if end <= cut:
                break
            cut = min(cut, start)
        score = self._score(cut)
        if score is None:
            return
        self._by_word = self._added(score)
        self._hits += len(score.hits)
        self._misses += len(score.misses)
        self.counter.found = [found for found in self.counter.found if found.decided >= cut]
        self.truth = [word for word in self.truth if word.start >= cut]

    def _spans(self) -> list[tuple[int, int]]:
        """What must not be cut apart, in samples."""
        spans = [(found.decided, found.decided + _APART) for found in self.counter.found]
        return spans + [(word.start, word.end + _APART) for word in self.truth]

    def _score(self, cut: int | None = None) -> EventScore | None:
        """Of what is held, before sample ``cut`` or all; None without anything."""
        truth = [word for word in self.truth if cut is None or word.start < cut]
        found = [each for each in self.counter.found if cut is None or each.decided < cut]
        return score_events(truth, found, 1) if truth or found else None  # the length is of no account here

    def _added(self, score: EventScore | None) -> dict[str, int]:
        if score is None:
            return self._by_word
        new = score.by_word()
        return {word: count + new[word]["false_accepts"] for word, count in self._by_word.items()}

    def count(self) -> Count:
        """So far, with what is not yet settled."""
        score = self._score()
        hits, misses = (len(score.hits), len(score.misses)) if score is not None else (0, 0)
        return Count(self.counter.threshold, self._added(score), self._hits + hits, self._misses + misses)

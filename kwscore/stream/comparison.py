"""Two engines on the same samples: their frames side by side, and how far apart they are. One writer, one reader."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import HOP, N_CLASSES
from kwscore.errors import KWScopeError
from kwscore.stream.agreement import EventPairs, EventTally
from kwscore.stream.history import COLUMNS_PER_SECOND, LONGEST_SECONDS
from kwscore.stream.runner import Batch
from kwscore.stream.telemetry import Telemetry

Array = NDArray[np.float32]
FIRST, SECOND = 0, 1
_NO_COLUMN = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Columns [start, stop) of the time axis (as in ``History``); NaN where an engine has no frame. n = stop - start.

    ``logits``, ``posteriors``  (2, n, 12) of the first and the second engine; posteriors smoothed by its detector.
    ``largest``, ``mean``       (n,) largest and mean absolute difference of the 12 logits.
    ``agrees``                  (n,) whether the largest logit is the same class's; False where a frame is missing.
    ``margin``                  (n,) lead of the first engine's best class over its second best, in logits.
    """

    start: int
    stop: int
    logits: Array
    posteriors: Array
    largest: Array
    mean: Array
    agrees: NDArray[np.bool_]
    margin: Array

    @property
    def paired(self) -> NDArray[np.bool_]:
        """(n,) whether both engines have this frame."""
        return np.isfinite(self.largest)


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """Everything since the comparison began, or was begun anew.

    ``frames``           frames that both engines have; the other figures are over these.
    ``equal``            those with all 12 logits the same to the last bit.
    ``agreeing``         those with the same best class.
    ``agreeing_sure``, ``sure``  the same among frames where the first engine leads by more than ``SURE`` logits.
    ``mean_difference``  mean absolute difference of a logit.
    ``largest_difference``, ``largest_at``  its maximum, and the column where that was.
    ``mean_margin``      mean lead of the first engine's best class over its second best.
    ``unequal_at``       first column whose logits differ; None while there is none.
    ``events``           detections matched and unmatched.
    """

    frames: int
    equal: int
    agreeing: int
    sure: int
    agreeing_sure: int
    mean_difference: float
    largest_difference: float
    largest_at: int | None
    mean_margin: float
    unequal_at: int | None
    events: EventTally

    @property
    def bit_exact(self) -> bool:
        """Whether every frame that both have has the same logits; False without any."""
        return self.frames > 0 and self.equal == self.frames

    @property
    def agreement(self) -> float:
        """Share of frames with the same best class, 0..1; NaN without any."""
        return self.agreeing / self.frames if self.frames else float("nan")


SURE = 0.2
"""Lead in logits above which a decision counts as sure: as in ``kwscore.fixed.compare``."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of one engine's frames in microseconds, (n,) each, oldest first. ``link`` is 0 for software; of a board
    that counts no cycles it is the whole round trip, and ``compute`` is empty."""

    link: Array
    compute: Array


class Comparison:
    """Keeps the last ``seconds`` of both engines' frames and counts since the start.

    Give it every batch of a runner with a reference (``extend``). Frames may come in any order and at any time: the
    column is the frame's place on the runner's clock. Frames of a standby do not count as the first engine's, nor do
    frames in which a network has not answered yet (all logits zero: window mode in its first second).

    Raises KWScopeError for a length that is not possible.
    """

    def __init__(self, seconds: float = LONGEST_SECONDS) -> None:
        if not 0 < seconds <= 3600:
            raise KWScopeError(f"A comparison of {seconds} s is not possible: choose more than 0 and at most 3600 s.")
        self.capacity = max(1, round(seconds * COLUMNS_PER_SECOND))
        self._lock = threading.Lock()
        self._logits = np.zeros((2, self.capacity, N_CLASSES), np.float32)
        self._posteriors = np.zeros((2, self.capacity, N_CLASSES), np.float32)
        self._link = np.zeros((2, self.capacity), np.float32)
        self._compute = np.full((2, self.capacity), np.nan, np.float32)
        self._column = np.full((2, self.capacity), _NO_COLUMN, np.int64)
        self._end = 0
        self._clear()

    def _clear(self) -> None:
        self._from = self._end
        self._frames = self._equal = self._agreeing = self._sure = self._agreeing_sure = 0
        self._sum = self._margins = 0.0
        self._largest, self._largest_at = 0.0, _NO_COLUMN
        self._unequal_at: int | None = None
        self._events = EventPairs()

    def count_anew(self) -> None:
        """Forget the counts; frames from the next column on are counted. What is drawn stays."""
        with self._lock:
            self._clear()

    @property
    def end(self) -> int:
        """One past the newest column that any engine has."""
        return self._end

    def extend(self, batch: Batch) -> None:
        """Add what a runner's step delivered."""
        with self._lock:
            mine = [i for i in range(len(batch.telemetry)) if i not in batch.stood_in]
            shift = batch.origin // HOP
            self._write(FIRST, [batch.telemetry[i] for i in mine], batch.posteriors[mine], shift)
            self._write(SECOND, batch.reference.telemetry, batch.reference.posteriors, shift)
            for engine, timings in ((FIRST, batch.timings), (SECOND, batch.reference.timings)):
                for timing in timings:
                    slot = (timing.frame + shift) % self.capacity
                    if self._column[engine, slot] == timing.frame + shift:
                        self._link[engine, slot] = timing.link_us
                        self._compute[engine, slot] = timing.compute_us
            self._events.add(batch.events, batch.reference.events, batch.origin)
            self._events.advance(batch.position + len(batch.samples))

    def _write(self, engine: int, records: list[Telemetry], posteriors: Array, shift: int) -> None:
        for record, posterior in zip(records, posteriors, strict=True):
            if not record.logits.any():
                continue
            column = record.frame + shift
            if column < self._end - self.capacity:
                continue
            slot = column % self.capacity
            self._logits[engine, slot] = record.logits
            self._posteriors[engine, slot] = posterior
            self._link[engine, slot] = 0.0
            self._compute[engine, slot] = record.elapsed_us
            self._column[engine, slot] = column
            self._end = max(self._end, column + 1)
            if self._column[1 - engine, slot] == column and column >= self._from:
                self._count(column, *self._logits[:, slot])

    def _count(self, column: int, first: Array, second: Array) -> None:
        difference = np.abs(first - second)
        largest = float(difference.max())
        self._frames += 1
        self._sum += float(difference.mean())
        if largest > self._largest or self._largest_at == _NO_COLUMN:
            self._largest, self._largest_at = largest, column
        if largest == 0.0:
            self._equal += 1
        elif self._unequal_at is None or column < self._unequal_at:
            self._unequal_at = column
        lead = float(np.subtract(*np.partition(first, -2)[:-3:-1]))
        same = bool(first.argmax() == second.argmax())
        self._agreeing += same
        self._margins += lead
        if lead > SURE:
            self._sure += 1
            self._agreeing_sure += same

    def view(self, start: int, stop: int) -> ComparisonView:
        """A copy of columns [start, stop), as far as held; NaN elsewhere."""
        with self._lock:
            columns = np.arange(start, max(stop, start))
            slots = columns % self.capacity
            absent = self._column[:, slots] != columns
            logits, posteriors = self._logits[:, slots], self._posteriors[:, slots]  # copies
        logits[absent] = posteriors[absent] = np.nan
        difference = np.abs(logits[FIRST] - logits[SECOND])
        both = ~absent.any(0)
        ordered = np.sort(logits[FIRST], axis=1)
        agrees = both & (logits[FIRST].argmax(1) == logits[SECOND].argmax(1))
        return ComparisonView(
            start, start + len(columns), logits, posteriors, difference.max(1), difference.mean(1), agrees,
            ordered[:, -1] - ordered[:, -2],
        )  # fmt: skip

    def paired(self, start: int, stop: int) -> NDArray[np.bool_]:
        """(n,) of which of the columns [start, stop) both engines have the frame."""
        with self._lock:
            columns = np.arange(start, max(stop, start))
            there: NDArray[np.bool_] = (self._column[:, columns % self.capacity] == columns).all(axis=0)
            return there

    def latency(self, engine: int, start: int, stop: int) -> Latency:
        """Times of the frames that ``engine`` (``FIRST``, ``SECOND``) has in columns [start, stop)."""
        with self._lock:
            columns = np.arange(max(start, self._end - self.capacity), max(stop, start))
            slots = columns % self.capacity
            there = slots[self._column[engine, slots] == columns]
            compute = self._compute[engine, there]
            return Latency(self._link[engine, there], compute[~np.isnan(compute)])

    def summary(self) -> ComparisonSummary:
        """The figures since the start."""
        with self._lock:
            frames = max(self._frames, 1)
            return ComparisonSummary(
                frames=self._frames,
                equal=self._equal,
                agreeing=self._agreeing,
                sure=self._sure,
                agreeing_sure=self._agreeing_sure,
                mean_difference=self._sum / frames,
                largest_difference=self._largest,
                largest_at=self._largest_at if self._largest_at != _NO_COLUMN else None,
                mean_margin=self._margins / frames,
                unequal_at=self._unequal_at,
                events=self._events.tally(),
            )

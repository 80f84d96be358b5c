"""The last minutes of telemetry as columns for plotting: one writer thread, one reader thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwscore.constants import HOP, N_CLASSES, N_MELS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.stream.detection import Event
from kwscore.stream.runner import Batch
from kwscore.stream.telemetry import Engine, Telemetry
from kwscore.stream.truesnr import SnrTruth, TrueSnr

COLUMNS_PER_SECOND = SAMPLE_RATE // HOP
LONGEST_SECONDS = 300
LATEST = SAMPLE_RATE
"""Samples kept for frames that come later than their sound, from a deferred engine."""
SPREAD = (0.1, 0.9)
"""Quantiles over channels that show how widely delta spreads."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """A word on the time axis: columns of its start, peak and decision, and the event itself."""

    start: int
    peak: int
    decided: int
    event: Event


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Columns [start, end) of the time axis, one a frame (10 ms); independent copies, n = end - start.

    ``start``, ``end``   column numbers since the history began; they never restart.
    ``frame``            (n,) frame index since the engine's last reset, to tell its warm-up.
    ``low``, ``high``    (n,) smallest and largest sample of the frame's newest hop, -1..1.
    ``level``            (n,) dBFS.
    ``mel``              (n, 40) linear mel magnitudes.
    ``snr``              (n, 40).
    ``routing``          (n, experts).
    ``delta_mean``, ``delta_low``, ``delta_high``  (n, blocks) mean, 10 % and 90 % quantile over channels.
    ``logits``           (n, 12).
    ``posteriors``       (n, 12) smoothed.
    ``elapsed``          (n,) time the engine needed, microseconds.
    ``pcen``             (n, 40) output of the front end; NaN where the engine does not send it.
    ``gate_mean``, ``gate_low``, ``gate_high``  (n, blocks) mean, least and largest over states of what the SNR
                         multiplies the SSM's input by; NaN where the engine does not send it.
    ``true_snr``         (n, 40) dB, true SNR where the noise is known (``TrueSnr``); NaN elsewhere.
    ``clean_level``, ``noise_level``  (n,) dBFS of the newest hop without its noise, and of that noise; NaN elsewhere.
    ``events``           events whose start to decision touches the columns, oldest first.
    """

    start: int
    end: int
    frame: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    level: NDArray[np.float32]
    mel: NDArray[np.float32]
    snr: NDArray[np.float32]
    routing: NDArray[np.float32]
    delta_mean: NDArray[np.float32]
    delta_low: NDArray[np.float32]
    delta_high: NDArray[np.float32]
    logits: NDArray[np.float32]
    posteriors: NDArray[np.float32]
    elapsed: NDArray[np.float32]
    pcen: NDArray[np.float32]
    gate_mean: NDArray[np.float32]
    gate_low: NDArray[np.float32]
    gate_high: NDArray[np.float32]
    true_snr: NDArray[np.float32]
    clean_level: NDArray[np.float32]
    noise_level: NDArray[np.float32]
    events: tuple[HistoryEvent, ...]

    def __len__(self) -> int:
        return self.end - self.start


class History:
    """Fixed-length ring of telemetry columns.

    Every column is written twice, half a buffer apart, so that any span is one contiguous slice: reading copies each
    field once, however the ring stands. ``append``, ``extend`` and ``clear`` belong to the writer; the rest may be
    called from another thread.
    """

    def __init__(self, experts: int, blocks: int, seconds: float = LONGEST_SECONDS) -> None:
        if not 0 < seconds <= 3600:
            raise KWScopeError(f"A history of {seconds} s is not possible: choose more than 0 and at most 3600 s.")
        self.capacity = max(1, round(seconds * COLUMNS_PER_SECOND))
        self._lock = threading.Lock()
        self._allocate(experts, blocks)

    @classmethod
    def for_engine(cls, engine: Engine, seconds: float = LONGEST_SECONDS) -> History:
        """A history with as many experts and blocks as the engine has."""
        return cls(len(engine.expert_names), engine.blocks, seconds)

    def _allocate(self, experts: int, blocks: int) -> None:
        rows = 2 * self.capacity
        self.experts, self.blocks = experts, blocks
        self._end = 0
        self._first = 0
        self._tail = np.zeros(0, np.int16)  # the newest samples, for frames that come later
        self._tail_end = 0
        self._events: deque[HistoryEvent] = deque()
        self._truth = TrueSnr()
        widths = {
            "low": (),
            "high": (),
            "level": (),
            "mel": (N_MELS,),
            "snr": (N_MELS,),
            "routing": (experts,),
            "delta_mean": (blocks,),
            "delta_low": (blocks,),
            "delta_high": (blocks,),
            "logits": (N_CLASSES,),
            "posteriors": (N_CLASSES,),
            "elapsed": (),
            "pcen": (N_MELS,),
            "gate_mean": (blocks,),
            "gate_low": (blocks,),
            "gate_high": (blocks,),
            "true_snr": (N_MELS,),
            "clean_level": (),
            "noise_level": (),
        }
        self._fields: dict[str, NDArray[np.float32]] = {
            name: np.zeros((rows, *width), np.float32) for name, width in widths.items()
        }
        self._frame = np.zeros(rows, np.int64)

    @property
    def end(self) -> int:
        """One past the newest column; 0 before the first."""
        return self._end

    @property
    def first(self) -> int:
        """Oldest column still held."""
        return max(self._first, self._end - self.capacity)

    @property
    def nbytes(self) -> int:
        """Memory of the columns; constant."""
        return self._frame.nbytes + sum(field.nbytes for field in self._fields.values())

    def clear(self, engine: Engine | None = None) -> None:
        """Forget everything and begin again at column 0, for another ``engine`` if given."""
        with self._lock:
            experts = self.experts if engine is None else len(engine.expert_names)
            self._allocate(experts, self.blocks if engine is None else engine.blocks)

    def append(self, telemetry: Telemetry, posterior: ArrayLike, samples: NDArray[np.int16]) -> None:
        """Add the column of one frame: smoothed posteriors (12,) and the int16 samples of its newest hop."""
        self._write([telemetry], np.asarray(posterior, np.float32)[None], [_extent(samples)], SnrTruth.unknown(1))

    def extend(self, batch: Batch) -> None:
        """Add everything a runner's step delivered; give it every batch, also those without frames."""
        if batch.position != self._tail_end:
            self._tail = self._tail[:0]
        heard = np.concatenate([self._tail, batch.samples])
        begin = batch.position - len(self._tail) - batch.origin  # engine index of heard[0]
        extents = [
            _extent(heard[max(0, record.sample - HOP + 1 - begin) : record.sample + 1 - begin])
            for record in batch.telemetry
        ]
        self._tail = heard[-LATEST:].copy()
        self._tail_end = batch.position + len(batch.samples)
        self._write(batch.telemetry, batch.posteriors, extents, self._truth.measure(batch))
        for event in batch.events:
            self.add_event(event, batch.telemetry[-1])

    def add_event(self, event: Event, newest: Telemetry) -> None:
        """Mark a word; ``newest`` is the telemetry of the newest column, which ties frames to columns."""
        with self._lock:
            shift = self._end - 1 - newest.frame
            columns = (event.start_frame + shift, event.peak_frame + shift, event.decided_frame + shift)
            self._events.append(HistoryEvent(*columns, event))
            while self._events and self._events[0].decided < self.first:
                self._events.popleft()

    def view(self, end_frame: int | None = None, frames: int = 10 * COLUMNS_PER_SECOND) -> HistoryView:
        """A copy of the last ``frames`` columns before column ``end_frame`` (None: the newest), as far as held."""
        with self._lock:
            first = self.first
            end = self._end if end_frame is None else min(max(end_frame, first), self._end)
            start = max(first, end - max(frames, 0))
            slot = start % self.capacity
            rows = slice(slot, slot + end - start)
            fields = {name: field[rows].copy() for name, field in self._fields.items()}
            events = tuple(e for e in self._events if e.decided >= start and e.start < end)
            return HistoryView(start=start, end=end, frame=self._frame[rows].copy(), events=events, **fields)

    def elapsed(self, start: int, stop: int) -> tuple[int, NDArray[np.float32]]:
        """The held part of columns [start, stop): its first column and (n,) engine times in microseconds.

        A copy of one field alone, for spans far longer than a view.
        """
        with self._lock:
            start = min(max(start, self.first), self._end)
            stop = min(max(stop, start), self._end)
            slot = start % self.capacity
            return start, self._fields["elapsed"][slot : slot + stop - start].copy()

    def _write(
        self,
        telemetry: Sequence[Telemetry],
        posteriors: NDArray[np.float32],
        extents: Sequence[tuple[float, float]],
        truth: SnrTruth,
    ) -> None:
        if not telemetry:
            return
        skipped = max(0, len(telemetry) - self.capacity)
        telemetry, posteriors, extents = telemetry[skipped:], posteriors[skipped:], extents[skipped:]
        truth = truth.after(skipped)
        delta = np.stack([record.delta for record in telemetry])
        if delta.shape[2]:
            ordered = np.sort(delta, axis=2)
            mean = delta.mean(2)
            low, high = (ordered[:, :, round(q * (delta.shape[2] - 1))] for q in SPREAD)
        else:  # a network without state space
            mean = low = high = np.zeros(delta.shape[:2], np.float32)
        columns: dict[str, ArrayLike] = {
            "low": [extent[0] for extent in extents],
            "high": [extent[1] for extent in extents],
            "level": [record.level_dbfs for record in telemetry],
            "mel": [record.mel for record in telemetry],
            "snr": [record.snr for record in telemetry],
            "routing": [record.routing for record in telemetry],
            "delta_mean": mean,
            "delta_low": low,
            "delta_high": high,
            "logits": [record.logits for record in telemetry],
            "posteriors": posteriors,
            "elapsed": [record.elapsed_us for record in telemetry],
            "pcen": [record.pcen if record.pcen.size else _NO_BANDS for record in telemetry],
            "gate_mean": self._gates(telemetry, np.mean),
            "gate_low": self._gates(telemetry, np.min),
            "gate_high": self._gates(telemetry, np.max),
            "true_snr": truth.snr,
            "clean_level": truth.clean_dbfs,
            "noise_level": truth.noise_dbfs,
        }
        rows = {name: np.asarray(values, np.float32) for name, values in columns.items()}
        frame = np.array([record.frame for record in telemetry])
        with self._lock:
            self._end += skipped
            slots = (self._end + np.arange(len(telemetry))) % self.capacity
            for name, values in rows.items():
                self._fields[name][slots] = values
                self._fields[name][slots + self.capacity] = values
            self._frame[slots] = self._frame[slots + self.capacity] = frame
            self._end += len(telemetry)

    def _gates(
        self, telemetry: Sequence[Telemetry], over: Callable[..., NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        missing = np.full(self.blocks, np.nan, np.float32)
        return [over(record.gate, axis=1) if record.gate.size else missing for record in telemetry]


_NO_BANDS = np.full(N_MELS, np.nan, np.float32)


def _extent(samples: NDArray[np.int16]) -> tuple[float, float]:
    if not len(samples):
        return 0.0, 0.0
    return float(samples.min()) / 32768.0, float(samples.max()) / 32768.0

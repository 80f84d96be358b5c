"""What the panels read: columns of 10 ms and marks on the same time axis.

The panels know only this interface. The one that reads the engine's history is ``app.history_feed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
COLUMNS_PER_SECOND = 100
HELD = 150  # columns: the level that is judged, and the clip lamp, are held so long


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns [start, start + n) of the display; one column is one hop (10 ms).

    ``low``, ``high``  (n,) smallest and largest sample of the hop, -1..1.
    ``level``          (n,) dBFS.
    ``mel_db``         (n, 40) log-mel, dB re a full-scale sine in that band.
    ``snr``            (n, 40) the network's own estimate, 0..1.
    ``routing``        (n, experts) weights, sum 1.
    ``delta_mean``, ``delta_low``, ``delta_high``  (n, blocks) mean, 10th and 90th percentile over channels.
    ``posteriors``     (n, 12) smoothed, as the detector compares them with the thresholds.
    ``pcen``           (n, 40) output of the front end; NaN where the engine does not send it.
    ``gate_mean``, ``gate_low``, ``gate_high``  (n, blocks) mean, least and largest over states of the SSM's input
                       gate; NaN where the engine does not send it.
    ``true_snr``       (n, 40) dB, true SNR where the noise is known; NaN elsewhere.
    ``clean_level``, ``noise_level``  (n,) dBFS without the noise, and of the noise alone; NaN elsewhere.
    """

    start: int
    low: Array
    high: Array
    level: Array
    mel_db: Array
    snr: Array
    routing: Array
    delta_mean: Array
    delta_low: Array
    delta_high: Array
    posteriors: Array
    pcen: Array
    gate_mean: Array
    gate_low: Array
    gate_high: Array
    true_snr: Array
    clean_level: Array
    noise_level: Array

    def __len__(self) -> int:
        return len(self.level)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word on the time axis: ``start`` and ``column`` (decision, or end of the word) in columns. ``kind``: "" for a
    word heard or said now, "recorded" for one that a replayed session reported, "pin" for a note."""

    start: float
    column: float
    label: str
    score: float = 0.0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A detection that is looked at: columns of its start, of its highest posterior and of its decision."""

    word: str
    start: int
    peak: int
    decided: int


class Feed(Protocol):
    """A source of columns and marks; every call returns copies or immutable objects."""

    @property
    def first(self) -> int:
        """Oldest column still held."""

    @property
    def end(self) -> int:
        """One past the newest column; 0 before anything was heard."""

    @property
    def expert_names(self) -> Sequence[str]: ...

    @property
    def blocks(self) -> int: ...

    @property
    def thresholds(self) -> Sequence[float]:
        """One threshold per word (10)."""

    @property
    def training_level(self) -> tuple[float, float] | None:
        """Range of levels in dBFS that the network was trained on, where it is known."""

    def columns(self, start: int, stop: int) -> Columns:
        """Columns of the part of [start, stop) that is held."""

    def elapsed(self, start: int, stop: int) -> tuple[int, Array]:
        """The held part of columns [start, stop), shown or not: its first column and (n,) engine times in us."""

    def warm_up(self, start: int, stop: int) -> Sequence[tuple[int, int]]:
        """Spans of columns in which the network has not yet heard enough since a reset."""

    def detections(self, start: int, stop: int) -> Sequence[Mark]: ...

    def truths(self, start: int, stop: int) -> Sequence[Mark]:
        """Words that are really there, as far as the source knows (demo playlist)."""

    def annotations(self, start: int, stop: int) -> Sequence[Mark]:
        """Notes, and the words that a replayed session reported when it was recorded."""

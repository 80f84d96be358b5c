"""The one interface of everything that delivers audio."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class SourceState(Enum):
    """Where a source is in its life."""

    IDLE = "idle"
    RUNNING = "running"
    STALLED = "stalled"  # open, but no samples for 300 ms; may resume by itself
    LOST = "lost"  # the device went away; the source retries by itself
    FINISHED = "finished"  # a file or playlist came to its end


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A snapshot for the status bar; cheap to take, never blocks."""

    state: SourceState
    message: str = ""  # one sentence for the user when something is wrong, else empty
    native_rate: int = 16_000  # Hz, before resampling
    dropped: int = 0  # samples lost between device and reader since start
    overflows: int = 0  # overflow flags the device reported since start
    position: int = 0  # 16 kHz samples delivered since start


@runtime_checkable
class Source(Protocol):
    """Delivers mono 16 kHz int16 audio. Used from one reader thread; ``status`` from any thread."""

    @property
    def name(self) -> str:
        """What the user picked: device name, file name, "Demo playlist"."""

    @property
    def live(self) -> bool:
        """True when time goes on by itself (microphone); False when it can be read as fast as it goes."""

    def start(self) -> None:
        """Open and begin. Raises KWScopeError with one sentence when it cannot."""

    def read(self, timeout: float = 0.0) -> NDArray[np.int16]:
        """All samples that are due now (at least one hop unless the source ends), waiting at most ``timeout`` seconds.

        Returns an empty array when nothing is due. Never raises once started: trouble shows in ``status``.
        """

    def stop(self) -> None:
        """Close; returns within 2 s whatever the device does. A stopped source can be started again."""

    def status(self) -> SourceStatus: ...

"""An engine whose answers may take their time, run in a thread of its own: a board, or a network in window mode."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kwscore.errors import KWScopeError
from kwscore.stream.pcm import to_pcm
from kwscore.stream.telemetry import Engine, Telemetry

_IDLE = 0.5  # seconds between looks at an empty queue: bounds how late a forgotten engine ends
_STEADY = 10.0  # seconds: an engine that is lost again sooner has to wait before it may begin anew
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds, doubled each time
_LONGEST = 160_000  # samples that may wait for an engine that stands still: ten seconds
T = TypeVar("T")
log = logging.getLogger(__name__)


class HopTiming(Protocol):
    """Where the time of one frame went, in microseconds (``kwscore.board.engine.HopTiming``)."""

    @property
    def frame(self) -> int: ...

    @property
    def link_us(self) -> float: ...

    @property
    def compute_us(self) -> float: ...


class DeferredEngine:
    """Satisfies ``Engine``, but ``process`` never waits: it hands the samples over and returns the frames finished so
    far, in order; those still under way come with later calls (an empty array asks without giving).

    ``engine`` raises KWScopeError when it cannot go on; the reason then stands in ``lost`` and samples are dropped.
    ``at_hand`` is asked while it is lost; once it is true ``returned`` is, and ``reset`` begins a new stream. One that
    is lost again and again has to wait longer each time: whatever begins anew with it is not to be disturbed for ever.
    ``astray`` is asked after each block: a sentence once the engine goes on but no longer with all that it heard (a
    board that lost audio), which counts as lost too. ``close`` ends the thread; ``release`` closes the engine.
    """

    def __init__(
        self,
        engine: Engine,
        at_hand: Callable[[], bool] = lambda: True,
        release: Callable[[], None] | None = None,
        astray: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self._clock = clock
        self._lost_at = float("-inf")
        self._wait = 0.0
        self._astray = astray
        self._at_hand = at_hand
        self._release = release
        self._changed = threading.Condition()
        self._stream = 0  # counts the resets: answers of an earlier stream are dropped
        self._queue: deque[NDArray[np.int16]] = deque()
        self._waiting = 0  # samples in the queue
        self._busy = False
        self._records: list[Telemetry] = []
        self._timings: list[HopTiming] = []
        self._lost = ""
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="kwscope-deferred", daemon=True)
        self._thread.start()

    # -- as an engine -----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Network name."""
        return self.engine.name

    @property
    def model_hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the weights."""
        return self.engine.model_hash

    @property
    def expert_names(self) -> Sequence[str]:
        """Names of the entries of ``Telemetry.routing``."""
        return self.engine.expert_names

    @property
    def blocks(self) -> int:
        """Blocks of the network."""
        return self.engine.blocks

    @property
    def channels(self) -> int:
        """SSM channels per block (D)."""
        return self.engine.channels

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        """Take mono 16 kHz samples; return the frames finished since the last call. Never waits, never raises for
        what happens in the engine."""
        pcm = to_pcm(samples)
        with self._changed:
            if len(pcm) and not self._lost:
                self._queue.append(pcm.copy())
                self._waiting += len(pcm)
                if self._waiting > _LONGEST:
                    self._lose(f"{self.name} has not answered for ten seconds of sound.")
                self._changed.notify_all()
            records, self._records = self._records, []
            return records

    def reset(self) -> None:
        """Begin a new stream: what is under way of the old one never arrives."""
        with self._changed:
            self._stream += 1
            self._queue.clear()
            self._waiting = 0
            self._records, self._timings = [], []
            self._lost = ""
            self._changed.notify_all()

    # -- what is special about it -----------------------------------------------------------------------------

    def timings(self) -> list[HopTiming]:
        """Where the time of the frames went that arrived since the last call; empty for engines without a link."""
        with self._changed:
            timings, self._timings = self._timings, []
            return timings

    @property
    def lost(self) -> str:
        """Why nothing comes any more, one sentence; empty while all is well."""
        return self._lost

    @property
    def returned(self) -> bool:
        """Whether it was lost and is at hand again: ``reset`` it together with everything that is compared to it."""
        if not self._lost or self._jobs or self._closed or self._clock() < self._lost_at + self._wait:
            return False
        return self._at_hand()

    @property
    def idle(self) -> bool:
        """Whether everything that was given has been worked through."""
        with self._changed:
            return not self._queue and not self._busy

    def apart(self, job: Callable[[], T], why: str) -> T:
        """Run ``job`` in the engine's thread, where it has the engine for itself; ``why`` stands in ``lost`` meanwhile.

        Waits for the job, and returns or raises what it does. Raises KWScopeError when the engine is closed.
        """
        done: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise KWScopeError(f"{self.name} has been closed.")
            self._jobs.append((done, job))
            self._lose(why)
            self._lost_at = float("-inf")  # nothing is wrong with it
            self._changed.notify_all()
        return done.result()

    def close(self) -> None:
        """End the thread after its present work; waits for it at most two seconds."""
        with self._changed:
            self._closed = True
            self._lose(f"{self.name} has been closed.")
            self._changed.notify_all()
        if self._release is not None:
            self._release()
        self._thread.join(2.0)

    # -- in the thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        stream = self._stream
        while True:
            with self._changed:
                while not self._closed and not self._queue and not self._jobs:
                    self._changed.wait(_IDLE)
                if self._closed:
                    for done, _ in self._jobs:
                        done.set_exception(KWScopeError(f"{self.name} has been closed."))
                    return
                jobs = list(self._jobs)
            if jobs:
                self._do(*jobs[0])
                stream = -1  # whatever comes next begins with a reset
                continue
            with self._changed:
                if not self._queue:
                    continue
                begins, stream = stream != self._stream, self._stream
                pcm = np.concatenate(self._queue)
                self._queue.clear()
                self._waiting = 0
                self._busy = True
            try:
                if begins:
                    self.engine.reset()
                records = self.engine.process(pcm)
                self._finish(stream, records, self._astray())
            except KWScopeError as error:
                self._finish(stream, [], str(error))
            except Exception as error:
                log.exception("engine %s", self.name)
                self._finish(stream, [], f"{self.name} stopped ({error or type(error).__name__}).")

    def _do(self, done: Future[Any], job: Callable[[], Any]) -> None:
        try:
            done.set_result(job())
        except BaseException as error:
            done.set_exception(error)
        with self._changed:
            self._jobs.popleft()

    def _finish(self, stream: int, records: list[Telemetry], problem: str) -> None:
        measured: Iterable[HopTiming] = getattr(self.engine, "timings", ())
        newest = list(islice(reversed(measured), len(records))) if isinstance(measured, deque) else []
        with self._changed:
            self._busy = False
            if stream != self._stream:
                return
            self._records += records
            self._timings += reversed(newest)
            if problem:
                self._lose(problem)

    def _lose(self, problem: str) -> None:
        if not self._lost:
            now = self._clock()
            again = now - self._lost_at - self._wait < _STEADY
            self._wait = min(max(2 * self._wait, _FIRST_WAIT), _LONGEST_WAIT) if again else 0.0
            self._lost_at = now
        self._lost = problem
        self._queue.clear()
        self._waiting = 0

"""The engine thread: one loop that steps the runner, fills the history and hands events to the window."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.boards import in_window
from app.engines import EngineSet
from kwscore.audio.source import Source
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.stream.comparison import Comparison
from kwscore.stream.deferred import DeferredEngine
from kwscore.stream.detection import DetectionSettings, Detector, Event
from kwscore.stream.history import History
from kwscore.stream.runner import Batch, Runner
from kwscore.stream.telemetry import Engine

if TYPE_CHECKING:
    from kwscore.audio.mixing import StreamingMixer

RISE = 0.1  # posterior from which on a word counts as rising
LONGEST_RISE = 300  # columns
PAUSE = 0.012  # s between steps: the display needs no finer grain
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Detected:
    """A word for log and plots. ``column`` of the decision, ``start_column`` of the first frame over the threshold."""

    seconds: float
    word: str
    score: float
    latency_ms: float  # from the first rise of the word's posterior to the decision
    start_column: int
    column: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the banner; an empty ``text`` takes away what stands there under ``key``."""

    key: str
    text: str
    level: str = "error"


@dataclass(frozen=True, slots=True)
class Attached:
    """The history was begun anew: the panels must read this one."""

    history: History
    source: Source
    base: int
    engine: Engine


@dataclass(frozen=True, slots=True)
class Compared:
    """Two engines run on the same samples from now on (``comparison`` None: one alone)."""

    comparison: Comparison | None
    engines: EngineSet


@dataclass(frozen=True, slots=True)
class Ended:
    """The source came to its end, or the engine failed."""

    source: Source


class Worker(threading.Thread):
    """Everything that touches runner and history happens in here; others post functions and read ``events``."""

    def __init__(self) -> None:
        super().__init__(name="kwscope-engine", daemon=True)
        self.events: deque[object] = deque()
        self.runner: Runner | None = None
        self.history: History | None = None
        self.settings = DetectionSettings()
        self.comparison: Comparison | None = None
        self.mixer: StreamingMixer | None = None
        self.listeners: tuple[Callable[[Batch], None], ...] = ()
        """Called in the engine thread with every step's batch, after the history has it; exchange the whole tuple."""
        self._engines: EngineSet | None = None
        self._absent: dict[str, str] = {}  # why a deferred engine is away, by its part
        self._source: Source | None = None
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._leaving = False

    # -- from any thread --------------------------------------------------------------------------------------

    def post(self, task: Callable[[], None]) -> None:
        """Run ``task`` in the engine thread, between two steps."""
        self._tasks.put(task)
        self._wake.set()

    def leave(self) -> None:
        """End the loop after the present step."""
        self._leaving = True
        self._wake.set()

    # -- in the engine thread ---------------------------------------------------------------------------------

    def run(self) -> None:
        while not self._leaving:
            self._wake.clear()
            while not self._tasks.empty():
                self._guarded(self._tasks.get())
            if self.runner is None:
                self._wake.wait(0.5)
            else:
                self._guarded(self._step)
                self._wake.wait(PAUSE)

    def _guarded(self, task: Callable[[], None]) -> None:
        """Nothing that fails in here may end the thread: it becomes a sentence."""
        try:
            task()
        except KWScopeError as error:
            self._fail(str(error))
        except Exception as error:
            log.exception("engine thread")
            self._fail(f"The engine stopped unexpectedly ({error or type(error).__name__}): press Start to go on.")

    def _fail(self, sentence: str) -> None:
        self.events.append(Notice("engine", sentence))
        self._end()

    def _end(self) -> None:
        """The source is over and belongs to nobody: whatever comes later must not begin with it again."""
        if self._source is not None:
            self.events.append(Ended(self._source))
        self.runner = self._source = None

    def use_source(self, source: Source | None) -> None:
        """Hear ``source`` (started) from now on, with a new clock and an empty history; None: hear nothing."""
        self._source = source
        self.runner = None
        self._begin()

    def use_engines(self, engines: EngineSet) -> None:
        """Go on with other engines: between two samples where the history fits them, else from the beginning."""
        self._engines = engines
        history, engine = self.history, engines.engine
        if self.runner is None or history is None or self._source is None:
            self._begin()
        elif (history.experts, history.blocks) == (len(engine.expert_names), engine.blocks):
            self.runner.swap(engine=engine, reference=engines.reference, standby=engines.standby)
            self._compare()
            self.events.append(Notice("engine", ""))
        else:
            self._begin()

    def use_mixer(self, mixer: StreamingMixer | None) -> None:
        """Mix noise in from the next sample on; None: hear the source as it is."""
        self.mixer = mixer
        if self.runner is not None:
            self.runner.swap(mixer=mixer)

    def use_settings(self, settings: DetectionSettings) -> None:
        self.settings = settings
        if self.runner is not None:
            self.runner.detector.settings = self.runner.reference_detector.settings = settings

    def begin_anew(self) -> None:
        """Reset: network, history and clock start again with the next sample."""
        if self.runner is not None:
            self._begin()

    def _begin(self) -> None:
        if self._source is None or self._engines is None:
            return
        engines = self._engines
        base = self._source.status().position
        if self.mixer is not None:
            self.mixer.reset()  # speech level and counters are of what is heard from now on
        # A history of its own for every beginning: what the window still reads of the last one stays as it is.
        self.history = History.for_engine(engines.engine)
        self.runner = Runner(
            self._source, engines.engine, Detector(self.settings), self.mixer, reference=engines.reference,
            standby=engines.standby,
        )  # fmt: skip
        self.events.append(Attached(self.history, self._source, base, engines.engine))
        self._compare()
        self.events.append(Notice("engine", ""))

    def _compare(self) -> None:
        assert self._engines is not None
        self.comparison = Comparison() if self._engines.reference is not None else None
        self._absent = {}
        self.events.append(Compared(self.comparison, self._engines))
        self.events.append(Notice("board", ""))

    def _step(self) -> None:
        runner, history = self.runner, self.history
        if runner is None or history is None:
            return
        batch = runner.step()
        history.extend(batch)
        if self.comparison is not None:
            self.comparison.extend(batch)
        for listener in self.listeners:
            listener(batch)
        self._watch_boards(runner)
        if batch.telemetry:
            newest = batch.telemetry[-1].frame
            for event in batch.events:
                column = history.end - 1 - (newest - event.decided_frame)
                self.events.append(
                    Detected(
                        seconds=(event.decided + batch.origin + 1) / SAMPLE_RATE,
                        word=event.word,
                        score=event.score,
                        latency_ms=self._rise(history, event, column),
                        start_column=column - (event.decided_frame - event.start_frame),
                        column=column + 1,
                    )
                )
        if runner.finished:
            self._end()

    def _watch_boards(self, runner: Runner) -> None:
        """Say when an engine that answers later is away, and when it is there again."""
        parts = {"engine": runner.engine, "reference": runner.reference}
        absent = {part: e.lost for part, e in parts.items() if isinstance(e, DeferredEngine) and e.lost}
        if absent == self._absent:
            return
        self._absent = absent
        goes_on = "" if "engine" not in absent else " The integer engine in software goes on in its place."
        said = in_window(" ".join(dict.fromkeys(absent.values())))
        self.events.append(Notice("board", f"{said}{goes_on}" if said else "", "warning"))

    @staticmethod
    def _rise(history: History, event: Event, column: int) -> float:
        """Milliseconds from where the word's smoothed posterior last left ``RISE`` behind until the decision."""
        posterior = history.view(column + 1, LONGEST_RISE).posteriors[:, event.index]
        low = (posterior < RISE).nonzero()[0]
        return 1000.0 * HOP / SAMPLE_RATE * (len(posterior) - 1 - (int(low[-1]) if len(low) else 0))

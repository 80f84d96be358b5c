"""The window under load, measured from within: processor time, memory, lost samples, switching times.

``kwscope soak`` starts this as a process of its own (``python -m app.soak``) and judges the figures, which are printed
as one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QTimer

from app.controller import Controller
from app.engines import EngineChoice, Kind, Reference
from app.main import application
from app.settings import Settings
from app.sources import Choice, check
from app.window import MainWindow
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK
from kwscore.stream.runner import Batch

WARM = 5.0  # s of sound before anything counts: caches, first paintings
PATIENCE = 300.0  # s for loading, compiling and quantising
SWITCH_PATIENCE = 30.0  # s
SETTLE = 1.0  # s between two switches
NOISE = "street"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. ``began``: ``time.time()`` when the process was started. ``everything``: both engines, the noise
    mixer and all panels; else the window as it opens."""

    seconds: float
    width: int
    height: int
    source: str
    began: float
    everything: bool = True


class Heard(NamedTuple):
    """One step of the engine thread that brought sound."""

    at: float
    source: str
    position: int
    samples: int
    frames: int
    engine: str
    both: bool
    noise: str


class Watch:
    """Listens in the engine thread: is every sample there, and when did the first result of what come?"""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.lock = threading.Lock()
        self.recent: deque[Heard] = deque(maxlen=5000)
        self.lost = self.frames = self.samples = 0
        self.longest = 0
        self._next: tuple[int, int] | None = None  # the runner that is heard, and its next sample

    def hear(self, batch: Batch) -> None:
        runner = self.controller.worker.runner
        if runner is None or not len(batch.samples):
            return
        engine, mixer = runner.engine, runner.mixer
        noise = getattr(mixer, "noise", None) if mixer is not None else None
        entry = Heard(
            time.monotonic(), runner.source.name, batch.position, len(batch.samples), len(batch.telemetry),
            f"{type(engine).__name__} {engine.name}", runner.reference is not None, noise.name if noise else "",
        )  # fmt: skip
        with self.lock:
            if self._next is not None and self._next[0] == id(runner):
                self.lost += abs(batch.position - self._next[1])
            self._next = id(runner), batch.position + len(batch.samples)
            self.frames += len(batch.telemetry)
            self.samples += len(batch.samples)
            self.longest = max(self.longest, len(batch.samples))
            self.recent.append(entry)

    def begin(self) -> None:
        with self.lock:
            self.lost = self.frames = self.samples = self.longest = 0

    def since(self, moment: float) -> list[Heard]:
        with self.lock:
            return [entry for entry in self.recent if entry.at >= moment]


class Soak(QObject):
    """Runs the phases one after the other on the window's own event loop."""

    def __init__(self, window: MainWindow, order: Order) -> None:
        super().__init__(window)  # its timers end with the window
        self.window, self.order, self.controller = window, order, window.controller
        self.watch = Watch(self.controller)
        self.controller.listen_in(self.watch.hear)
        self.figures: dict[str, Any] = {}
        self.memory: list[tuple[float, float]] = []
        self.dropped = 0
        self.ticks = 0
        self.failed = ""
        self.ended = False
        window.timer.timeout.connect(self._tick)
        window.ready.connect(self._ready)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._second)

    def _tick(self) -> None:
        self.ticks += 1

    def _ready(self) -> None:
        if self.figures:
            return  # begun already
        self.figures["start_s"] = time.time() - self.order.began
        if self.order.everything:
            self.controller.set_engines(EngineChoice(Kind.FLOAT, Reference(Kind.INTEGER)))
            self.controller.noise.choose(NOISE)
        self.controller.start()
        self._until(lambda: self.watch.frames > 0, self._first, PATIENCE, "the source delivered no sound")

    def _first(self) -> None:
        self.figures["first_result_s"] = time.time() - self.order.began
        self._until(self._warm, self._begin, PATIENCE, "the source stopped, or an engine or the noise did not start")

    def _warm(self) -> bool:
        """Enough was heard, and what is to be measured is on."""
        newest = self.watch.since(0.0)[-1]
        on = newest.both and newest.noise == NOISE
        return self.watch.samples >= WARM * SAMPLE_RATE and (on or not self.order.everything)

    def _begin(self) -> None:
        self.figures["engines"] = self.controller.engine_choice.label
        self.figures["panels"] = sum(not dock.isHidden() for dock in self.window.docks.values())
        self.watch.begin()
        self.ticks = 0
        self._wall, self._cpu = time.monotonic(), _cpu()
        self._clock.start()
        self._second()
        QTimer.singleShot(round(1000 * self.order.seconds), self._measured)

    def _second(self) -> None:
        self.memory.append((time.monotonic() - self._wall, _resident_mib()))
        health = self.controller.health()
        self.dropped = max(self.dropped, health.dropped + health.overflows)

    def _measured(self) -> None:
        self._second()
        self._clock.stop()
        wall, cpu = time.monotonic() - self._wall, _cpu() - self._cpu
        runner = self.controller.worker.runner
        hop = runner.statistics() if runner is not None else None
        at, resident = (np.array(values) for values in zip(*self.memory, strict=True))
        late = at >= 0.5 * at[-1]
        slope = float(np.polyfit(at[late] / 3600, resident[late], 1)[0]) if np.count_nonzero(late) > 2 else 0.0
        self.figures |= {
            "seconds": wall,
            "cpu_percent": 100 * cpu / wall,
            "frames_per_second": self.ticks / wall,
            "heard_s": self.watch.samples / SAMPLE_RATE,
            "dropped": self.dropped,
            "lost": self.watch.lost,
            "longest_wait_ms": 1000 * self.watch.longest / SAMPLE_RATE,
            "resident_start_mib": float(resident[0]),
            "resident_end_mib": float(resident[-1]),
            "resident_slope_mib_per_hour": slope,
            "hop_us": hop.hop_us if hop else None,
            "hop_p99_us": hop.hop_p99_us if hop else None,
        }
        self.switches: list[dict[str, Any]] = []
        self.figures["switches"] = self.switches
        self._steps = self._plan() if self.order.everything else []
        self._next_switch()

    # -- switching --------------------------------------------------------------------------------------------

    def _plan(self) -> list[tuple[str, Callable[[], object], Callable[[Heard], bool]]]:
        """What is switched: a name, how, and how the first new result is known."""
        names = self.controller.networks()
        other = next((name for name in names if name != DEFAULT_NETWORK), "")
        network = [
            ("network", lambda: self.controller.set_network(other), lambda e: e.engine.endswith(other)),
            ("network back", lambda: self.controller.set_network(""), lambda e: not e.engine.endswith(other)),
        ]
        return [
            ("noise", lambda: self.controller.noise.choose("pink"), lambda e: e.noise == "pink"),
            ("noise off", lambda: self.controller.noise.switch(False), lambda e: not e.noise),
            ("engine: integer", lambda: self._engines(Kind.INTEGER), lambda e: e.engine.startswith("Fixed")),
            ("engine: float", lambda: self._engines(Kind.FLOAT), lambda e: e.engine.startswith("Stream")),
            ("engine: both", lambda: self._engines(Kind.FLOAT, Reference(Kind.INTEGER)), lambda e: e.both),
            ("engine: float again", lambda: self._engines(Kind.FLOAT), lambda e: not e.both),
            *(network if other else []),
            ("source", self._other_source, self._is_other_source),
        ]

    def _engines(self, kind: Kind, reference: Reference | None = None) -> None:
        self.controller.set_engines(EngineChoice(kind, reference))

    def _other_source(self) -> None:
        from kwscore.audio.playlist import DEMO_MANIFEST

        other = Choice("file", str(DEMO_MANIFEST))
        self._before = self.watch.since(0.0)[-1].source
        self.controller.set_source(other)

    def _is_other_source(self, entry: Heard) -> bool:
        return entry.source != self._before

    def _next_switch(self) -> None:
        if not self._steps:
            self._end()
            return
        name, act, arrived = self._steps.pop(0)
        began = time.monotonic()
        act()

        def there() -> bool:
            return any(entry.frames and arrived(entry) for entry in self.watch.since(began))

        def done() -> None:
            self.switches.append({"what": name, **self._judge(began, arrived)})
            QTimer.singleShot(round(1000 * SETTLE), self._next_switch)

        self._until(there, done, SWITCH_PATIENCE, f"{name} did not switch")

    def _judge(self, began: float, arrived: Callable[[Heard], bool]) -> dict[str, Any]:
        """Time to the first new result, and the longest time without sound around it beyond what reading takes."""
        entries = self.watch.since(began - 0.5)
        first = next(e for e in entries if e.at >= began and e.frames and arrived(e))
        around = [e for e in entries if e.at <= first.at + 0.2]
        gaps = [(b.at - a.at) - b.samples / SAMPLE_RATE for a, b in pairwise(around)]
        missing = [
            b.position - (a.position + a.samples) for a, b in pairwise(around) if a.source == b.source and b.position
        ]
        return {
            "ms": 1000 * (first.at - began),
            "missing_samples": int(sum(abs(m) for m in missing)),
            "silence_ms": 1000 * max([0.0, *gaps]),
        }

    # -- inside -----------------------------------------------------------------------------------------------

    def _until(self, condition: Callable[[], bool], then: Callable[[], None], patience: float, trouble: str) -> None:
        """Look often, without holding the event loop up."""
        gives_up = time.monotonic() + patience
        timer = QTimer(self)
        timer.setInterval(5)

        def look() -> None:
            if condition():
                timer.stop()
                then()
            elif time.monotonic() > gives_up:
                timer.stop()
                says = self.window.banner.text()
                self.failed = f"The window could not be measured: {trouble}" + (f" (it says: {says})." if says else ".")
                self._end()

        timer.timeout.connect(look)
        timer.start()

    def _end(self) -> None:
        self.ended = True
        self.controller.listen_in(self.watch.hear, on=False)
        self.window.close()


def _cpu() -> float:
    """Seconds of processor time of this process, all threads."""
    used = os.times()
    return used.user + used.system


def _resident_mib() -> float:
    """Resident memory of this process; its peak where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def soak(order: Order) -> dict[str, Any]:
    """Open the window, carry ``order`` out and return the figures. Raises KWScopeError where that fails."""
    choice = Choice.parse(order.source)
    check(choice)
    app = application("light")
    controller = Controller(choice)
    window = MainWindow(controller, Settings(theme="light"), keep=False)
    if order.everything:
        window.use_preset("researcher")
    window.resize(order.width, order.height)
    run = Soak(window, order)
    window.show()
    app.exec()
    window.close()
    if run.failed or not run.ended:
        raise KWScopeError(run.failed or "The window was closed before the measurement ended: leave it open.")
    return run.figures | {"size": [order.width, order.height], "platform": app.platformName()}


if __name__ == "__main__":
    try:
        print(json.dumps(soak(Order(**json.loads(sys.argv[1])))), flush=True)
    except KWScopeError as error:
        print(f"kwscope: {error}", file=sys.stderr)
        sys.exit(2)

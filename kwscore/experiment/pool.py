"""Units in several processes; each reads the clips by itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack

from kwscore.errors import KWScopeError
from kwscore.experiment.control import Control
from kwscore.experiment.engines import Network, open_engine
from kwscore.experiment.material import Speech, load_speech
from kwscore.experiment.measure import Counts, Unit, measure
from kwscore.experiment.plan import Plan
from kwscore.stream.telemetry import Engine

LOOK = 0.2
"""Seconds between two looks at pause and cancel."""

_plan: Plan
_speech: Speech
_engines: dict[tuple[Network, str], Engine] = {}
_open = ExitStack()


def measure_in_processes(plan: Plan, units: list[Unit], jobs: int, control: Control) -> Iterator[tuple[Unit, Counts]]:
    """Counts of every unit as they are finished. A pause lets units in progress end and begins no further ones."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _start, (plan, os.getpid()))
    waiting: dict[Future[Counts], Unit] = {}
    left = list(units)
    try:
        while left or waiting:
            if not waiting:
                control.check()
            while left and len(waiting) < jobs and not control.paused:
                waiting[pool.submit(_measure, left[0])] = left[0]
                del left[0]
            for future in wait(waiting, LOOK, FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
            if control.cancelled:
                control.check()
    except BrokenProcessPool:
        raise KWScopeError(
            "A process of the experiment died (often for lack of memory): run again with a smaller --jobs; with --out "
            "and --resume what is finished is kept."
        ) from None
    finally:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()  # nobody takes the results of units in progress any more
        pool.shutdown(wait=True, cancel_futures=True)


def _start(plan: Plan, parent: int) -> None:
    global _plan, _speech
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted and ends the pool
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _plan, _speech = plan, load_speech(plan)


def _end_with(parent: int) -> None:
    """A parent that is killed cannot end its pool."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _measure(unit: Unit) -> Counts:
    key = unit.network, unit.engine
    if key not in _engines:
        _open.close()
        _engines.clear()
        _engines[key] = _open.enter_context(open_engine(*key))
    return measure(unit, _speech, _engines[key], _plan.detection, _plan.reference)

"""Runs a plan unit by unit: in this process or in several, resumable, with pause, cancel and progress."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.errors import KWScopeError
from kwscore.evaluation.grid import code_key
from kwscore.evaluation.noisy import grid
from kwscore.experiment.control import Cancelled, Control, Unfinished
from kwscore.experiment.engines import Network, find_networks, open_engine
from kwscore.experiment.material import Speech, load_speech
from kwscore.experiment.measure import Counts, Unit, measure
from kwscore.experiment.plan import BOARD, RECORDED, Plan, noise_label
from kwscore.experiment.results import Row, Store, rows_of

PROGRESS_EVERY = 0.2
"""Seconds between two reports from within a unit."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units are finished; ``share`` 0..1 of everything, ``unit`` the one that is running or has
    just been finished. ``row``: its row of the table, as far as its seeds go, where it has just been finished;
    ``reused``: it is from an earlier run. ``seconds_left``: by the units measured so far; None before the first."""

    done: int
    total: int
    share: float
    unit: Unit
    row: Row | None = None
    reused: bool = False
    seconds_left: float | None = None


Report = Callable[[Progress], None]
Say = Callable[[str], None]


def units_of(plan: Plan, networks: Sequence[Network]) -> list[Unit]:
    """Everything that the plan measures, in order: networks, engines, conditions, seeds."""
    noises = [noise_label(noise) for noise in plan.noises]
    conditions = [c for c in grid(noises, plan.snrs) if c.noise or plan.clean]
    return [
        Unit(network, engine, condition, seed)
        for network in networks
        for engine in plan.engines
        if network.fits(engine)
        for condition in conditions
        # without noise nothing is drawn
        for seed in (plan.seeds if condition.noise else plan.seeds[:1])
    ]


def run_experiment(
    plan: Plan,
    folder: Path | None = None,
    *,
    resume: bool = False,
    jobs: int = 1,
    report: Report = lambda _: None,
    say: Say = lambda _: None,
    control: Control | None = None,
) -> list[Row]:
    """Measure every unit of ``plan``; returns the rows of the table.

    ``folder`` keeps every finished unit at once; with ``resume`` those that it has, with the same inputs, are taken
    from there. ``jobs`` processes work at a time. ``report`` gets progress, ``say`` sentences for people.

    The numbers depend on the plan and its inputs alone, never on ``jobs``, on where or in which order units run, or on
    a run having been resumed; hop times are measured.

    Raises KWScopeError for bad input, ``Unfinished`` for what fails on the way (a lost board, a full disk) and
    ``Cancelled`` when ``control`` says so; what is finished stays in ``folder``.
    """
    if jobs < 1:
        raise KWScopeError(f"--jobs {jobs}: at least one process is needed.")
    real = [
        engine for engine in plan.engines if engine.startswith(BOARD) and engine not in (BOARD + "sim", BOARD + "rtl")
    ]
    if jobs > 1 and real:
        raise KWScopeError(f"{real[0]} can serve one process only: leave --jobs out, or measure the board by itself.")
    control = control or Control()
    say("Reading the clips ...")
    networks, speech = find_networks(plan, say), load_speech(plan, say)
    units = units_of(plan, networks)
    store = Store(folder, resume) if folder is not None else None
    try:
        return _Run(plan, speech, units, store, report, say, control).rows(jobs)
    finally:
        if store is not None:
            store.close()


class _Run:
    """One run over ``units``; ``found`` grows as they are finished."""

    def __init__(
        self,
        plan: Plan,
        speech: Speech,
        units: list[Unit],
        store: Store | None,
        report: Report,
        say: Say,
        control: Control,
    ) -> None:
        self.plan, self.speech, self.units, self.store = plan, speech, units, store
        self.say, self.control = say, control
        self.keys = _keys(plan, speech, units)
        self.pace = _Pace(len(units), len(speech.labels), report)
        self.found: dict[Unit, Counts] = {}

    def rows(self, jobs: int) -> list[Row]:
        """Measure what is not kept from an earlier run; the rows of all."""
        try:
            self._take_over()
            self._measure(jobs)
        except Cancelled as cancelled:
            cancelled.rows = self._table()
            raise
        except KWScopeError as error:
            raise Unfinished(str(error), self._table()) from error
        return self._table()

    def _table(self) -> list[Row]:
        return rows_of((unit, self.found[unit]) for unit in self.units if unit in self.found)

    def _take_over(self) -> None:
        for unit in self.units:
            self.control.check()
            counts = self.store.get(self.keys[unit]) if self.store is not None else None
            if counts is not None and _fits(counts, self.speech):
                self._finish(unit, counts, True)

    def _measure(self, jobs: int) -> None:
        todo = [unit for unit in self.units if unit not in self.found]
        if jobs > 1 and len(todo) > 1:
            from kwscore.experiment.pool import measure_in_processes

            measured = measure_in_processes(self.plan, todo, min(jobs, len(todo)), self.control)
        else:
            measured = self._measure_here(todo)
        for unit, counts in measured:
            if self.store is not None:
                self.store.add(self.keys[unit], counts)
            self._finish(unit, counts, False)

    def _measure_here(self, todo: list[Unit]) -> Iterator[tuple[Unit, Counts]]:
        """An engine is opened once for all of its units."""
        for network, engine in dict.fromkeys((unit.network, unit.engine) for unit in todo):
            self.control.check()
            with open_engine(network, engine, self.say) as opened:
                for unit in todo:
                    if (unit.network, unit.engine) != (network, engine):
                        continue

                    def step(clips: int, unit: Unit = unit) -> None:
                        self.control.check()
                        self.pace.within(unit, clips)

                    yield unit, measure(unit, self.speech, opened, self.plan.detection, self.plan.reference, step)

    def _finish(self, unit: Unit, counts: Counts, reused: bool) -> None:
        self.found[unit] = counts
        of_row = [u for u in self.units if u in self.found and _same_row(u, unit)]
        self.pace.finished(unit, rows_of((u, self.found[u]) for u in of_row)[0], reused)


def _same_row(a: Unit, b: Unit) -> bool:
    return (a.network, a.engine, a.condition) == (b.network, b.engine, b.condition)


def _fits(counts: Counts, speech: Speech) -> bool:
    return int(counts.confusion.sum()) == len(speech.labels)


class _Pace:
    """Turns what is finished into progress reports, not too many of them."""

    def __init__(self, total: int, clips: int, report: Report) -> None:
        self.total, self.clips, self.report = total, clips, report
        self.done = self.reused = 0
        self.begin = self.last = time.monotonic()

    def within(self, unit: Unit, clips: int) -> None:
        now = time.monotonic()
        if now - self.last >= PROGRESS_EVERY:
            self.last = now
            self._send(unit, clips / max(self.clips, 1))

    def finished(self, unit: Unit, row: Row, reused: bool) -> None:
        self.done += 1
        self.reused += reused
        if reused:
            self.begin = time.monotonic()
        self._send(unit, 0.0, row, reused)

    def _send(self, unit: Unit, part: float, row: Row | None = None, reused: bool = False) -> None:
        measured = self.done + part - self.reused
        left = (time.monotonic() - self.begin) * (self.total - self.done - part) / measured if measured > 0 else None
        share = (self.done + part) / self.total
        self.report(Progress(self.done, self.total, share, unit, row, reused, left))


# what the numbers depend on ------------------------------------------------------------------------------------------
_CODE = (
    "models", "stream", "fixed", "board", "experiment", "data", "evaluation/noisy.py", "evaluation/sets.py",
    "evaluation/events.py", "audio",
)  # fmt: skip


def _keys(plan: Plan, speech: Speech, units: list[Unit]) -> dict[Unit, dict[str, Any]]:
    common: dict[str, Any] = {
        "set": f"{speech.clips.split} {speech.clips.mix} {speech.clips.fingerprint} {len(speech.labels)}",
        "mode": plan.mode,
        "detection": plan.detection.to_dict() if plan.detection is not None else None,
        "code": code_key(_CODE),
    }
    if plan.mode == "stream":
        stream = hashlib.sha256(speech.pcm.tobytes() + speech.reads.astype("<i8").tobytes()).hexdigest()[:12]
        common |= {"stream": stream, "reference": plan.reference}
    recordings = {noise: _recordings_key(speech, noise) for noise in {u.condition.noise for u in units}}
    return {
        unit: {
            "network": unit.network.name,
            "model_hash": unit.network.model_hash,
            "engine": unit.engine,
            "condition": unit.condition.name,
            "seed": unit.seed,
            "recordings": recordings[unit.condition.noise],
            **common,
        }
        for unit in units
    }


def _recordings_key(speech: Speech, noise: str) -> str:
    if not noise or noise in PUBLISHED_NOISES:
        return ""
    digest = hashlib.sha256()
    for samples in speech.clips.material.noise[noise.removeprefix(RECORDED)]:
        digest.update(np.ascontiguousarray(samples).tobytes())
    return digest.hexdigest()[:12]

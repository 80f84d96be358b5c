"""A list of networks trained side by side, one process each; a killed queue goes on where it was.

Every run has a folder of its own and is resumable by itself, so the queue keeps no state: what is finished is known by
its checkpoint, what is not goes on after its last epoch. A process that dies is started once more and then reported;
the others go on. Imports no torch.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from kwscore.errors import KWScopeError
from kwscore.evaluation.figures import card_figures
from kwscore.models.checkpoint import SUFFIX
from kwscore.training.recipe import TrainingRecipe, recipe_from_dict

SHOWN = ("clean", "noise", "babble")
"""The figures that a queue shows."""
RESTARTS = 1
"""How often a process that died is started again."""
INTERVAL = 1.0
"""Seconds between two reports, at least; whatever matters is reported at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """One network to train into a folder of its own."""

    recipe: TrainingRecipe
    out: Path

    @property
    def checkpoint(self) -> Path:
        return self.out / f"{self.recipe.name}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Options:
    """What all runs of a queue share; as for ``train_network``. ``side_by_side``: how many run at a time."""

    data_dir: Path
    cache: Path
    extra_dir: Path | None = None
    threads: int = 1
    device: str = "cpu"
    side_by_side: int = 1


@dataclass(slots=True)
class Run:
    """Where a job stands: ``state`` waiting, running, done or failed; ``message`` the last thing that it said.

    ``figures`` of the last validated epoch (clean, noise, babble in per cent), at the end those of the card.
    """

    job: Job
    state: str = "waiting"
    epoch: int = 0
    share: float = 0.0
    loss: float = float("nan")
    seconds_left: float = float("nan")
    message: str = ""
    starts: int = 0
    crash: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "network": self.job.recipe.name,
            "seed": self.job.recipe.seed,
            "state": self.state,
            "epoch": self.epoch,
            "epochs": self.job.recipe.epochs,
            "loss": None if self.loss != self.loss else round(self.loss, 4),
            "figures": self.figures,
            "out": str(self.job.out),
            "message": self.message,
        }


Report = Callable[[Sequence[Run]], None]
Work = Callable[[Connection, Job, Options, int], None]


def make_jobs(recipes: Sequence[TrainingRecipe], out: Path) -> list[Job]:
    """A folder under ``out`` for each recipe: its name, and the seed where a name comes more than once.

    Raises KWScopeError where two recipes are of one network and seed.
    """
    names = [recipe.name for recipe in recipes]
    jobs = [
        Job(recipe, out / (recipe.name if names.count(recipe.name) == 1 else f"{recipe.name}-seed{recipe.seed}"))
        for recipe in recipes
    ]
    for job in jobs:
        if sum(other.out == job.out for other in jobs) > 1:
            raise KWScopeError(f"{job.recipe.name} with seed {job.recipe.seed} is listed twice: list it once.")
    return jobs


def finished(job: Job) -> dict[str, Any] | None:
    """The card of a job's checkpoint where it is there and of the same recipe, else None."""
    try:
        card = json.loads(job.checkpoint.with_suffix(".json").read_text(encoding="utf-8"))
        same = job.checkpoint.is_file() and recipe_from_dict(card["recipe"]) == job.recipe
    except (OSError, ValueError, KeyError, TypeError, KWScopeError):
        return None
    return card if same and isinstance(card, dict) else None


def run_queue(
    jobs: Sequence[Job], options: Options, count: int, report: Report = lambda _: None, work: Work | None = None
) -> list[Run]:
    """Train every job, ``count`` at a time, in their order; returns when none is left. A job that fails raises nothing.

    ``work`` is what a process does (tests). Interrupted, it ends its processes; started again, it goes on.
    """
    if count < 1:
        raise KWScopeError(f"A queue needs at least one process, not {count}.")
    options = replace(options, side_by_side=count)
    queue = _Queue([Run(job) for job in jobs], options, count, report, work or train_job)
    try:
        queue.run()
    finally:
        queue.end()
    return queue.runs


class _Queue:
    """The parent's side: starts processes, hears them, notices when one dies."""

    def __init__(self, runs: list[Run], options: Options, count: int, report: Report, work: Work) -> None:
        self.runs, self.options, self.count, self.report, self.work = runs, options, count, report, work
        self.context = multiprocessing.get_context("spawn")
        self.processes: dict[int, tuple[BaseProcess, Connection]] = {}  # by index of the run
        self.slots: dict[int, int] = {}
        self.reported = 0.0

    def run(self) -> None:
        for run in self.runs:
            if card := finished(run.job):
                self._done(run, card, "was there already")
        self._tell()
        while True:
            waiting = [i for i, run in enumerate(self.runs) if run.state == "waiting"]
            for index in waiting[: self.count - len(self.processes)]:
                self._start(index)
            if not self.processes:
                return
            ready = wait([c for _, c in self.processes.values()] + [p.sentinel for p, _ in self.processes.values()])
            for index, (process, connection) in list(self.processes.items()):
                if connection in ready or process.sentinel in ready:
                    self._hear(index, process, connection)

    def _start(self, index: int) -> None:
        run = self.runs[index]
        mine, theirs = self.context.Pipe(duplex=False)
        slot = next(s for s in range(self.count) if s not in self.slots.values())
        process = self.context.Process(
            target=_begin, args=(self.work, theirs, run.job, self.options, slot, os.getpid()), daemon=True
        )
        process.start()
        theirs.close()  # so that the pipe ends with the process
        self.processes[index], self.slots[index] = (process, mine), slot
        run.state = "running"
        run.starts += 1
        self._tell()

    def _hear(self, index: int, process: BaseProcess, connection: Connection) -> None:
        run = self.runs[index]
        try:
            kind, value = connection.recv()
        except (EOFError, OSError):
            self._ended(index, process)
            return
        if kind == "progress":
            later = value.epoch != run.epoch
            run.epoch, run.loss, run.seconds_left = value.epoch, value.loss, value.seconds_left
            run.share = value.step / max(value.steps, 1)
            if later:
                run.figures = last_figures(run.job.out) or run.figures
            self._tell(now=later)
        elif kind == "say":
            run.message = value
            self._tell(now=False)
        elif kind == "crashed":
            run.crash = value
        elif kind == "failed":
            run.state, run.message = "failed", value
        elif kind == "done":
            self._done(run, value, "")

    def _ended(self, index: int, process: BaseProcess) -> None:
        run = self.runs[index]
        process.join()
        self.processes.pop(index)[1].close()
        del self.slots[index]
        if run.state == "running":  # it said neither that it is done nor why it failed
            code = process.exitcode or 0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {run.crash or code}"
            if run.starts <= RESTARTS:
                run.state, run.message = "waiting", f"its process {how} and is started again"
            else:
                run.state = "failed"
                run.message = (
                    f"its process {how}, for the second time (often for lack of memory): run the same command again, "
                    "with fewer --jobs; it goes on after its last epoch"
                )
        self._tell()

    def _done(self, run: Run, card: dict[str, Any], message: str) -> None:
        run.state, run.epoch, run.share, run.message = "done", run.job.recipe.epochs, 1.0, message
        run.seconds_left = 0.0
        run.figures = {name: value for name, value in card_figures(card).items() if name in SHOWN}

    def _tell(self, now: bool = True) -> None:
        if now or time.monotonic() - self.reported >= INTERVAL:
            self.reported = time.monotonic()
            self.report(self.runs)

    def end(self) -> None:
        """End every process that still runs; what they wrote is kept."""
        for process, connection in self.processes.values():
            process.terminate()
            connection.close()
        for process, _ in self.processes.values():
            process.join()


def last_figures(out: Path) -> dict[str, float]:
    """Figures of the last validated epoch in a run's log."""
    try:
        rows = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return {}
    for row in reversed(rows):
        if "clean" in row:
            return {name: round(row[name], 2) for name in SHOWN if name in row}
    return {}


# the process ---------------------------------------------------------------------------------------------------------
def _begin(work: Work, connection: Connection, job: Job, options: Options, slot: int, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted and ends its processes
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        work(connection, job, options, slot)
    except KWScopeError as error:  # bad input, a full disk: starting again would change nothing
        connection.send(("failed", str(error)))
    except BrokenPipeError:  # nobody listens any more
        os._exit(1)
    except Exception as error:  # what nobody thought of: told, and the process counts as dead
        connection.send(("crashed", f"{type(error).__name__}: {error}"))
        os._exit(1)


def _leave_with(parent: int) -> None:
    """A parent that is killed cannot end its processes: leave with it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def train_job(connection: Connection, job: Job, options: Options, slot: int) -> None:
    """Train one job, telling the parent; of several GPUs the ``slot``-th."""
    import torch

    from kwscore.training.parallel import find_device
    from kwscore.training.run import train_network

    torch.set_num_threads(options.threads)
    train_network(
        job.recipe,
        options.data_dir,
        job.out,
        options.cache,
        options.extra_dir,
        report=lambda progress: connection.send(("progress", progress)),
        say=lambda line: connection.send(("say", line)),
        device=str(find_device(options.device, slot)),
        first_shard=slot * job.recipe.pool // options.side_by_side,
    )
    card = finished(job)
    if card is None:
        raise KWScopeError(f"The checkpoint {job.checkpoint} cannot be read back: run the same command again.")
    connection.send(("done", card))

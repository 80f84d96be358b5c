"""``kwscope experiment``: a noise experiment by itself, from a file."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from kwscore.cli.common import JsonOption, emit, note
from kwscore.errors import KWScopeError

if TYPE_CHECKING:
    from kwscore.experiment.control import Control
    from kwscore.experiment.plan import Plan
    from kwscore.experiment.run import Progress

NAMED = ("run", "new")


class _Group(TyperGroup):
    """``kwscope experiment FILE`` is ``kwscope experiment run FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*NAMED, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    help="Run a noise experiment from a file: kwscope experiment FILE. 'new FILE' writes an example.",
    short_help="Clips x noises x SNRs x networks x engines.",
)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The experiment (TOML or JSON).")],
    out: Annotated[
        Path | None, typer.Option(help="Folder that keeps every finished result, tables (txt, CSV, JSON) and a plot.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what --out has from an earlier run.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.")] = 1,
    as_json: JsonOption = False,
    controlled: Annotated[bool, typer.Option("--controlled", hidden=True)] = False,
) -> None:
    """Run an experiment: every network, engine, noise and SNR of the file, clip by clip or as a stream.

    Prints a row for each when all is done; with --json one object a line as they come. Ctrl-C ends it; what is finished
    stays in --out, and --resume goes on there. The numbers depend on the file and what it names alone, and are those
    that the window gives (hop times are measured).
    """
    from kwscore.experiment.control import Cancelled, Control, Unfinished
    from kwscore.experiment.plan import load_plan

    plan = load_plan(file)
    if resume and out is None:
        raise KWScopeError("--resume goes on with the results of a folder: name it with --out.")
    from kwscore.experiment.run import run_experiment

    control = Control()
    if controlled:
        _step_back()
        threading.Thread(target=_obey, args=(control,), daemon=True).start()
    report = _tell if as_json else _Line().report
    say = _say if as_json else note
    stopped: Cancelled | Unfinished | None = None
    with _interrupts(control):
        try:
            rows = run_experiment(plan, out, resume=resume, jobs=jobs, report=report, say=say, control=control)
        except (Cancelled, Unfinished) as what:
            stopped, rows = what, what.rows
    if rows:
        _write(out, rows, plan, as_json)
    if isinstance(stopped, Unfinished):
        raise stopped
    if stopped is not None:
        raise typer.Exit(130)


def _write(out: Path | None, rows: list[dict[str, Any]], plan: Plan, as_json: bool) -> None:
    if not as_json:
        from kwscore.experiment.export import as_text

        sys.stdout.write(as_text(rows))
    if out is not None:
        from kwscore.experiment.export import PLOT_FILE, write_plot, write_results

        write_results(out, rows, plan)
        try:
            write_plot(out / PLOT_FILE, rows, plan)
        except KWScopeError as error:
            if "matplotlib" not in str(error):
                raise
            note(f"The tables are written, the plot is not: {error}")
        note(f"Results: {out}")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write: NAME.toml with comments, or NAME.json.")],
) -> None:
    """Write an example with a comment to every field, ready to run."""
    from kwscore.experiment.example import save_plan
    from kwscore.experiment.plan import Plan

    path = save_plan(Plan(title="The demo's words in noise"), file, overwrite=False)
    note(f"{path} is written: edit it, then run 'kwscope experiment {path} --out results'.")


def _step_back() -> None:
    """Let whoever started this go first: a window that listens, above all."""
    if hasattr(os, "nice"):
        os.nice(5)


@contextmanager
def _interrupts(control: Control) -> Iterator[None]:
    """The first Ctrl-C ends the experiment in order; a second one at once."""

    def cancel(*_: object) -> None:
        control.cancel()
        signal.signal(signal.SIGINT, before)

    try:
        before = signal.signal(signal.SIGINT, cancel)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _obey(control: Control) -> None:
    """Commands of the window, one a line: pause, go on, cancel. It ends with whoever started it."""
    for line in sys.stdin:
        word = line.strip()
        if word == "pause":
            control.pause()
        elif word == "go on":
            control.go_on()
        elif word == "cancel":
            break
    control.cancel()


def _say(sentence: str) -> None:
    emit({"type": "note", "text": sentence})


def _tell(progress: Progress) -> None:
    if progress.row is not None:
        emit({"type": "row", "reused": progress.reused, **progress.row})
    left = progress.seconds_left
    emit(
        {
            "type": "progress",
            "done": progress.done,
            "total": progress.total,
            "share": round(progress.share, 5),
            "seconds_left": None if left is None else round(left, 1),
            "network": progress.unit.network.name,
            "engine": progress.unit.engine,
            "condition": progress.unit.condition.name,
            "seed": progress.unit.seed,
        }
    )


class _Line:
    """Progress for a person: a line for each finished unit, and at a terminal one that moves."""

    def __init__(self) -> None:
        self._moves = sys.stderr.isatty()
        self._reused = 0

    def report(self, progress: Progress) -> None:
        unit = progress.unit
        clear = "\r\x1b[K" if self._moves else ""
        name = f"{unit.network.name}  {unit.engine}  {unit.condition.name}"
        if progress.row is not None and not progress.reused:
            print(
                f"{clear}{progress.done}/{progress.total}  {name}  {progress.row['accuracy']:.1f} %",
                file=sys.stderr,
                flush=True,
            )
        elif progress.row is None and self._moves:
            left = progress.seconds_left
            rest = "" if left is None else f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left"
            print(f"{clear}{100 * progress.share:5.1f} %  {name}{rest}", end="", file=sys.stderr, flush=True)

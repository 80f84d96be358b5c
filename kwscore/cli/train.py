"""``kwscope train``: recordings in, a checkpoint with its card out; several networks side by side."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import emit, note, print_columns
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from kwscore.training.queue import Run
    from kwscore.training.recipe import TrainingRecipe

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder with the Speech Commands layout.")]
ExtraDir = Annotated[
    Path | None,
    typer.Option("--extra-dir", help="Folder with noise/, speech/ and synth/; default: beside the corpus."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; features are made on the CPU.")]


def default_cache() -> Path:
    """Where features are kept between runs."""
    from platformdirs import user_cache_path

    return user_cache_path("kwscope")


def train(
    data_dir: DataDir,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Networks to train; see 'kwscope models'. Several form a queue."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; a killed run resumes there. Of a queue: the folder of its runs."),
    ] = None,
    extra_dir: ExtraDir = None,
    cache: Annotated[Path | None, typer.Option(help="Where cached features go (about 12 MB per 256 streams).")] = None,
    recipe_file: Annotated[
        Path | None, typer.Option("--recipe", help="JSON with recipe fields, or the card of a checkpoint: its recipe.")
    ] = None,
    queue: Annotated[
        Path | None, typer.Option(help="JSON list of networks or recipes to train, instead of names.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    pool: Annotated[int | None, typer.Option(min=1, help="Shards of 256 streams drawn once.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    teacher: Annotated[Path | None, typer.Option(help="Teacher made by 'kwscope train-teacher'.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Torch threads of each run.")] = 1,
    device: Device = "cpu",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Runs side by side; default: cores / --threads, or the GPUs."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Of a queue: one object a line.")] = False,
) -> None:
    """Train networks and write their checkpoints and cards.

    Stream networks in the stream schedule; the convolutional baselines on clips of the same streams. One name prints
    its figures, one JSON object a condition. Several names, --queue or --jobs train side by side, one process each: a
    process that dies is started once more, the others go on; started again, the queue goes on where it was. Exit status
    1 when a network of the queue failed.
    """
    if names and queue is not None:
        raise KWScopeError("Give names or --queue, not both.")
    given = {k: v for k, v in {"epochs": epochs, "pool": pool, "seed": seed}.items() if v is not None}
    recipes = _recipes(names or [], queue, recipe_file, given)
    cache = cache or default_cache()
    if len(recipes) > 1 or queue is not None or jobs is not None:
        if teacher is not None:
            raise KWScopeError("--teacher goes with one network, not with a queue.")
        _train_queue(recipes, out or Path("runs"), data_dir, extra_dir, cache, threads, device, jobs, as_json)
        return
    (recipe,) = recipes
    import torch

    from kwscore.training.run import load_teacher, train_network

    torch.set_num_threads(threads)
    with _Bar(recipe.name) as bar:
        _, scores = train_network(
            recipe,
            data_dir,
            out or Path("runs") / recipe.name,
            cache,
            extra_dir,
            load_teacher(teacher) if teacher else None,
            bar.report,
            bar.say,
            device,
        )
    for score in scores:
        print(json.dumps(score.as_dict()))


def _recipes(
    names: list[str], queue: Path | None, recipe_file: Path | None, given: dict[str, Any]
) -> list[TrainingRecipe]:
    """A recipe for each name, or for each entry of a queue file, which is a name or an object of recipe fields."""
    from kwscore.training.recipe import load_recipe, load_recipes

    if queue is not None:
        return load_recipes(queue, recipe_file, given)
    if not names:
        return [load_recipe(recipe_file, given if recipe_file else {"name": DEFAULT_NETWORK, **given})]
    return [load_recipe(recipe_file, {"name": name, **given}) for name in names]


def _train_queue(
    recipes: list[TrainingRecipe],
    out: Path,
    data_dir: Path,
    extra_dir: Path | None,
    cache: Path,
    threads: int,
    device: str,
    jobs: int | None,
    as_json: bool,
) -> None:
    from kwscore.data.speech_commands import find_corpus
    from kwscore.models.config import network_config
    from kwscore.training.queue import Options, make_jobs, run_queue

    for recipe in recipes:  # what is wrong for one is said before the others take hours
        if not recipe.baseline:
            network_config(recipe.name, **recipe.network)
    find_corpus(data_dir)
    count = min(jobs or _side_by_side(device, threads), len(recipes))
    with _QueueView(as_json) as view:
        runs = run_queue(
            make_jobs(recipes, out), Options(data_dir, cache, extra_dir, threads, device), count, view.report
        )
    if not as_json:
        print_columns(_rows(runs), left=(0, 1, 6))
    if any(run.state == "failed" for run in runs):
        raise typer.Exit(1)


def _side_by_side(device: str, threads: int) -> int:
    if device != "cpu":
        import torch

        from kwscore.training.parallel import find_device

        if find_device(device).type == "cuda":
            return torch.cuda.device_count() if device in ("auto", "cuda") else 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)


def _left(seconds: float) -> str:
    if seconds != seconds:
        return "-"
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """The table of a queue, heading first."""
    rows: list[tuple[str, ...]] = [("network", "state", "epoch", "clean", "0 dB", "babble", "")]
    for run in runs:
        figures = [f"{run.figures[name]:.1f}" if name in run.figures else "-" for name in ("clean", "noise", "babble")]
        said = str(run.job.checkpoint) if run.state == "done" else run.message
        if run.state == "running" and run.epoch:
            said = f"loss {run.loss:.3f}, {_left(run.seconds_left)} left"
        rows.append((run.job.out.name, run.state, f"{run.epoch}/{run.job.recipe.epochs}", *figures, said))
    return rows


class _QueueView:
    """The queue on stderr: one table that changes at a terminal, a line for each change elsewhere; JSON on stdout."""

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self.as_json = as_json
        self.console = Console(stderr=True)
        self.live = (
            Live(console=self.console, auto_refresh=False, transient=True)
            if sys.stderr.isatty() and not as_json
            else None
        )
        self.seen: dict[int, tuple[Any, ...]] = {}

    def __enter__(self) -> _QueueView:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def report(self, runs: Sequence[Run]) -> None:
        """Show where every run stands."""
        if self.live:
            self.live.update(self._table(runs), refresh=True)
            return
        for index, (run, row) in enumerate(zip(runs, _rows(runs)[1:], strict=True)):
            now = (run.state, run.epoch, run.message if run.state != "running" else "", run.starts)
            if self.seen.get(index) == now or (run.state == "waiting" and not run.message):
                continue
            self.seen[index] = now
            if self.as_json:
                emit({"type": "run", **run.to_dict()})
            else:
                name, state, epoch, clean, noise, babble, said = row
                note(f"{name}: {state}, epoch {epoch}, clean {clean}, 0 dB {noise}, babble {babble}  {said}".rstrip())

    @staticmethod
    def _table(runs: Sequence[Run]) -> Table:
        from rich.table import Table

        heading, *rows = _rows(runs)
        table = Table(box=None, pad_edge=False)
        for index, name in enumerate(heading):
            table.add_column(name, justify="left" if index in (0, 1, 6) else "right")
        for row in rows:
            table.add_row(*row)
        return table


def train_teacher(
    data_dir: DataDir,
    out: Annotated[Path, typer.Option(help="File to write (.safetensors).")] = Path("runs/teacher.safetensors"),
    extra_dir: ExtraDir = None,
    cache: Annotated[Path | None, typer.Option(help="Where cached features go.")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 14,
    pool: Annotated[int, typer.Option(min=1)] = 160,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    device: Device = "cpu",
) -> None:
    """Train the convolutional teacher that --teacher distils from."""
    import torch

    from kwscore.training.run import train_teacher_network

    torch.set_num_threads(threads)
    with _Bar("teacher") as bar:
        scores = train_teacher_network(
            data_dir, out, cache or default_cache(), extra_dir, epochs, pool, seed, bar.report, bar.say, device
        )
    for score in scores:
        print(json.dumps(score.as_dict()))


class _Bar:
    """Progress on stderr: loss, accuracy, time left."""

    def __init__(self, title: str):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.1%}  left {task.fields[left]}"),
            console=self.console,
        )
        self.task = self.bar.add_task(title, total=None, loss=float("nan"), accuracy=0.0, left="-")

    def __enter__(self) -> _Bar:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False)

    def report(self, progress: Any) -> None:
        self.bar.update(
            self.task,
            total=progress.steps,
            completed=progress.step,
            description=f"epoch {progress.epoch}/{progress.epochs}",
            loss=progress.loss,
            accuracy=progress.accuracy,
            left=_left(progress.seconds_left),
        )

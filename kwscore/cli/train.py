"""``kwscope train``: recordings in, a checkpoint with its card out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kwscore.models.config import DEFAULT_NETWORK

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder with the Speech Commands layout.")]
ExtraDir = Annotated[
    Path | None,
    typer.Option("--extra-dir", help="Folder with noise/, speech/ and synth/; default: beside the corpus."),
]


def default_cache() -> Path:
    """Where features are kept between runs."""
    from platformdirs import user_cache_path

    return user_cache_path("kwscope")


def train(
    data_dir: DataDir,
    name: Annotated[str, typer.Argument(help="Network to train; see 'kwscope models'.")] = DEFAULT_NETWORK,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; a killed run resumes there.")] = None,
    extra_dir: ExtraDir = None,
    cache: Annotated[Path | None, typer.Option(help="Where cached features go (about 12 MB per 256 streams).")] = None,
    recipe_file: Annotated[
        Path | None, typer.Option("--recipe", help="JSON with recipe fields, for instance a card's 'recipe'.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    pool: Annotated[int | None, typer.Option(min=1, help="Shards of 256 streams drawn once.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    teacher: Annotated[Path | None, typer.Option(help="Teacher made by 'kwscope train-teacher'.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Torch threads of this run.")] = 1,
) -> None:
    """Train a network in the stream schedule and write its checkpoint and card."""
    import torch

    from kwscore.training.recipe import load_recipe
    from kwscore.training.run import load_teacher, train_network

    torch.set_num_threads(threads)
    given = {"name": name, "epochs": epochs, "pool": pool, "seed": seed}
    recipe = load_recipe(recipe_file, {k: v for k, v in given.items() if v is not None})
    out = out or Path("runs") / recipe.name
    with _Bar(recipe.name) as bar:
        _, scores = train_network(
            recipe,
            data_dir,
            out,
            cache or default_cache(),
            extra_dir,
            load_teacher(teacher) if teacher else None,
            bar.report,
            bar.say,
        )
    for score in scores:
        print(json.dumps(score.as_dict()))


def train_teacher(
    data_dir: DataDir,
    out: Annotated[Path, typer.Option(help="File to write (.safetensors).")] = Path("runs/teacher.safetensors"),
    extra_dir: ExtraDir = None,
    cache: Annotated[Path | None, typer.Option(help="Where cached features go.")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 14,
    pool: Annotated[int, typer.Option(min=1)] = 160,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Train the convolutional teacher that --teacher distils from."""
    import torch

    from kwscore.training.run import train_teacher_network

    torch.set_num_threads(threads)
    with _Bar("teacher") as bar:
        scores = train_teacher_network(
            data_dir, out, cache or default_cache(), extra_dir, epochs, pool, seed, bar.report, bar.say
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
        minutes = int(progress.seconds_left // 60)
        self.bar.update(
            self.task,
            total=progress.steps,
            completed=progress.step,
            description=f"epoch {progress.epoch}/{progress.epochs}",
            loss=progress.loss,
            accuracy=progress.accuracy,
            left=f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min",
        )

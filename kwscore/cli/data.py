"""``kwscope data``: get the recordings, verify a folder of them, make synthetic words."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kwscore.cli.common import JsonOption, emit, note, print_columns
from kwscore.errors import KWScopeError

if TYPE_CHECKING:
    from kwscore.data.check import Report

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Get, verify and extend the recordings.")

SHOWN = 5
"""Sentences of one kind that text output shows; --json has all."""


class Which(StrEnum):
    """The official archives."""

    all = "all"
    test = "test"


@app.command()
def fetch(
    dest: Annotated[Path, typer.Argument(help="Folder to put it in.")] = Path("data"),
    which: Annotated[
        Which, typer.Option(help="all: the data set, 2.4 GB. test: only the official 4,890 test clips, 0.1 GB.")
    ] = Which.all,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the archive after unpacking.")] = False,
    url: Annotated[str | None, typer.Option(help="Take it from this mirror; the checksum must still fit.")] = None,
) -> None:
    """Download Speech Commands v0.02 (P. Warden, arXiv:1804.03209, CC BY 4.0) from its official address.

    Asks for room first, goes on where an interrupted download stopped, verifies the checksum, and unpacks.
    """
    from dataclasses import replace

    from kwscore.data.fetch import ARCHIVES, room
    from kwscore.data.fetch import fetch as run

    archive = ARCHIVES[which.value]
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise KWScopeError(f"--url {url} is not an address that starts with http:// or https://.")
        archive = replace(archive, url=url)
    if not (dest / archive.folder).is_dir():
        needed, free = room(archive, dest)
        note(f"{archive.url}: needs {needed / 1e9:.1f} GB in {dest}, {free / 1e9:.1f} GB are free.")
        if free >= needed and not yes and sys.stdin.isatty() and not typer.confirm("Go on?", default=True, err=True):
            raise typer.Exit(1)
    with _Bar() as bar:
        folder = run(archive, dest, bar.report, bar.say, keep)
    print(folder)


@app.command()
def check(
    data_dir: Annotated[Path, typer.Argument(help="Folder with the Speech Commands layout.")],
    quick: Annotated[bool, typer.Option("--quick", help="Look at file headers only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a folder: layout, clips by word and split, files that cannot be used, background noise.

    Exit status 0: usable as it is; 1: problems were found, each named; 2: no such layout.
    """
    from kwscore.data.check import check_folder

    with _Bar() as bar:
        report = check_folder(data_dir, not quick, lambda done, total: bar.report("check", done, total))
    if as_json:
        emit(report.to_dict())
    else:
        _show(report)
    if not report.good:
        raise typer.Exit(1)


def _show(report: Report) -> None:
    from kwscore.constants import WORDS
    from kwscore.data.check import SPLITS

    rows: list[tuple[str, ...]] = [("word", *SPLITS, "all")]
    others = sorted(set(report.counts) - set(WORDS))
    for word in [w for w in WORDS if w in report.counts] + others:
        counts = report.counts[word]
        rows.append((word, *(f"{counts[s]:,}" for s in SPLITS), f"{sum(counts.values()):,}"))
    totals = [sum(counts[s] for counts in report.counts.values()) for s in SPLITS]
    rows.append(("all", *(f"{n:,}" for n in totals), f"{sum(totals):,}"))
    print_columns(rows, left=(0,))
    facts = report.facts
    print(
        f"\n{report.root}: {facts['speakers']:,} speakers, {facts['shorter_than_1_s']:,} clips shorter than 1 s, "
        f"{facts['longer_than_1_s']:,} longer, {facts['background_files']} background recordings "
        f"({facts['background_seconds'] / 60:.1f} min)"
    )
    for sentence in report.notes:
        print(f"note: {sentence}")
    for kind, sentences in report.problems.items():
        print(f"{kind}: {len(sentences):,}")
        for sentence in sentences[:SHOWN]:
            print(f"  {sentence}")
        if len(sentences) > SHOWN:
            print(f"  and {len(sentences) - SHOWN:,} more; --json names them all")
    if report.good:
        print("This is the whole official data set." if facts["official"] else "Usable.")
    else:
        print("Training and evaluation leave out what cannot be used; fetch it again with 'kwscope data fetch'.")


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def synth(
    ctx: typer.Context, data_dir: Annotated[Path, typer.Argument(help="Where synth/ and synth_keywords/ go.")]
) -> None:
    """Let synthetic voices say the words that recordings lack (espeak-ng, flite, festival).

    Options: --per-word N (6), --per-keyword N (150), --seed N (2026).
    """
    from kwscore.data.synth import main

    raise typer.Exit(main([str(data_dir), *ctx.args]))


class _Bar:
    """Progress on stderr where that is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            DownloadColumn(), TimeRemainingColumn(), console=self._console,
        )  # fmt: skip
        self._counts = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}/{task.total:,.0f} files"),
            console=self._console,
        )  # fmt: skip
        self._task: tuple[str, object] | None = None
        self._shown = self._bar

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:  # one that never started would print an empty line
            self._shown.stop()

    def say(self, sentence: str) -> None:
        note(sentence)

    def report(self, what: str, done: int, total: int) -> None:
        if not self._console.is_terminal:
            return
        if self._task is None or self._task[0] != what:
            if self._task is not None:
                self._shown.stop()
            self._shown = self._counts if total < 1_000_000 and what == "check" else self._bar
            for task in list(self._shown.task_ids):
                self._shown.remove_task(task)
            self._task = (what, self._shown.add_task(what, total=total or None))
            self._shown.start()
        self._shown.update(self._task[1], completed=done, total=total or None)  # type: ignore[arg-type]

"""``kwscope reproduce``: do the shipped networks still give the figures that their cards record?"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kwscore.cli.common import JsonOption, emit, note
from kwscore.cli.evaluate import Dask, Jobs, Mix, Split, Threads
from kwscore.cli.train import ExtraDir
from kwscore.errors import KWScopeError


class NoiseType(StrEnum):
    """The published noises."""

    factory = "factory"
    white = "white"
    babble = "babble"
    street = "street"
    pink = "pink"


def reproduce(
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Speech Commands; default: data/ in the checkout, here or at home."),
    ] = None,
    extra_dir: ExtraDir = None,
    models: Annotated[
        list[str] | None,
        typer.Option(help="Names, paths or NAME=FILE.pt, separated by commas; default: all shipped networks."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A random subset of 600 clips, each class in its share.")] = (
        False
    ),
    full: Annotated[bool, typer.Option("--full", help="Five noises at seven SNRs instead of one condition.")] = False,
    noise_type: Annotated[NoiseType, typer.Option(help="The one condition's noise.")] = NoiseType.factory,
    snr: Annotated[float, typer.Option(help="The one condition's SNR in dB.")] = 0.0,
    tol: Annotated[float, typer.Option(min=0.0, help="Points by which a figure may differ.")] = 2.0,
    split: Annotated[Split, typer.Option(help="The cards' figures are of validation.")] = Split.validation,
    mix: Annotated[Mix, typer.Option(help="published: about 60 % of the clips are 'unknown'.")] = Mix.balanced,
    seed: Annotated[int, typer.Option(min=0, help="Of noise and subset; the default is the cards'.")] = 2026,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and plots, and to resume in.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute what an earlier run has already.")] = False,
    as_json: JsonOption = False,
    jobs: Jobs = None,
    threads: Threads = 1,
    dask: Dask = None,
) -> None:
    """Measure the shipped networks and compare with the recorded and the published figures.

    Exit status: 0 every comparable row is within tolerance (or none is comparable), 1 some row is not, 2 wrong use or
    environment, 3 unknown model or one that cannot be loaded, 4 no data.
    """
    from kwscore.evaluation.environment import check_environment

    if not tol <= 100:
        raise KWScopeError(f"--tol {tol:g} is no tolerance: give points of accuracy, 0 to 100.")
    note(check_environment())
    from kwscore.audio.noise import PUBLISHED_NOISES
    from kwscore.evaluation.noisy import Condition, grid
    from kwscore.evaluation.reproduce import find_data, load_networks

    conditions = grid(PUBLISHED_NOISES) if full else [Condition(), Condition(noise_type.value, snr)]
    networks = load_networks(_names(models))
    folder = find_data(data_dir)
    note(f"Speech Commands: {folder}")
    from kwscore.cli.evaluate import check_out, compute, write_out
    from kwscore.columns import columns
    from kwscore.evaluation.reproduce import LEGEND, QUICK_CLIPS, NoData, compare, table, verdict
    from kwscore.evaluation.sets import load_set, subset

    if out is not None:
        check_out(out)
    try:
        whole = load_set(folder, split.value, mix.value, extra_dir, note)
    except KWScopeError as error:
        raise NoData(str(error)) from None
    data = subset(whole, QUICK_CLIPS, seed) if quick else whole
    note(data.describe())
    results = compute(networks, conditions, data, seed, batch_size, out, fresh, jobs, threads, dask)
    rows = compare(results, data, len(whole.labels))
    passed, sentence = verdict(rows, tol)
    if as_json:
        for row in rows:
            emit(row.to_dict(tol))
        emit({"passed": passed, "tolerance": tol, "comparable": sum(bool(r.comparable) for r in rows)})
    else:
        sys.stdout.write(columns(table(rows, tol), left=(0, 1)) + f"\n{LEGEND}\n{sentence}\n")
    if out is not None:
        from kwscore.evaluation.grid import write_text

        write_text(out / "reproduce.txt", columns(table(rows, tol), left=(0, 1)) + f"\n{LEGEND}\n{sentence}\n")
        write_out(out, results, data, seed)
    if not passed:
        raise typer.Exit(1)


def _names(models: list[str] | None) -> list[str] | None:
    if not models:
        return None
    names = [name.strip() for entry in models for name in entry.split(",") if name.strip()]
    if not names:
        raise KWScopeError("--models names no network.")
    return names

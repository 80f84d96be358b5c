"""``kwscope evaluate``: accuracy in every condition, or detections on long audio."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import emit, note
from kwscore.cli.train import DataDir, ExtraDir
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    from kwscore.evaluation.grid import Result
    from kwscore.evaluation.noisy import Condition
    from kwscore.evaluation.packed import PackedNetwork
    from kwscore.evaluation.sets import EvaluationSet
    from kwscore.stream.telemetry import Engine


class Split(StrEnum):
    """Which clips."""

    auto = "auto"
    test = "test"
    validation = "validation"


class Mix(StrEnum):
    """How the classes are mixed."""

    balanced = "balanced"
    published = "published"


class Noises(StrEnum):
    """Which noises a grid has."""

    synthetic = "synthetic"
    recorded = "recorded"
    both = "both"


class Start(StrEnum):
    """Where the clip stands in its stream."""

    reset = "reset"
    mid_stream = "mid-stream"
    both = "both"


Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: the cores divided by --threads.")
]
Threads = Annotated[int, typer.Option(min=1, help="Torch threads of each process.")]
Dask = Annotated[str | None, typer.Option("--dask", metavar="ADDRESS", help="Compute on this Dask cluster instead.")]


def evaluate(
    data_dir: DataDir,
    model: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="Shipped names, paths, or NAME=FILE.pt for published weights; 'all': every shipped network.",
        ),
    ] = None,
    extra_dir: ExtraDir = None,
    split: Annotated[Split, typer.Option(help="auto: the official test split where the folder has one.")] = Split.auto,
    mix: Annotated[Mix, typer.Option(help="published: about 60 % of the clips are 'unknown'.")] = Mix.balanced,
    condition: Annotated[list[str] | None, typer.Option(help="Only these conditions; may be repeated.")] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Clean, and five noises at -15 to 15 dB.")] = False,
    noises: Annotated[Noises, typer.Option(help="Noises of the grid: published synthetic, recordings.")] = (
        Noises.synthetic
    ),
    noise: Annotated[list[str] | None, typer.Option(help="Noises of the grid by name; may be repeated.")] = None,
    snr: Annotated[list[float] | None, typer.Option(help="SNRs of the grid in dB; may be repeated.")] = None,
    start: Annotated[
        Start, typer.Option(help="The grid from reset, or mid-stream: after a second of another word in the noise.")
    ] = Start.reset,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise; the default gives the cards' figures.")] = 2026,
    clips: Annotated[int | None, typer.Option(min=12, help="A random subset of about so many clips.")] = None,
    batch: Annotated[int, typer.Option("--batch-size", min=1)] = 64,
    long: Annotated[
        int | None,
        typer.Option(min=1, max=600, help="Instead: misses and false accepts on a stream of so many minutes."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables (txt, CSV, JSON), confusion matrices and plots (PNG).")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute what an earlier run has already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
    jobs: Jobs = None,
    threads: Threads = 1,
    dask: Dask = None,
) -> None:
    """Evaluate networks in every condition, with 95 % intervals.

    On the official test split where the folder has one, else on the balanced validation mix (words and speakers
    that training never heard). Without --grid, --noise, --snr or --condition: clean, other levels, five noises at 0 dB,
    and after other sound. A killed run goes on where it was when it is started again.
    """
    from kwscore.evaluation.packed import load_all
    from kwscore.evaluation.sets import load_set, subset
    from kwscore.models.checkpoint import shipped_checkpoints

    specs = list(shipped_checkpoints()) if model == ["all"] else model or [DEFAULT_NETWORK]
    if out is not None:
        check_out(out)
    if long is not None:
        if condition or grid or noise or snr or clips:
            raise KWScopeError(
                "--long places words in sound of its own: give it without conditions, noises and --clips."
            )
        _long(specs, data_dir, extra_dir, long, as_json, out)
        return
    networks = load_all(specs)
    data = load_set(data_dir, split.value, mix.value, extra_dir, note)
    if clips is not None:
        data = subset(data, clips, seed)
    wanted = _conditions(data, condition, grid, noises, noise, snr, start, networks)
    note(data.describe())
    results = compute(networks, wanted, data, seed, batch, out, fresh, jobs, threads, dask)
    _show(results, data, as_json)
    if out is not None:
        write_out(out, results, data, seed)


def compute(
    networks: list[PackedNetwork],
    conditions: list[Condition],
    data: EvaluationSet,
    seed: int,
    batch: int,
    out: Path | None,
    fresh: bool,
    jobs: int | None,
    threads: int,
    dask: str | None,
) -> list[Result]:
    """Counts of every network in every condition; progress on stderr. What is finished is kept in ``out`` or the cache.

    Without ``out`` the kept results are removed once all are there.
    """
    import os

    import torch

    from kwscore.cli.train import default_cache
    from kwscore.evaluation.dask_run import dask_runner
    from kwscore.evaluation.grid import Unit, forget, run_units
    from kwscore.evaluation.local_run import local_runner

    torch.set_num_threads(threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    runner = dask_runner(dask, threads) if dask else local_runner(jobs or max(1, cores // threads), threads)
    folder = out / "parts" if out else default_cache() / "evaluate" / f"{data.fingerprint}-{seed}"
    units = [Unit(n, c, seed, batch) for n in networks for c in conditions]
    if fresh:
        forget(units, folder)
    reused = 0

    def report(result: Result, done: int, total: int) -> None:
        nonlocal reused
        reused += result.reused
        if not result.reused:
            accuracy = 100 * result.confusion.trace() / max(result.confusion.sum(), 1)
            note(f"{done}/{total}  {result.unit.network.name}  {result.unit.condition.name}  {accuracy:.1f} %")

    results = run_units(units, data, folder, runner, report)
    if reused:
        note(f"{reused} of {len(units)} results are from an earlier run (--fresh computes them again).")
    if out is None:
        forget(units, folder)
    return results


def _conditions(
    data: EvaluationSet,
    names: list[str] | None,
    whole: bool,
    kinds: Noises,
    noise: list[str] | None,
    snrs: list[float] | None,
    start: Start,
    networks: list[PackedNetwork],
) -> list[Condition]:
    from kwscore.audio.noise import PUBLISHED_NOISES
    from kwscore.data.validation import CONDITIONS
    from kwscore.evaluation.noisy import SNRS, check_noise, parse_condition, recorded_noises
    from kwscore.evaluation.noisy import grid as make_grid

    if names and (whole or noise or snrs):
        raise KWScopeError("--condition names single conditions: give it without --grid, --noise and --snr.")
    if names:
        return list(dict.fromkeys(parse_condition(name, data.material) for name in names))
    if whole or noise or snrs or kinds != Noises.synthetic or start != Start.reset:
        for one in noise or []:
            check_noise(one, data.material)
        chosen = list(dict.fromkeys(noise or []))
        if not chosen:
            chosen = list(PUBLISHED_NOISES) if kinds != Noises.recorded else []
            chosen += recorded_noises(data.material) if kinds != Noises.synthetic else []
        starts = {"reset": (False,), "mid-stream": (True,), "both": (False, True)}[start.value]
        return make_grid(chosen, sorted(set(snrs or SNRS)), starts)
    conditions = [parse_condition(name) for name in CONDITIONS]
    if any(network.schedule != "stream" for network in networks):
        conditions = [c for c in conditions if not c.needs_stream]
        note("Conditions with sound before the clip are left out: a network in the clip schedule is among these.")
    return conditions


def check_out(out: Path) -> None:
    """Make the folder of results. Raises KWScopeError where that cannot be done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KWScopeError(f"--out {out} cannot be made ({error.strerror or error}): choose another folder.") from None


def _show(results: list[Result], data: EvaluationSet, as_json: bool) -> None:
    from kwscore.columns import columns
    from kwscore.evaluation.report import classes_table, confusion_table, row, table

    if as_json:
        for result in results:
            emit({**row(result), "split": data.split, "mix": data.mix})
        return
    several = len({r.unit.network.name for r in results}) > 1
    sys.stdout.write(columns(table(results), left=(0, 1) if several else (0,)))
    if not several:
        first = results[0]
        sys.stdout.write(f"\n{first.unit.condition.name}\n" + columns(classes_table(first.confusion), left=(0, 5)))
        sys.stdout.write("\n" + columns(confusion_table(first.confusion)))


def write_out(out: Path, results: list[Result], data: EvaluationSet, seed: int) -> None:
    """Tables and plots; without matplotlib the tables alone."""
    from kwscore.evaluation.grid import code_key
    from kwscore.evaluation.plots import write_plots
    from kwscore.evaluation.report import write_tables

    about: dict[str, Any] = {
        "split": data.split,
        "mix": data.mix,
        "clips": len(data.labels),
        "constant_answer": round(data.constant_answer, 2),
        "set": data.fingerprint,
        "seed": seed,
        "code": code_key(),
    }
    write_tables(out, results, about)
    try:
        chance = data.constant_answer if data.mix == "published" else None
        write_plots(out, results, f"{data.split} split, {data.mix} mix, {len(data.labels):,} clips", chance)
    except KWScopeError as error:
        if "matplotlib" not in str(error):
            raise
        note(f"Tables are written, plots are not: {error}")
    note(f"Tables and plots: {out}")


def _engine(spec: str) -> Engine:
    """A network as it runs live: hop by hop, or ten times a second where it is of the clip schedule."""
    from kwscore.stream.choose import load_engine

    name, _, file = spec.partition("=")
    if not file:
        return load_engine(spec)
    from kwscore.models.published import load_published
    from kwscore.stream.window import WindowEngine

    return WindowEngine(load_published(file, name))


def _long(
    models: list[str], data_dir: Path, extra_dir: Path | None, minutes: int, as_json: bool, out: Path | None
) -> None:
    """Held-out words placed in held-out speech and noise, detected as the window does, over a range of thresholds."""
    from kwscore.data.longstream import long_stream
    from kwscore.data.validation import load_validation
    from kwscore.evaluation.longrun import THRESHOLDS, error_curve, listen
    from kwscore.stream.detection import DetectionSettings

    engines = {model: _engine(model) for model in models}
    samples, truth = long_stream(load_validation(data_dir, extra_dir, progress=note), minutes)
    settings = DetectionSettings()
    thresholds = sorted({*THRESHOLDS, settings.threshold})
    curves = {}
    for model, engine in engines.items():
        curves[model] = curve = error_curve(listen(engine, samples), truth, len(samples), settings, thresholds)
        if as_json:
            for threshold, score in curve:
                emit({"network": model, "threshold": threshold, "minutes": minutes, **score.to_dict()})
            continue
        print(f"{model}: {len(truth)} words in {minutes} minutes; the default threshold is marked")
        print(f"{'threshold':>10} {'missed':>8} {'false accepts/h':>16} {'confusions':>11} {'latency':>9}")
        for threshold, score in curve:
            mark = "*" if threshold == settings.threshold else " "
            print(
                f"{threshold:9.2f}{mark} {score.miss_rate:8.1%} {score.false_accepts_per_hour:16.1f} "
                f"{len(score.confusions):11} {score.median_latency_ms:6.0f} ms"
            )
    if out is not None:
        import json

        from kwscore.evaluation.grid import write_text
        from kwscore.evaluation.plots import plot_det

        rows = [
            {"network": model, "threshold": threshold, "minutes": minutes, **score.to_dict()}
            for model, curve in curves.items()
            for threshold, score in curve
        ]
        write_text(out / "detection.json", json.dumps(rows, indent=1) + "\n")
        try:
            plot_det(curves, out / "detection.png", settings.threshold, f"{len(truth)} words in {minutes} minutes")
        except KWScopeError as error:
            note(f"The table is written, the plot is not: {error}")
        note(f"Detection curve: {out}")

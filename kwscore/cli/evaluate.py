"""``kwscope evaluate``: accuracy on the validation mix, condition by condition."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from kwscore.cli.train import DataDir, ExtraDir
from kwscore.errors import KWScopeError


def evaluate(
    data_dir: DataDir,
    model: Annotated[str, typer.Argument(help="Shipped name or path of a checkpoint.")] = "NanoMamba-Tiny-DualPCEN",
    extra_dir: ExtraDir = None,
    condition: Annotated[list[str] | None, typer.Option(help="Only these conditions; may be repeated.")] = None,
    long: Annotated[
        int | None,
        typer.Option(min=1, max=600, help="Instead: misses and false accepts on a stream of so many minutes."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Evaluate a stream-schedule network on the balanced validation mix (words and speakers it never heard)."""
    import torch

    from kwscore.data.validation import CONDITIONS, load_validation
    from kwscore.evaluation.accuracy import evaluate as run
    from kwscore.models.checkpoint import load_model

    torch.set_num_threads(threads)
    if long is not None:
        _long(model, data_dir, extra_dir, long, as_json)
        return
    unknown = [c for c in condition or [] if c not in CONDITIONS]
    if unknown:
        raise KWScopeError(f"--condition {unknown[0]!r} is not known; there are: {', '.join(CONDITIONS)}.")
    net = load_model(model)
    if net.schedule != "stream":
        raise KWScopeError(f"{model} is in the {net.schedule} schedule; the validation mix reads streams.")
    mix = load_validation(data_dir, extra_dir, progress=lambda s: print(s, file=sys.stderr))
    scores = run(net, mix, condition or tuple(CONDITIONS), lambda s: print(s, file=sys.stderr))
    if as_json:
        for score in scores:
            print(json.dumps(score.as_dict()))
        return
    print(f"{'condition':26} {'clips':>6} {'all':>6} {'words':>6} {'silence':>8} {'unknown':>8}")
    for score in scores:
        row = score.as_dict()
        print(
            f"{row['condition']:26} {row['clips']:6} {row['accuracy']:6.1f} {row['words']:6.1f} "
            f"{row['silence']:8.1f} {row['unknown']:8.1f}"
        )


def _long(model: str, data_dir: Path, extra_dir: Path | None, minutes: int, as_json: bool) -> None:
    """Held-out words placed in held-out speech and noise, detected as the window does, over a range of thresholds."""
    from kwscore.data.longstream import long_stream
    from kwscore.data.validation import load_validation
    from kwscore.evaluation.longrun import THRESHOLDS, error_curve, listen
    from kwscore.stream.detection import DetectionSettings
    from kwscore.stream.engine import StreamEngine

    engine = StreamEngine.load(model)
    samples, truth = long_stream(load_validation(data_dir, extra_dir), minutes)
    settings = DetectionSettings()
    curve = error_curve(
        listen(engine, samples), truth, len(samples), settings, sorted({*THRESHOLDS, settings.threshold})
    )
    if as_json:
        for threshold, score in curve:
            print(json.dumps({"threshold": threshold, "minutes": minutes, **score.to_dict()}))
        return
    print(f"{len(truth)} words in {minutes} minutes; the default threshold is marked")
    print(f"{'threshold':>10} {'missed':>8} {'false accepts/h':>16} {'confusions':>11} {'latency':>9}")
    for threshold, score in curve:
        mark = "*" if threshold == settings.threshold else " "
        print(
            f"{threshold:9.2f}{mark} {score.miss_rate:8.1%} {score.false_accepts_per_hour:16.1f} "
            f"{len(score.confusions):11} {score.median_latency_ms:6.0f} ms"
        )

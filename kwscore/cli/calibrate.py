"""``kwscope calibrate``: measure the noise of a silence and what the published law makes of it, or whether it helps."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.cli.common import JsonOption, ModelOption, emit, note, open_engine, open_source, print_columns
from kwscore.constants import HOP, NOMINAL_SPEECH_DBFS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK

if TYPE_CHECKING:
    from kwscore.stream.calibrator import CalibrationRecord, Calibrator, NoiseProfile


class LawName(StrEnum):
    """How constants follow an SNR."""

    continuous = "continuous"
    profile = "profile"


LawOption = Annotated[LawName, typer.Option("--law", help="Continuous, or the nearest of four named profiles.")]
SpeechOption = Annotated[
    float,
    typer.Option("--speech-level", min=-60.0, max=0.0, help="Active level that speech is expected to have, dBFS."),
]


def calibrate(
    source: Annotated[str, typer.Argument(metavar="mic|demo|FILE", help="What to hear the silence from.")] = "mic",
    seconds: Annotated[float, typer.Option(min=0.3, help="How long the silence is.")] = 2.0,
    device: Annotated[str | None, typer.Option(help="Input device, as `kwscope devices` names it, or a part.")] = None,
    model: ModelOption = DEFAULT_NETWORK,
    law: LawOption = LawName.continuous,
    speech_level: SpeechOption = NOMINAL_SPEECH_DBFS,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Instead: measure on this Speech Commands folder whether calibration helps."),
    ] = None,
    extra_dir: Annotated[Path | None, typer.Option("--extra-dir", help="With --data-dir: noise/ and speech/.")] = None,
    clips: Annotated[int, typer.Option(min=12, help="With --data-dir: a random subset of about so many.")] = 600,
    condition: Annotated[
        list[str] | None, typer.Option(help="With --data-dir: noise and SNR, such as 'street -5 dB'; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With --data-dir: of the subset and the noise.")] = 2026,
    as_json: JsonOption = False,
) -> None:
    """Measure a silence: level, spectrum, and the constants that the published calibration would set.

    Nothing is changed: `kwscope listen --calibrate SECONDS` listens with them. With --data-dir every clip is heard in
    noise with the network's own constants and with those of each way to calibrate, after a second of the noise alone.
    """
    if data_dir is not None:
        _measure(model, data_dir, extra_dir, clips, condition, speech_level, seed, as_json)
        return
    if condition or extra_dir:
        raise KWScopeError("--condition and --extra-dir go with --data-dir: they say what is measured there.")
    from kwscore.stream.calibrator import Calibrator

    calibrator = Calibrator(_float_engine(model), law.value, speech_level)
    opened = open_source(source, device=device)
    note(f"Keep quiet for {seconds:g} s: listening to {opened.name}.")
    opened.start()
    try:
        listen_to_silence(opened, calibrator, seconds)
    finally:
        opened.stop()
    record = calibrator.apply()
    emit({"type": "calibration", **record.to_dict()}) if as_json else _print_record(record)
    warn_unsteady(record.noise)


def _float_engine(model: str) -> Any:
    from kwscore.stream.engine import StreamEngine

    engine = open_engine(model)
    if not isinstance(engine, StreamEngine):
        raise KWScopeError(f"{model} is in the clip schedule: calibration is for networks of the stream schedule.")
    return engine


def listen_to_silence(source: Any, calibrator: Calibrator, seconds: float) -> None:
    """Feed a started source to the calibrator for ``seconds`` of sound, or to its end."""
    wanted = max(round(seconds * SAMPLE_RATE), HOP)
    while wanted > 0:
        samples = source.read(0.1)[:wanted]
        calibrator.add(samples)
        wanted -= len(samples)
        if len(samples) == 0 and source.status().state.name not in ("RUNNING", "STALLED"):
            return


def warn_unsteady(noise: NoiseProfile) -> None:
    """Say where what was heard was no silence."""
    if not noise.steady:
        note(
            f"kwscope: what was heard changed by {noise.unsteadiness_db:.0f} dB, as if somebody had spoken: "
            "calibrate again in silence."
        )


def describe(record: CalibrationRecord) -> str:
    """One line: noise, SNR, constants."""
    values = "/".join(f"{value:g}" for value in record.after[0])
    named = f" ({record.profile})" if record.profile else ""
    return (
        f"Calibrated: noise {record.noise.level_dbfs:.1f} dBFS over {record.noise.seconds:.1f} s, "
        f"SNR {record.snr_db:.1f} dB by {record.snr_from}{named}, constants {values}."
    )


def _print_record(record: CalibrationRecord) -> None:
    from kwscore.models.calibration import CALIBRATION

    noise = record.noise
    print(f"noise            {noise.level_dbfs:7.1f} dBFS over {noise.seconds:.1f} s")
    print(f"speech expected  {record.speech_dbfs:7.1f} dBFS, so SNR {record.snr_db:.1f} dB over a word's second")
    print(f"law              {record.profile or record.law}")
    rows = [("constant", "own", "calibrated")]
    for name, before, after in zip(CALIBRATION, record.before[0], record.after[0], strict=True):
        rows.append((name, f"{before:g}", f"{after:g}"))
    print_columns(rows, left=(0,))


def _measure(
    model: str,
    data_dir: Path,
    extra_dir: Path | None,
    clips: int,
    conditions: list[str] | None,
    speech_level: float,
    seed: int,
    as_json: bool,
) -> None:
    from kwscore.evaluation.calibrated import CONDITIONS, compare_ways
    from kwscore.evaluation.noisy import parse_condition
    from kwscore.evaluation.sets import load_set, subset

    engine = _float_engine(model)
    data = subset(load_set(data_dir, "validation", "balanced", extra_dir, note), clips, seed)
    note(data.describe())
    wanted = [parse_condition(name, data.material) for name in conditions] if conditions else list(CONDITIONS)

    def progress(name: str, share: float) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{name}  {share:.0%}", end="", file=sys.stderr, flush=True)

    outcome = compare_ways(engine, data, speech_level, wanted, seed, progress=progress)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    comparisons = outcome.comparisons()
    if as_json:
        for row in comparisons:
            emit({"type": "comparison", "network": outcome.network, "model_hash": engine.model_hash, **row.to_dict()})
        for error in outcome.snr:
            figures = {"median": error.median, "low": error.low, "high": error.high}
            emit({"type": "snr", "condition": error.condition, **{k: round(v, 2) for k, v in figures.items()}})
        return
    table = [("condition", "way", "clips", "without", "with", "gain", "mended", "broke", "p")]
    for row in comparisons:
        without, after = (100 * right / max(row.clips, 1) for right in (row.right_without, row.right))
        figures_ = (
            str(row.clips),
            f"{without:.1f}",
            f"{after:.1f}",
            f"{row.gain:+.2f}",
            str(row.mended),
            str(row.broke),
        )
        table.append((row.condition, row.way, *figures_, f"{row.p:.2g}"))
    print(f"{outcome.network} ({engine.model_hash})")
    print_columns(table, left=(0, 1))
    print("\nSNR of words measured from the noise before them, dB too high (median, middle 90 %)")
    errors = [("condition", "median", "5 %", "95 %")]
    errors += [(e.condition, f"{e.median:+.1f}", f"{e.low:+.1f}", f"{e.high:+.1f}") for e in outcome.snr]
    print_columns(errors, left=(0,))

"""The rows of an experiment as text, CSV, JSON and a plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kwscore import __version__
from kwscore.columns import columns
from kwscore.constants import LABELS, WORDS
from kwscore.evaluation.grid import Result, write_text
from kwscore.evaluation.grid import Unit as GridUnit
from kwscore.evaluation.noisy import Condition
from kwscore.evaluation.packed import PackedNetwork
from kwscore.experiment.plan import Plan
from kwscore.experiment.results import Row

CSV_FILE, JSON_FILE, TEXT_FILE, PLOT_FILE = "results.csv", "results.json", "results.txt", "accuracy_against_snr.png"
_PLAIN = ("network", "model_hash", "engine", "condition", "noise", "snr_db", "clips", "accuracy", "low", "high")
_SHARES = ("words", "silence", "unknown")
_EVENTS = ("words", "hits", "misses", "miss_rate", "false_accepts", "false_accepts_per_hour", "confusions")
_LATENCY = ("median_latency_ms", "p90_latency_ms")


def line_name(row: Row, rows: Sequence[Row]) -> str:
    """What tells a row's curve from the others: network, engine, or both."""
    several = [len({r[key] for r in rows}) > 1 for key in ("network", "engine")]
    names = [row[key] for key, needed in zip(("network", "engine"), several, strict=True) if needed]
    return ", ".join(names or [row["network"]])


def as_text(rows: Sequence[Row]) -> str:
    """Columns for people: one line a network, engine and condition."""
    table: list[tuple[str, ...]] = [
        ("network", "engine", "condition", "clips", "accuracy", "95 % interval", "found", "false", "latency", "hop")
    ]
    for row in rows:
        events = row["detections"] or {}
        found = f"{events['hits']}/{events['words']}" if events.get("words") else "-"
        latency = events.get("median_latency_ms")
        table.append(
            (
                row["network"],
                row["engine"],
                row["condition"],
                str(row["clips"]),
                f"{row['accuracy']:.1f}",
                f"{row['low']:.1f} - {row['high']:.1f}",
                found,
                str(events["false_accepts"]) if events else "-",
                f"{latency:.0f} ms" if latency is not None else "-",
                f"{row['hop_us']:.0f} us",
            )
        )
    return columns(table, left=(0, 1, 2))


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row; accuracy and interval of every class and the events of every word at the end of it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    counts = ("hits", "misses", "false_accepts")
    writer.writerow(
        (
            *_PLAIN,
            "seeds",
            *(f"{name} accuracy" for name in _SHARES),
            *(f"events {name}" for name in (*_EVENTS, *_LATENCY)),
            "hop_us",
            "lost",
            *(f"accuracy {label}" for label in LABELS),
            *(f"{name} {word}" for word in WORDS for name in counts),
        )
    )
    for row in rows:
        events = row["detections"] or {}
        by_word = events.get("by_word", {})
        values = [row[key] for key in _PLAIN]
        values += [" ".join(map(str, row["seeds"])), *(row[key] for key in _SHARES)]
        values += [events.get(key) for key in (*_EVENTS, *_LATENCY)] + [row["hop_us"], row["lost"]]
        values += [row["classes"][label]["accuracy"] for label in LABELS]
        values += [by_word.get(word, {}).get(name) for word in WORDS for name in counts]
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()


def as_json(rows: Sequence[Row], plan: Plan) -> str:
    """The plan and its rows."""
    about: dict[str, Any] = {"kwscope": __version__, "experiment": plan.to_dict(), "labels": LABELS}
    return json.dumps({**about, "rows": list(rows)}, indent=1, ensure_ascii=False) + "\n"


def write_results(folder: Path, rows: Sequence[Row], plan: Plan) -> list[Path]:
    """Text, CSV and JSON; returns the paths. Raises KWScopeError where the folder cannot be written."""
    texts = {TEXT_FILE: as_text(rows), CSV_FILE: as_csv(rows), JSON_FILE: as_json(rows, plan)}
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def write_plot(path: Path, rows: Sequence[Row], plan: Plan) -> Path | None:
    """Accuracy against SNR as PNG, a panel a noise; None where no noise has two SNRs.

    Raises KWScopeError without matplotlib.
    """
    from kwscore.evaluation.snr_plot import plot_snr

    clips = max((row["clips"] for row in rows), default=0)
    note = f"{plan.title + ': ' if plan.title else ''}{clips} clips"
    axis = "SNR over the clip's second, dB" if plan.mode == "reset" else "SNR over the active speech level, dB"
    made = plot_snr([_result(row, rows) for row in rows], path, note, axis=axis)
    return made[0] if made else None


def _result(row: Row, rows: Sequence[Row]) -> Result:
    """A row as what the plots of ``kwscope evaluate`` take; counts of one seed, which the intervals are of."""
    network = PackedNetwork(line_name(row, rows), "{}", b"", row["model_hash"], {})
    condition = Condition(row["noise"] or "", row["snr_db"] or 0.0)
    confusion: Any = np.asarray(row["confusion"]) / len(row["seeds"])  # a mean: not whole numbers
    return Result(GridUnit(network, condition, row["seeds"][0]), confusion)

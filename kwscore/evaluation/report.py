"""Tables of results: intervals, text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.columns import columns
from kwscore.constants import LABELS, SILENCE, UNKNOWN
from kwscore.evaluation.accuracy import Score
from kwscore.evaluation.grid import Result, slug, write_text

Z95 = 1.959963984540054


def wilson(correct: int, total: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share, in per cent; (0, 100) without observations. ``z`` 1.96 covers 95 %."""
    if total <= 0:
        return 0.0, 100.0
    p, q = correct / total, z * z / total
    centre = (p + q / 2) / (1 + q)
    half = z / (1 + q) * math.sqrt(p * (1 - p) / total + q / (4 * total))
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == total else min(1.0, centre + half)
    return 100 * low, 100 * high


def row(result: Result) -> dict[str, Any]:
    """The figures of one result as plain values, None where a class has no clips.

    ``low`` and ``high`` bound the accuracy with 95 % confidence.
    """
    unit, confusion = result.unit, result.confusion
    score = Score(unit.condition.name, confusion)
    low, high = wilson(int(np.trace(confusion)), score.clips)
    recall = {}
    for index, label in enumerate(LABELS):
        total, correct = int(confusion[index].sum()), int(confusion[index, index])
        bounds = wilson(correct, total)
        recall[label] = {
            "clips": total,
            "accuracy": round(100 * correct / total, 2) if total else None,
            "low": round(bounds[0], 2),
            "high": round(bounds[1], 2),
        }
    noise = unit.condition.noise or None
    parts = (("words", slice(0, SILENCE)), ("silence", SILENCE), ("unknown", UNKNOWN))
    absent = {name: None for name, rows in parts if not confusion[rows].any()}
    return {
        "network": unit.network.name,
        "model_hash": unit.network.model_hash,
        **score.as_dict(),
        **absent,
        "low": round(low, 2),
        "high": round(high, 2),
        "noise": noise,
        "snr_db": unit.condition.snr_db if noise else None,
        "mid_stream": unit.condition.mid_stream,
        "seed": unit.seed,
        "classes": recall,
        "confusion": confusion.tolist(),
    }


def table(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Rows of text, heading first: one a network and condition."""
    several = len({r.unit.network.name for r in results}) > 1
    rows: list[tuple[str, ...]] = [
        ("network",) * several + ("condition", "clips", "all", "95 % interval", "words", "silence", "unknown")
    ]
    for result in results:
        v = row(result)
        rows.append(
            (v["network"],) * several
            + (
                v["condition"],
                str(v["clips"]),
                f"{v['accuracy']:.1f}",
                f"{v['low']:.1f} - {v['high']:.1f}",
                *("-" if v[part] is None else f"{v[part]:.1f}" for part in ("words", "silence", "unknown")),
            )
        )
    return rows


def classes_table(confusion: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """Rows of text: recall with its interval and precision of every class, then what it was taken for most often."""
    rows: list[tuple[str, ...]] = [("class", "clips", "recall", "95 % interval", "precision", "most often taken for")]
    for i, label in enumerate(LABELS):
        total, correct, answered = int(confusion[i].sum()), int(confusion[i, i]), int(confusion[:, i].sum())
        low, high = wilson(correct, total)
        wrong = confusion[i].copy()
        wrong[i] = 0
        worst = [f"{LABELS[j]} {wrong[j]}" for j in np.argsort(-wrong, kind="stable")[:3] if wrong[j]]
        rows.append(
            (
                label,
                str(total),
                f"{100 * correct / total:.1f}" if total else "-",
                f"{low:.1f} - {high:.1f}" if total else "-",
                f"{100 * correct / answered:.1f}" if answered else "-",
                ", ".join(worst),
            )
        )
    return rows


def confusion_table(confusion: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """The confusion matrix as rows of text: true class down, answer across."""
    rows: list[tuple[str, ...]] = [("true \\ answer", *LABELS)]
    rows += [(LABELS[i], *(str(n) if n else "." for n in counts)) for i, counts in enumerate(confusion)]
    return rows


def as_csv(results: Iterable[Result]) -> str:
    """One line a network and condition, recall of every class at the end of it."""
    plain = ("network", "model_hash", "condition", "noise", "snr_db", "mid_stream", "seed", "clips")
    figures = ("accuracy", "low", "high", "words", "silence", "unknown")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*plain, *figures, *(f"recall {label}" for label in LABELS)))
    for result in results:
        v = row(result)
        writer.writerow([v[k] for k in plain + figures] + [v["classes"][label]["accuracy"] for label in LABELS])
    return out.getvalue()


def confusion_csv(confusion: NDArray[np.int64]) -> str:
    """Counts with the true class in the first column."""
    lines = [",".join(("true", *LABELS))]
    lines += [",".join((LABELS[i], *map(str, counts))) for i, counts in enumerate(confusion.tolist())]
    return "\n".join(lines) + "\n"


def write_tables(folder: Path, results: Sequence[Result], about: dict[str, Any]) -> list[Path]:
    """``results.txt``, ``.csv`` and ``.json`` and a confusion matrix for each row; returns the paths.

    ``about``: how the figures were made; it goes into the JSON. Raises KWScopeError where the folder cannot be written.
    """
    several = len({r.unit.network.name for r in results}) > 1
    texts = {
        "results.txt": columns(table(results), left=(0, 1) if several else (0,)),
        "results.csv": as_csv(results),
        "results.json": json.dumps({**about, "labels": LABELS, "rows": [row(r) for r in results]}, indent=1) + "\n",
    }
    for result in results:
        name = f"{slug(result.unit.network.name)}-{slug(result.unit.condition.name)}.csv"
        texts[f"confusion/{name}"] = confusion_csv(result.confusion)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]

"""Results as they come: an append-only file of finished units, and the rows of the table that they add up to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import LABELS, N_CLASSES, SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError
from kwscore.evaluation.accuracy import Score
from kwscore.evaluation.report import wilson
from kwscore.experiment.measure import Counts, Unit

FILE = "units.jsonl"
EVENTS = ("words", "hits", "misses", "false_accepts", "confusions", "samples")


class Store:
    """``units.jsonl`` in a folder: one line for each finished unit, flushed to the disk before the next one begins.

    A line that was cut short (power, a full disk) is dropped when the file is opened again. One program at a time.
    ``resume`` False refuses a folder that has results. Raises KWScopeError where the folder cannot be used.
    """

    def __init__(self, folder: Path, resume: bool) -> None:
        self.path = folder / FILE
        self._kept: dict[str, Counts] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = open(self.path, "a+b")  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise self._failed(error) from None
        try:
            self._lock()
            self._read(resume)
        except BaseException:
            self._file.close()
            raise

    def _failed(self, error: OSError) -> KWScopeError:
        return KWScopeError(
            f"{self.path} cannot be written ({error.strerror or error}): make room or choose another folder, and go on "
            "with --resume: what is finished is kept."
        )

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise KWScopeError(f"{self.path} is being written by another experiment: choose another folder.") from None

    def _read(self, resume: bool) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if content and not resume:
            raise KWScopeError(
                f"{self.path.parent} has results already: go on with --resume, or choose another folder with --out."
            )
        for line in content[:whole].splitlines():
            try:
                entry = json.loads(line)
                self._kept[_text(entry["key"])] = _counts(entry["counts"])
            except (ValueError, KeyError, TypeError):
                continue  # damaged: measured again
        if whole < len(content):
            self._file.truncate(whole)

    def get(self, key: dict[str, Any]) -> Counts | None:
        """The counts of a unit that was finished with the same inputs."""
        return self._kept.get(_text(key))

    def add(self, key: dict[str, Any], counts: Counts) -> None:
        """Append a finished unit. Raises KWScopeError where that fails."""
        line = json.dumps({"key": key, "counts": _plain(counts)}, separators=(",", ":")) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None
        self._kept[_text(key)] = counts

    def close(self) -> None:
        self._file.close()


def _text(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _plain(counts: Counts) -> dict[str, Any]:
    return {
        "confusion": counts.confusion.tolist(),
        "events": counts.events,
        "latencies": list(counts.latencies),
        "hop_us": counts.hop_us,
        "lost": counts.lost,
    }


def _counts(plain: dict[str, Any]) -> Counts:
    confusion = np.asarray(plain["confusion"], np.int64)
    if confusion.shape != (N_CLASSES, N_CLASSES):
        raise ValueError("not a confusion matrix")
    events = plain["events"]
    if events is not None and not all(isinstance(events[name], int) for name in EVENTS):
        raise ValueError("not a score")
    latencies = tuple(float(value) for value in plain["latencies"])
    return Counts(confusion, events, latencies, float(plain["hop_us"]), int(plain["lost"]))


# rows ----------------------------------------------------------------------------------------------------------------
Row = dict[str, Any]


def rows_of(results: Iterable[tuple[Unit, Counts]]) -> list[Row]:
    """One row for each network, engine and condition, in the order of their first unit; seeds are added up."""
    groups: dict[tuple[str, str, str], list[tuple[Unit, Counts]]] = {}
    for unit, counts in results:
        groups.setdefault((unit.network.name, unit.engine, unit.condition.name), []).append((unit, counts))
    return [_row(group) for group in groups.values()]


def _row(group: Sequence[tuple[Unit, Counts]]) -> Row:
    unit = group[0][0]
    confusion = np.sum([counts.confusion for _, counts in group], axis=0)
    seeds = len(group)
    score = Score(unit.condition.name, confusion)
    low, high = _interval(int(np.trace(confusion)), score.clips, seeds)
    return {
        "network": unit.network.name,
        "model_hash": unit.network.model_hash,
        "engine": unit.engine,
        "noise": unit.condition.noise or None,
        "snr_db": unit.condition.snr_db if unit.condition.noise else None,
        "seeds": [u.seed for u, _ in group],
        **score.as_dict(),
        "clips": score.clips // seeds,
        "low": low,
        "high": high,
        "classes": _classes(confusion, seeds),
        "confusion": confusion.tolist(),
        "detections": _detections([counts for _, counts in group]),
        "hop_us": round(float(np.median([counts.hop_us for _, counts in group])), 2),
        "lost": sum(counts.lost for _, counts in group),
    }


def _interval(correct: int, total: int, seeds: int) -> tuple[float, float]:
    """Wilson's interval for the clips of one seed: the same clips in another noise are no further clips."""
    low, high = wilson(round(correct / seeds), round(total / seeds))
    return round(low, 2), round(high, 2)


def _classes(confusion: NDArray[np.int64], seeds: int) -> dict[str, Any]:
    found = {}
    for index, label in enumerate(LABELS):
        total, correct = int(confusion[index].sum()), int(confusion[index, index])
        low, high = _interval(correct, total, seeds)
        share = round(100 * correct / total, 2) if total else None
        found[label] = {"clips": total // seeds, "accuracy": share, "low": low, "high": high}
    return found


def _detections(counts: Sequence[Counts]) -> dict[str, Any] | None:
    """Rates of the events of all seeds together; None where none were counted."""
    events = [c.events for c in counts if c.events is not None]
    if not events:
        return None
    total = {name: sum(e[name] for e in events) for name in EVENTS}
    hours = total.pop("samples") / SAMPLE_RATE / 3600
    latency = np.concatenate([c.latencies for c in counts])
    by_word = {
        word: {name: sum(e["by_word"][word][name] for e in events) for name in ("hits", "misses", "false_accepts")}
        for word in WORDS
    }
    return {
        **total,
        "miss_rate": round(100 * total["misses"] / total["words"], 2) if total["words"] else None,
        "false_accepts_per_hour": round(total["false_accepts"] / hours, 2),
        "hours": round(hours, 4),
        "median_latency_ms": round(float(np.median(latency)), 1) if len(latency) else None,
        "p90_latency_ms": round(float(np.percentile(latency, 90)), 1) if len(latency) else None,
        "by_word": by_word,
    }

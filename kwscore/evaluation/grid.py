"""Runs networks over conditions on all cores or a Dask cluster. A killed run goes on where it was.

The unit of work is one network in one condition; its counts go into a file of their own, written beside and renamed.
Units share nothing but the clips, so their order and the place where they run do not change the numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kwscore
from kwscore.constants import N_CLASSES
from kwscore.errors import KWScopeError
from kwscore.evaluation.noisy import Condition, streams
from kwscore.evaluation.packed import PackedNetwork
from kwscore.evaluation.sets import EvaluationSet
from kwscore.files import writing

BATCH = 64
_CODE = ("models", "evaluation/noisy.py", "evaluation/sets.py", "audio/noise.py", "audio/mixing.py", "data")
"""What the numbers depend on: counts of other code are not taken for the same."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One network in one condition."""

    network: PackedNetwork
    condition: Condition
    seed: int
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Result:
    """Counts of one unit: ``confusion[true, predicted]`` (12, 12). ``reused``: from an earlier run."""

    unit: Unit
    confusion: NDArray[np.int64]
    reused: bool = False


Progress = Callable[[Result, int, int], None]
Runner = Callable[[Sequence[Unit], EvaluationSet], Iterator[tuple[Unit, NDArray[np.int64]]]]


def measure(unit: Unit, data: EvaluationSet) -> NDArray[np.int64]:
    """Confusion counts (12, 12) of one unit, from the waveforms. Needs a stream network for a mid-stream condition."""
    import torch

    net = unit.network.open()
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    done = 0
    with torch.inference_mode():
        for block in streams(data, unit.condition, unit.seed, unit.batch):
            answers = net(torch.from_numpy(block)).argmax(1).numpy()
            np.add.at(confusion, (data.labels[done : done + len(block)], answers), 1)
            done += len(block)
    return confusion


def check_units(units: Sequence[Unit]) -> None:
    """Raise KWScopeError where a clip network is asked for a condition that is a stream."""
    for unit in units:
        if unit.condition.needs_stream and unit.network.schedule != "stream":
            raise KWScopeError(
                f"{unit.network.name} is in the clip schedule and hears one second at a time: "
                f"{unit.condition.name!r} is for stream networks only."
            )


def run_units(
    units: Sequence[Unit],
    data: EvaluationSet,
    folder: Path,
    runner: Runner,
    progress: Progress = lambda result, done, total: None,
) -> list[Result]:
    """Counts of every unit, in order; those that ``folder`` has from an earlier run with the same inputs are reused.

    Raises KWScopeError for a unit that cannot be computed or a result that cannot be written; what is finished stays.
    """
    check_units(units)
    results: dict[Unit, Result] = {}
    todo: list[Unit] = []
    for unit in dict.fromkeys(units):
        counts = _read(_path(folder, unit), _key(unit, data))
        if counts is None:
            todo.append(unit)
        else:
            results[unit] = Result(unit, counts, reused=True)
            progress(results[unit], len(results), len(units))
    if todo:
        for unit, confusion in runner(todo, data):
            _write(_path(folder, unit), _key(unit, data), confusion)
            results[unit] = Result(unit, confusion)
            progress(results[unit], len(results), len(units))
    return [results[unit] for unit in units]


def forget(units: Sequence[Unit], folder: Path) -> None:
    """Remove what ``folder`` has of these units, and nothing of others that may be computed there."""
    paths = [_path(folder, unit) for unit in units]
    for path in paths:
        path.unlink(missing_ok=True)
    for empty in (*{path.parent for path in paths}, folder):
        with suppress(OSError):  # not there, or others' results are
            empty.rmdir()


def in_this_process(units: Sequence[Unit], data: EvaluationSet) -> Iterator[tuple[Unit, NDArray[np.int64]]]:
    """A runner without other processes."""
    for unit in units:
        yield unit, measure(unit, data)


# results -------------------------------------------------------------------------------------------------------------
@cache
def code_key(names: tuple[str, ...] = _CODE) -> str:
    """12 hex digits of the sources that the numbers depend on: folders and files of ``kwscore``."""
    root = Path(kwscore.__file__).parent
    digest = hashlib.sha256()
    for name in names:
        for path in sorted((root / name).glob("*.py")) if (root / name).is_dir() else [root / name]:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _key(unit: Unit, data: EvaluationSet) -> dict[str, Any]:
    config = hashlib.sha256(unit.network.config.encode()).hexdigest()[:12]
    return {
        "condition": unit.condition.name,
        "seed": unit.seed,
        "network": unit.network.name,
        "model_hash": unit.network.model_hash,
        "config": config,
        "clips": len(data.labels),
        "set": f"{data.split} {data.mix} {data.fingerprint}",
        "recordings": _recordings_key(data),
        "code": code_key(),
    }


def _recordings_key(data: EvaluationSet) -> str:
    """Of what conditions take besides the clips themselves: sizes suffice to tell another folder from this one."""
    sizes = [(kind, len(x)) for kind in sorted(data.material.noise) for x in data.material.noise[kind]]
    return hashlib.sha256(repr((sizes, data.material.words.shape)).encode()).hexdigest()[:12]


def _path(folder: Path, unit: Unit) -> Path:
    network = f"{slug(unit.network.name)}-{unit.network.model_hash}"
    return folder / network / f"{slug(unit.condition.name)}-{unit.seed}.json"


def slug(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("_")


def _read(path: Path, key: dict[str, Any]) -> NDArray[np.int64] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        counts = np.asarray(content["confusion"], np.int64)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing or cut short: computed again
    fits = content.get("key") == key and counts.shape == (N_CLASSES, N_CLASSES) and counts.sum() == key["clips"]
    return counts if fits else None


def _write(path: Path, key: dict[str, Any], confusion: NDArray[np.int64]) -> None:
    write_text(path, json.dumps({"key": key, "confusion": confusion.tolist()}) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write beside and rename. Raises KWScopeError naming the file where it cannot be written."""
    remedy = "make room or choose another folder, and run again: what is finished is kept"
    with writing(path, remedy, parents=True) as part:
        part.write_text(text, encoding="utf-8")

"""A runner on this machine's cores: processes that share the clips through memory-mapped files."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.data.material import Material
from kwscore.errors import KWScopeError
from kwscore.evaluation.grid import Runner, Unit, in_this_process, measure
from kwscore.evaluation.sets import EvaluationSet

RETRIES = 2
"""How often the pool is started again when a process died, before giving up."""

_data: EvaluationSet | None = None


def slim(data: EvaluationSet) -> EvaluationSet:
    """Without the recordings that no condition uses."""
    nothing = np.zeros((0, data.audio.shape[1]), np.int16), np.zeros(0, np.int64)
    kept = Material(data.material.words, data.material.labels, *nothing, {}, {}, [], data.material.noise, [])
    return replace(data, material=kept)


def local_runner(jobs: int, threads: int = 1) -> Runner:
    """Computes ``jobs`` units at a time with ``threads`` torch threads each."""

    def run(units: Sequence[Unit], data: EvaluationSet) -> Iterator[tuple[Unit, NDArray[np.int64]]]:
        if jobs == 1 or len(units) == 1:
            return in_this_process(units, data)
        return _run(units, slim(data), min(jobs, len(units)), threads)

    return run


def _run(
    units: Sequence[Unit], data: EvaluationSet, jobs: int, threads: int
) -> Iterator[tuple[Unit, NDArray[np.int64]]]:
    with tempfile.TemporaryDirectory(prefix="kwscope-evaluate-") as folder:
        _share(data, Path(folder))
        left = list(units)
        for attempt in range(RETRIES + 1):
            pool = ProcessPoolExecutor(
                jobs, multiprocessing.get_context("spawn"), _start, (folder, threads, os.getpid())
            )
            try:
                waiting: dict[Future[NDArray[np.int64]], Unit] = {pool.submit(_measure, unit): unit for unit in left}
                while waiting:
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        unit = waiting[future]
                        counts = future.result()
                        del waiting[future]
                        left.remove(unit)
                        yield unit, counts
                return
            except BrokenProcessPool:
                if attempt == RETRIES:
                    raise KWScopeError(
                        f"A process died {RETRIES + 1} times while computing {left[0].condition.name!r} of "
                        f"{left[0].network.name} (often for lack of memory): run again with a smaller --jobs; "
                        "what is finished is kept."
                    ) from None
            finally:
                _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """Without waiting for units in progress: nobody takes their results any more."""
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


def _share(data: EvaluationSet, folder: Path) -> None:
    try:
        np.save(folder / "audio.npy", data.audio)
        np.save(folder / "words.npy", data.material.words)
        kinds = []
        for kind, recordings in sorted(data.material.noise.items()):
            kinds.append((kind, len(recordings)))
            for i, samples in enumerate(recordings):
                np.save(folder / f"noise-{len(kinds)}-{i}.npy", samples)
        np.savez(folder / "rows.npz", labels=data.labels, index=data.index, word_labels=data.material.labels)
        facts = {"split": data.split, "mix": data.mix, "fingerprint": data.fingerprint, "kinds": kinds}
        (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    except OSError as error:
        raise KWScopeError(
            f"The clips cannot be shared with other processes in {folder} ({error.strerror or error}): make room "
            "there, set TMPDIR to another folder, or use --jobs 1."
        ) from None


def _open(folder: Path) -> EvaluationSet:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    noise = {
        kind: [np.load(folder / f"noise-{number}-{i}.npy", mmap_mode="r") for i in range(count)]
        for number, (kind, count) in enumerate(facts["kinds"], 1)
    }
    audio, words = (np.load(folder / name, mmap_mode="r") for name in ("audio.npy", "words.npy"))
    with np.load(folder / "rows.npz") as rows:
        labels, index, word_labels = rows["labels"], rows["index"], rows["word_labels"]
    nothing = np.zeros((0, audio.shape[1]), np.int16), np.zeros(0, np.int64)
    material = Material(words, word_labels, *nothing, {}, {}, [], noise, [])
    return EvaluationSet(audio, labels, [], material, facts["split"], facts["mix"], index, facts["fingerprint"])


def _start(folder: str, threads: int, parent: int) -> None:
    global _data
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted and ends the pool
    threading.Thread(target=_end_with, args=(parent, folder), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    _data = _open(Path(folder))


def _end_with(parent: int, folder: str) -> None:
    """A parent that is killed can neither end its pool nor tidy up: do so, and leave with it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _measure(unit: Unit) -> NDArray[np.int64]:
    assert _data is not None
    return measure(unit, _data)

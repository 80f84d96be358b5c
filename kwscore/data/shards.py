"""Feature shards: training streams turned into mel magnitudes and SNR once, on disk, shared by every run.

A shard is a function of (recipe, seed, index) and of the recordings, so any process may make it at any time: runs
that are killed, resumed or run side by side read the same numbers. Features are stored as float16.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_FRAMES, SILENCE
from kwscore.data.material import Material
from kwscore.data.streams import StreamMaker, StreamRecipe
from kwscore.errors import KWScopeError

Features = Callable[[NDArray[np.int16]], tuple[NDArray[np.float32], NDArray[np.float32]]]
SHARD_STREAMS = 256
VERSION = 2
"""Raised whenever streams or features are drawn differently, so that old shards are not taken for new ones."""


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]] | None:
    """The arrays of an .npz file; None when there is none, or when it was damaged (it is removed, to be made again)."""
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError):
        path.unlink(missing_ok=True)
        return None


def write_arrays(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write an .npz file beside and rename; several processes may write the same one."""
    partial = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


@dataclass(slots=True)
class Shard:
    """``mel``, ``snr`` (n, frames, 40) float16; ``ends``, ``labels`` (n, 3), -1 where unused."""

    mel: NDArray[np.float16]
    snr: NDArray[np.float16]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]


class ShardStore:
    """Shards of one recipe and seed under ``folder``; missing ones are made with ``maker`` and ``features``."""

    def __init__(self, folder: Path, recipe: StreamRecipe, seed: int, key: str = ""):
        name = json.dumps([asdict(recipe), seed, SHARD_STREAMS, VERSION, key], sort_keys=True)
        self.recipe, self.seed = recipe, seed
        self.folder = folder / f"shards-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.maker: StreamMaker | None = None
        self.features: Features | None = None

    def attach(self, material: Material, features: Features) -> None:
        """Give the store what it needs to make shards that are not there yet."""
        self.maker, self.features = StreamMaker(material, self.recipe), features

    def path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.npz"

    def make(self, index: int) -> None:
        """Write shard ``index`` unless it is there."""
        if self.path(index).exists():
            return
        if self.maker is None or self.features is None:
            raise KWScopeError(f"{self.path(index)} is missing and no recordings are at hand; give --data-dir.")
        streams = [self.maker.make(np.random.default_rng([self.seed, index, i])) for i in range(SHARD_STREAMS)]
        mels, snrs = [], []
        for start in range(0, SHARD_STREAMS, 32):
            mel, snr = self.features(np.stack([s.pcm for s in streams[start : start + 32]]))
            mels.append(mel.astype(np.float16))
            snrs.append(snr.astype(np.float16))
        write_arrays(
            self.path(index),
            mel=np.concatenate(mels),
            snr=np.concatenate(snrs),
            ends=np.stack([s.ends for s in streams]),
            labels=np.stack([s.labels for s in streams]),
        )

    def load(self, index: int) -> Shard:
        """Shard ``index``, made first if need be."""
        arrays = read_arrays(self.path(index))
        if arrays is None:
            self.make(index)
            arrays = read_arrays(self.path(index))
        if arrays is None:
            raise KWScopeError(f"{self.path(index)} cannot be read back; check the disk that holds the cache.")
        return Shard(**{name: arrays[name] for name in ("mel", "snr", "ends", "labels")})  # type: ignore[arg-type]


def first_reads(shard: Shard) -> NDArray[np.bool_]:
    """(n, 3) mask of reads that are there."""
    return shard.ends >= 0


def describe(shard: Shard) -> str:
    """One line about a shard, for the log."""
    labels = shard.labels[first_reads(shard)]
    reset = np.mean(shard.ends[:, 0] == CLIP_FRAMES - 1)
    return f"{len(labels)} reads, {np.mean(labels == SILENCE):.0%} silence, {reset:.0%} streams begin with a word"

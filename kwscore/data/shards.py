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
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_FRAMES, SILENCE
from kwscore.data.material import Material
from kwscore.data.streams import Stream, StreamMaker, StreamRecipe
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
    """Write an .npz file beside and rename; several processes may write the same one.

    Raises KWScopeError where it cannot be written, as on a full disk; nothing half-written stays behind.
    """
    partial = path.with_suffix(f".{os.getpid()}.part.npz")
    try:
        np.savez(partial, **arrays)  # type: ignore[arg-type]
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise KWScopeError(
            f"{path} cannot be written ({error.strerror or error}): make room in the cache or choose another with "
            "--cache, and run the same command again; it goes on where it was."
        ) from None


@dataclass(slots=True)
class Shard:
    """``mel``, ``snr`` (n, frames, 40) float16; ``ends``, ``labels`` (n, 3), -1 where unused."""

    mel: NDArray[np.float16]
    snr: NDArray[np.float16]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]


class Store(ABC):
    """Shards of one recipe and seed under ``folder``, of one kind of feature (``key``); missing ones are made.

    A subclass says what is kept of the streams' sound and how a shard is opened.
    """

    def __init__(self, folder: Path, recipe: StreamRecipe, seed: int, key: str = ""):
        name = json.dumps([asdict(recipe), seed, SHARD_STREAMS, VERSION, key], sort_keys=True)
        self.recipe, self.seed = recipe, seed
        self.folder = folder / f"shards-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KWScopeError(
                f"The cache {folder} cannot be made ({error.strerror or error}): choose another with --cache."
            ) from None
        self.maker: StreamMaker | None = None
        self.features: Callable[[NDArray[np.int16]], Any] | None = None

    def attach(self, material: Material, features: Callable[[NDArray[np.int16]], Any]) -> None:
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
        ends, labels = np.stack([s.ends for s in streams]), np.stack([s.labels for s in streams])
        write_arrays(self.path(index), **self.arrays(streams, self.features), ends=ends, labels=labels)

    @abstractmethod
    def arrays(
        self, streams: list[Stream], features: Callable[[NDArray[np.int16]], Any]
    ) -> dict[str, NDArray[np.float16]]:
        """What is kept of the streams' sound."""

    def read(self, index: int) -> dict[str, NDArray[Any]]:
        """The arrays of shard ``index``, made first if need be."""
        arrays = read_arrays(self.path(index))
        if arrays is None:
            self.make(index)
            arrays = read_arrays(self.path(index))
        if arrays is None:
            raise KWScopeError(f"{self.path(index)} cannot be read back; check the disk that holds the cache.")
        return arrays


class ShardStore(Store):
    """Shards of mel magnitudes and SNR, for the networks of the stream schedule."""

    def arrays(self, streams: list[Stream], features: Features) -> dict[str, NDArray[np.float16]]:
        mels, snrs = [], []
        for start in range(0, len(streams), 32):
            mel, snr = features(np.stack([s.pcm for s in streams[start : start + 32]]))
            mels.append(mel.astype(np.float16))
            snrs.append(snr.astype(np.float16))
        return {"mel": np.concatenate(mels), "snr": np.concatenate(snrs)}

    def load(self, index: int) -> Shard:
        """Shard ``index``, made first if need be."""
        arrays = self.read(index)
        return Shard(**{name: arrays[name] for name in ("mel", "snr", "ends", "labels")})


def first_reads(shard: Shard) -> NDArray[np.bool_]:
    """(n, 3) mask of reads that are there."""
    return shard.ends >= 0


def describe(shard: Shard) -> str:
    """One line about a shard, for the log."""
    labels = shard.labels[first_reads(shard)]
    reset = np.mean(shard.ends[:, 0] == CLIP_FRAMES - 1)
    return f"{len(labels)} reads, {np.mean(labels == SILENCE):.0%} silence, {reset:.0%} streams begin with a word"

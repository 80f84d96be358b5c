"""Feature shards: training streams turned into mel magnitudes and SNR once, on disk, shared by every run.

A shard is a function of (recipe, seed, index) and of the recordings, so any process may make it at any time: runs
that are killed, resumed or run side by side read the same numbers. Features are stored as float16.
"""

from __future__ import annotations

import hashlib
import json
import os
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
        name = json.dumps([asdict(recipe), seed, SHARD_STREAMS, key], sort_keys=True)
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
        partial = self.folder / f"{index:06d}.{os.getpid()}.part.npz"
        np.savez(
            partial,
            mel=np.concatenate(mels),
            snr=np.concatenate(snrs),
            ends=np.stack([s.ends for s in streams]),
            labels=np.stack([s.labels for s in streams]),
        )
        partial.replace(self.path(index))

    def load(self, index: int) -> Shard:
        """Shard ``index``, made first if need be."""
        self.make(index)
        with np.load(self.path(index)) as arrays:
            return Shard(arrays["mel"], arrays["snr"], arrays["ends"], arrays["labels"])


def first_reads(shard: Shard) -> NDArray[np.bool_]:
    """(n, 3) mask of reads that are there."""
    return shard.ends >= 0


def describe(shard: Shard) -> str:
    """One line about a shard, for the log."""
    labels = shard.labels[first_reads(shard)]
    reset = np.mean(shard.ends[:, 0] == CLIP_FRAMES - 1)
    return f"{len(labels)} reads, {np.mean(labels == SILENCE):.0%} silence, {reset:.0%} streams begin with a word"

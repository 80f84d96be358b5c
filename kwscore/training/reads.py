"""What a loss is computed from: a network's answers at the reads of some streams of a shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kwscore.data.clip_shards import ClipShard
from kwscore.data.shards import Shard
from kwscore.evaluation.cached import as_image
from kwscore.models.cnn import CnnBaseline
from kwscore.models.melbank import mel_edges
from kwscore.models.network import NanoMamba
from kwscore.training.recipe import TrainingRecipe
from kwscore.training.teacher import Teacher

Trainable = NanoMamba | Teacher | CnnBaseline
Soft = tuple[NDArray[np.int64], NDArray[np.float16]]
"""Frames (n, R) and a teacher's logits there (n, R, 12)."""


@dataclass(frozen=True, slots=True)
class Reads:
    """``logits`` (R, 12) and the classes ``target`` (R,) that they should say; ``soft`` the network's and a teacher's
    logits (S, 12) at the reads and further frames, or None."""

    logits: Tensor
    target: Tensor
    soft: tuple[Tensor, Tensor] | None = None


def spec_mask(recipe: TrainingRecipe, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019) per row of (n, frames, bands): one span of bands and two of frames set to 0."""
    mask = np.ones(shape, np.float32)
    batch, frames, bands = shape
    for i in range(batch):
        if rng.random() < recipe.mask_share:
            width = rng.integers(0, recipe.mask_bands + 1)
            start = rng.integers(0, bands - width + 1)
            mask[i, :, start : start + width] = 0
        if rng.random() < recipe.mask_share:
            for _ in range(2):
                width = rng.integers(0, recipe.mask_frames + 1)
                start = rng.integers(0, frames - width + 1)
                mask[i, start : start + width] = 0
    return torch.from_numpy(mask)


def warp_bands(recipe: TrainingRecipe, rows: int, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Vocal tracts of other lengths (Jaitly and Hinton 2013): per row a matrix (n, 40, 40) that takes each mel band's
    value from where its centre, times a factor from 1 - ``warp`` to 1 + ``warp``, lies between the bands; None without.
    """
    if not recipe.warp:
        return None
    centres = mel_edges()[1:-1]
    factors = 1 + rng.uniform(-recipe.warp, recipe.warp, rows)
    bands = np.arange(len(centres))
    at = np.interp(np.outer(factors, centres), centres, bands)  # (n, 40), the ends kept within the bands
    return np.maximum(0, 1 - np.abs(at[:, None, :] - bands[None, :, None])).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads rows of shards for one process of a team: every ``world``-th row from ``rank`` on, on ``device``."""

    recipe: TrainingRecipe
    device: torch.device
    rank: int = 0
    world: int = 1

    def read(
        self, net: Any, shard: Shard | ClipShard, rows: NDArray[np.int64], rng: np.random.Generator, soft: Soft | None
    ) -> Reads:
        """Answers to the streams ``rows`` of a shard, SpecAugment drawn from ``rng`` for all of them."""
        if isinstance(shard, ClipShard):
            return self._clips(net, shard, rows, rng)
        return self._streams(net, shard, rows, rng, soft)

    def _mine(self, values: NDArray[Any]) -> NDArray[Any]:
        return values[self.rank :: self.world]

    def _there(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _streams(
        self, net: Any, shard: Shard, rows: NDArray[np.int64], rng: np.random.Generator, soft: Soft | None
    ) -> Reads:
        mask = spec_mask(self.recipe, (len(rows), *shard.mel.shape[1:]), rng)[self.rank :: self.world]
        warp = warp_bands(self.recipe, len(rows), rng)
        rows = self._mine(rows)
        mel, snr = (self._there(array[rows]).float() for array in (shard.mel, shard.snr))
        if warp is not None:
            matrix = self._there(self._mine(warp))
            mel, snr = torch.bmm(mel, matrix), torch.bmm(snr, matrix)
        labels = self._there(shard.labels[rows])
        frames = self._there(np.maximum(shard.ends[rows], 0) if soft is None else soft[0][rows])
        every = net.pool(net.hidden(mel, snr, mask.to(self.device)), frames)
        used, reads = labels >= 0, labels.shape[1]
        if soft is None:
            return Reads(every[used], labels[used])
        further = torch.ones((len(rows), frames.shape[1] - reads), dtype=torch.bool, device=self.device)
        valid = torch.cat((used, further), 1)
        theirs = self._there(soft[1][rows]).float()
        return Reads(every[:, :reads][used], labels[used], (every[valid], theirs[valid]))

    def _clips(self, net: CnnBaseline, shard: ClipShard, rows: NDArray[np.int64], rng: np.random.Generator) -> Reads:
        clips, labels = shard.clips(rows)
        mask = spec_mask(self.recipe, (len(clips), *shard.image.shape[1:]), rng)[self.rank :: self.world]
        warp = warp_bands(self.recipe, len(clips), rng)
        clips, labels = self._mine(clips), self._mine(labels)
        image = self._there(shard.image[clips]).float()
        if warp is not None:
            image = torch.bmm(image, self._there(self._mine(warp)))
        # masked cells take their band's mean over time: log magnitudes have no zero
        image = torch.lerp(image.mean(1, keepdim=True).expand_as(image), image, mask.to(self.device))
        return Reads(net.classify(as_image(image)), self._there(labels))

"""Soft targets: a teacher's answers at the reads of each shard and at further frames, made once and kept.

Hinton et al. 2015, "Distilling the knowledge in a neural network". Between the labelled reads the teacher also says
what a window holds that contains half a word, which no label does.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kwscore.data.shards import ShardStore
from kwscore.training.teacher import Teacher

EXTRA_READS = 5


class SoftTargets:
    """Teacher logits of a shard: ``get(store, index)`` -> frames (n, R), logits (n, R, 12) float16."""

    def __init__(self, teacher: Teacher, name: str):
        self.teacher, self.name = teacher.eval(), name

    def get(self, store: ShardStore, index: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        folder = store.folder / f"teacher-{self.name}"
        folder.mkdir(exist_ok=True)
        path = folder / f"{index:06d}.npz"
        if not path.exists():
            shard = store.load(index)
            rng = np.random.default_rng([store.seed, 13, index])
            extra = rng.integers(48, shard.mel.shape[1], size=(len(shard.mel), EXTRA_READS))
            frames = np.concatenate((np.maximum(shard.ends, 0), extra), axis=1)
            logits = []
            with torch.no_grad():
                for start in range(0, len(frames), 32):
                    part = slice(start, start + 32)
                    mel = torch.from_numpy(shard.mel[part].astype(np.float32))
                    hidden = self.teacher.hidden(mel, mel)
                    logits.append(self.teacher.pool(hidden, torch.from_numpy(frames[part])).numpy())
            partial = path.with_suffix(f".{os.getpid()}.part.npz")
            np.savez(partial, frames=frames, logits=np.concatenate(logits).astype(np.float16))
            partial.replace(path)
        with np.load(path) as arrays:
            return arrays["frames"], arrays["logits"]


def soft_loss(logits: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student), summed over the reads (n, 12)."""
    mine = torch.log_softmax(logits / temperature, -1)
    target = torch.log_softmax(theirs / temperature, -1)
    return temperature**2 * (target.exp() * (target - mine)).sum()

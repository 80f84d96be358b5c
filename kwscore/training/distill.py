"""Soft targets: a teacher's answers at the reads of each shard and at further frames, made once and kept.

Hinton et al. 2015, "Distilling the knowledge in a neural network". Between the labelled reads the teacher also says
what a window holds that contains half a word, which no label does.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kwscore.data.shards import ShardStore, read_arrays, write_arrays
from kwscore.models.checkpoint import model_hash
from kwscore.training.teacher import Teacher

EXTRA_READS = 5


def teacher_hash(teacher: Teacher) -> str:
    """Names the teacher by its weights."""
    return model_hash({name: tensor.numpy() for name, tensor in teacher.state_dict().items()})


class SoftTargets:
    """Teacher logits of a shard: ``get(store, index)`` -> frames (n, R), logits (n, R, 12) float16."""

    def __init__(self, teacher: Teacher):
        self.teacher = teacher.eval()
        self.hash = teacher_hash(teacher)

    def get(self, store: ShardStore, index: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        folder = store.folder / f"teacher-{self.hash}"
        folder.mkdir(exist_ok=True)
        path = folder / f"{index:06d}.npz"
        arrays = read_arrays(path)
        if arrays is None:
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
            arrays = {"frames": frames, "logits": np.concatenate(logits).astype(np.float16)}
            write_arrays(path, **arrays)
        return arrays["frames"].astype(np.int64), arrays["logits"].astype(np.float16)


def soft_loss(logits: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student), summed over the reads (n, 12)."""
    mine = torch.log_softmax(logits / temperature, -1)
    target = torch.log_softmax(theirs / temperature, -1)
    return temperature**2 * (target.exp() * (target - mine)).sum()

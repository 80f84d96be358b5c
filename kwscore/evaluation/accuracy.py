"""Accuracy on the validation mix, condition by condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_CLASSES, SILENCE, UNKNOWN
from kwscore.data.augment import from_pcm
from kwscore.data.validation import CONDITIONS, ValidationMix
from kwscore.evaluation.figures import MEAN_NOISES

if TYPE_CHECKING:
    from kwscore.models.cnn import CnnBaseline
    from kwscore.models.network import NanoMamba


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one condition. ``confusion[true, predicted]`` (12, 12)."""

    condition: str
    confusion: NDArray[np.int64]

    @property
    def clips(self) -> int:
        return int(self.confusion.sum())

    def share(self, rows: slice | int = slice(None)) -> float:
        """Correct answers in per cent over the given true classes."""
        index = np.arange(N_CLASSES)[rows]
        total = self.confusion[index].sum()
        return 100.0 * float(self.confusion[index, index].sum()) / max(int(total), 1)

    def as_dict(self) -> dict[str, float | int | str]:
        """The figures that tables show."""
        return {
            "condition": self.condition,
            "clips": self.clips,
            "accuracy": round(self.share(), 2),
            "words": round(self.share(slice(0, 10)), 2),
            "silence": round(self.share(SILENCE), 2),
            "unknown": round(self.share(UNKNOWN), 2),
        }


def score(condition: str, logits: NDArray[np.floating], labels: NDArray[np.int64]) -> Score:
    """Count argmax answers: ``logits`` (n, 12), ``labels`` (n,)."""
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    np.add.at(confusion, (labels, np.argmax(logits, axis=1)), 1)
    return Score(condition, confusion)


def evaluate(
    net: NanoMamba | CnnBaseline,
    mix: ValidationMix,
    conditions: Iterable[str] = tuple(CONDITIONS),
    progress: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Scores from the waveforms themselves: what tables report."""
    import torch

    net.eval()
    scores = []
    for condition in conditions:
        progress(condition)
        audio = CONDITIONS[condition](mix)
        logits = []
        with torch.no_grad():
            for start in range(0, len(audio), 64):
                logits.append(net(torch.from_numpy(from_pcm(audio[start : start + 64]))).numpy())
        scores.append(score(condition, np.concatenate(logits), mix.labels))
    return scores


def summary(scores: list[Score]) -> dict[str, float]:
    """The three figures that choose a checkpoint: clean, mean of four noises at 0 dB, babble at 0 dB."""
    by_name = {s.condition: s.share() for s in scores}
    out = {"clean": by_name.get("clean", float("nan"))}
    four = [by_name[n] for n in MEAN_NOISES if n in by_name]
    if four:
        out["noise"] = float(np.mean(four))
    if "babble 0 dB" in by_name:
        out["babble"] = by_name["babble 0 dB"]
    return out

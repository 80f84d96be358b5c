"""Accuracy on the validation mix, condition by condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_CLASSES, SILENCE, UNKNOWN
from kwscore.data.augment import from_pcm
from kwscore.data.shards import read_arrays, write_arrays
from kwscore.data.validation import CONDITIONS, ValidationMix

if TYPE_CHECKING:
    import torch

    from kwscore.models.network import NanoMamba

MEAN_NOISES = ("white 0 dB", "pink 0 dB", "factory 0 dB", "street 0 dB")


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


class Reader(Protocol):
    """What answers from cached features: a network of the stream schedule, or a teacher."""

    def eval(self) -> Any: ...

    def hidden(self, mel: torch.Tensor, snr: torch.Tensor) -> torch.Tensor: ...

    def pool(self, hidden: torch.Tensor, ends: torch.Tensor) -> torch.Tensor: ...


def score(condition: str, logits: NDArray[np.floating], labels: NDArray[np.int64]) -> Score:
    """Count argmax answers: ``logits`` (n, 12), ``labels`` (n,)."""
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    np.add.at(confusion, (labels, np.argmax(logits, axis=1)), 1)
    return Score(condition, confusion)


def stream_features(
    net: NanoMamba, audio: NDArray[np.int16], batch: int = 64
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mel magnitudes and SNR (n, T, 40) of int16 streams (n, samples)."""
    import torch

    mels, snrs = [], []
    with torch.no_grad():
        for start in range(0, len(audio), batch):
            mel, snr = net.features(torch.from_numpy(from_pcm(audio[start : start + batch])))
            mels.append(mel.numpy())
            snrs.append(snr.numpy())
    return np.concatenate(mels), np.concatenate(snrs)


def logits_of(
    net: Reader, mel: NDArray[np.floating], snr: NDArray[np.floating], batch: int = 128
) -> NDArray[np.float32]:
    """Logits (n, 12) at the last frame, from features (n, T, 40)."""
    import torch

    out = []
    with torch.no_grad():
        for start in range(0, len(mel), batch):
            part = slice(start, start + batch)
            m, s = (torch.from_numpy(np.ascontiguousarray(a[part], np.float32)) for a in (mel, snr))
            ends = torch.full((len(m), 1), m.shape[1] - 1)
            out.append(net.pool(net.hidden(m, s), ends)[:, 0].numpy())
    return np.concatenate(out)


class FeatureCache:
    """Features of every condition of a mix, made once and kept as float16 under ``folder``."""

    def __init__(self, mix: ValidationMix, folder: Path, front_end: NanoMamba):
        self.mix, self.folder, self.front_end = mix, folder, front_end
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, condition: str) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Mel magnitudes and SNR (n, T, 40) of a condition."""
        path = self.folder / f"{condition.replace(' ', '_').replace(',', '')}.npz"
        arrays = read_arrays(path)
        if arrays is None:
            mel, snr = stream_features(self.front_end, CONDITIONS[condition](self.mix))
            arrays = {"mel": mel.astype(np.float16), "snr": snr.astype(np.float16)}
            write_arrays(path, **arrays)
        return arrays["mel"].astype(np.float16, copy=False), arrays["snr"].astype(np.float16, copy=False)


def evaluate_cached(net: Reader, cache: FeatureCache, conditions: Iterable[str]) -> list[Score]:
    """Scores from cached features: what training watches."""
    net.eval()
    return [score(c, logits_of(net, *cache.get(c)), cache.mix.labels) for c in conditions]


def evaluate(
    net: NanoMamba,
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

"""Accuracy from cached features: what training watches, epoch after epoch. Figures that are reported come from the
waveforms themselves (``accuracy.evaluate``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kwscore.data.augment import from_pcm
from kwscore.data.shards import read_arrays, write_arrays
from kwscore.data.validation import CONDITIONS, ValidationMix
from kwscore.evaluation.accuracy import Score, score
from kwscore.files import make_folder
from kwscore.models.cnn import CnnBaseline
from kwscore.models.network import NanoMamba

Pcm = NDArray[np.int16]


class StreamReader(Protocol):
    """What answers from mel and SNR: a network of the stream schedule, or a teacher."""

    def parameters(self) -> Iterable[torch.nn.Parameter]: ...

    def hidden(self, mel: Tensor, snr: Tensor) -> Tensor: ...

    def pool(self, hidden: Tensor, ends: Tensor) -> Tensor: ...


def stream_features(net: NanoMamba, audio: Pcm, batch: int = 64) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mel magnitudes and SNR (n, T, 40) of int16 streams (n, samples)."""
    mels, snrs = [], []
    with torch.no_grad():
        for start in range(0, len(audio), batch):
            mel, snr = net.features(torch.from_numpy(from_pcm(audio[start : start + batch])))
            mels.append(mel.numpy())
            snrs.append(snr.numpy())
    return np.concatenate(mels), np.concatenate(snrs)


def clip_images(net: CnnBaseline, audio: Pcm, batch: int = 64) -> NDArray[np.float32]:
    """Log-mel images (n, T, 40) of int16 clips (n, samples), as a baseline makes them."""
    with torch.no_grad():
        images = [
            net.image(torch.from_numpy(from_pcm(audio[i : i + batch]))).squeeze(1).transpose(1, 2).numpy()
            for i in range(0, len(audio), batch)
        ]
    return np.concatenate(images)


def as_image(features: Tensor) -> Tensor:
    """Log-mel images (n, T, 40) as a baseline classifies them: (n, 1, 40, T)."""
    return features.transpose(1, 2).unsqueeze(1)


class Cache(ABC):
    """Features of every condition of a mix, made once and kept as float16 under ``folder``."""

    def __init__(self, mix: ValidationMix, folder: Path, front_end: Any):
        self.mix, self.folder, self.front_end = mix, folder, front_end
        make_folder(folder, "choose another with --cache")

    def get(self, condition: str) -> dict[str, NDArray[Any]]:
        """The features of a condition by name, (n, T, 40) each."""
        path = self.folder / f"{condition.replace(' ', '_').replace(',', '')}.npz"
        arrays: dict[str, NDArray[Any]] | None = read_arrays(path)
        if arrays is None:
            made = self.features(CONDITIONS[condition](self.mix))
            arrays = {name: values.astype(np.float16) for name, values in made.items()}
            write_arrays(path, **arrays)
        return arrays

    @torch.no_grad()
    def logits(self, net: Any, condition: str, batch: int = 128) -> NDArray[np.float32]:
        """Answers (n, 12) of a network in a condition, computed where the network is."""
        device = next(iter(net.parameters())).device
        arrays = self.get(condition)
        out = []
        for start in range(0, len(self.mix.labels), batch):
            part = {name: torch.from_numpy(a[start : start + batch]).to(device).float() for name, a in arrays.items()}
            out.append(self.answer(net, part).cpu().numpy())
        return np.concatenate(out)

    @abstractmethod
    def features(self, audio: Pcm) -> Mapping[str, NDArray[np.float32]]:
        """Features by name of int16 streams (n, samples)."""

    @abstractmethod
    def answer(self, net: Any, features: Mapping[str, Tensor]) -> Tensor:
        """Logits (n, 12) from a batch of features by name."""


class FeatureCache(Cache):
    """Mel magnitudes and SNR, for the networks of the stream schedule and their teacher; the last frame decides."""

    def features(self, audio: Pcm) -> Mapping[str, NDArray[np.float32]]:
        mel, snr = stream_features(self.front_end, audio)
        return {"mel": mel, "snr": snr}

    def answer(self, net: StreamReader, features: Mapping[str, Tensor]) -> Tensor:
        mel = features["mel"]
        ends = torch.full((len(mel), 1), mel.shape[1] - 1, device=mel.device)
        return net.pool(net.hidden(mel, features["snr"]), ends)[:, 0]


class ImageCache(Cache):
    """Log-mel images, for the convolutional baselines."""

    def features(self, audio: Pcm) -> Mapping[str, NDArray[np.float32]]:
        return {"image": clip_images(self.front_end, audio)}

    def answer(self, net: CnnBaseline, features: Mapping[str, Tensor]) -> Tensor:
        return net.classify(as_image(features["image"]))


def evaluate_cached(net: torch.nn.Module, cache: Cache, conditions: Iterable[str]) -> list[Score]:
    """Scores of a network in some conditions."""
    net.eval()
    return [score(condition, cache.logits(net, condition), cache.mix.labels) for condition in conditions]

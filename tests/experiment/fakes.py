"""Clips of our own making, and an engine that needs no compiled code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from kwscore.constants import HOP, LABELS, N_CLASSES, N_MELS, SAMPLE_RATE, WINDOW
from kwscore.experiment import run
from kwscore.experiment.engines import Network
from kwscore.experiment.plan import Plan
from kwscore.stream.telemetry import Telemetry

NETWORK = Network("toy", "Toy", "0123456789ab", "stream")


def tone(seconds: float, frequency: float, amplitude: float = 0.3) -> NDArray[np.int16]:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * 32767 * np.sin(2 * np.pi * frequency * t)).astype(np.int16)


def make_folder(top: Path) -> Path:
    """Three loud "yes", two quiet "silence", one "tree"."""
    rng = np.random.default_rng(3)
    for word, count, amplitude in (("yes", 3, 0.3), ("_silence_", 2, 0.0), ("tree", 1, 0.2)):
        (top / word).mkdir(parents=True)
        for number in range(count):
            sound = tone(1.0, 400 + 50 * number, amplitude) + rng.integers(-3, 4, SAMPLE_RATE).astype(np.int16)
            soundfile.write(top / word / f"{number}.wav", sound, SAMPLE_RATE)
    return top


def make_playlist(top: Path) -> Path:
    """Three items of 1.5, 2 and 0.8 s; the last one has noise already."""
    top.mkdir(parents=True, exist_ok=True)
    items = []
    for number, (label, seconds, start, end, noise) in enumerate(
        (("yes", 1.5, 0.5, 0.9, "none"), ("silence", 2.0, 0.0, 2.0, "none"), ("no", 0.8, 0.2, 0.5, "white"))
    ):
        sound = np.zeros(round(seconds * SAMPLE_RATE), np.int16)
        if label != "silence":
            sound[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = tone(end - start, 500)
        soundfile.write(top / f"{number}.wav", sound, SAMPLE_RATE)
        items.append({"file": f"{number}.wav", "label": label, "start": start, "end": end, "noise": noise})
    path = top / "playlist.json"
    path.write_text(json.dumps({"title": "Mine", "items": items}))
    return path


class ToyEngine:
    """Answers "yes" where the hop is loud and "silence" elsewhere; remembers what it heard."""

    name, model_hash, expert_names, blocks, channels = "Toy", "0123456789ab", (), 1, 1

    def __init__(self) -> None:
        self.heard: list[NDArray[np.int16]] = []
        self.drop: set[int] = set()  # frames that are lost on the line, once each
        self.reset()

    def reset(self) -> None:
        self.heard.append(np.zeros(0, np.int16))
        self._rest = np.zeros(0, np.int16)
        self._frame = 0

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        pcm = samples.astype(np.int16)
        self.heard[-1] = np.concatenate([self.heard[-1], pcm])
        self._rest = np.concatenate([self._rest, pcm])
        records = []
        while len(self._rest) >= WINDOW:
            logits = np.zeros(N_CLASSES, np.float32)
            loud = np.abs(self._rest[:WINDOW].astype(np.int32)).mean() > 1000
            logits[LABELS.index("yes" if loud else "silence")] = 6.0
            frame, self._frame = self._frame, self._frame + 1
            self._rest = self._rest[HOP:]
            if frame in self.drop:
                self.drop.discard(frame)
                continue
            at = frame * HOP + WINDOW - 1
            bands = np.zeros(N_MELS, np.float32)
            none = np.zeros((1, 1), np.float32)
            records.append(Telemetry(frame, at, -20.0, bands, bands, np.zeros(0, np.float32), none, logits, 7.0))
        return records


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> list[ToyEngine]:
    """Every engine is a toy, remembered here; every network is called Toy."""
    made: list[ToyEngine] = []

    @contextmanager
    def opened(network: Network, engine: str, say: object = None) -> Iterator[ToyEngine]:
        made.append(ToyEngine())
        yield made[-1]

    def networks(plan: Plan, say: object = None) -> list[Network]:
        return [Network(spec, spec, "0123456789ab", "stream") for spec in plan.networks]

    monkeypatch.setattr(run, "open_engine", opened)
    monkeypatch.setattr(run, "find_networks", networks)
    return made

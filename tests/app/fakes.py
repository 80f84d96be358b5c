"""Stand-ins for network, devices and history, with which every state of the window can be reached at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.feed import Columns, Mark
from app.sources import Choice
from kwscore.audio.file import FileSource
from kwscore.audio.source import Source, SourceState, SourceStatus
from kwscore.constants import HOP, LABELS, N_CLASSES, N_MELS, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.session.container import SUFFIX
from kwscore.session.source import SessionSource
from kwscore.stream.telemetry import Telemetry


class LoudnessEngine:
    """An Engine that answers "yes" to loud sound and "silence" to all else."""

    def __init__(self, name: str = "Loudness", experts: int = 2, blocks: int = 2) -> None:
        self.name = name
        self.model_hash = "0123456789ab"
        self.expert_names = ("non-stationary", "stationary", "coloured")[:experts]
        self.blocks = blocks
        self.channels = 4
        self.resets = 0
        self.fails = False
        self._heard = np.zeros(0, np.int16)
        self._frame = 0

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        if self.fails:
            raise KWScopeError("The board is gone: connect it again.")
        self._heard = np.concatenate([self._heard, samples.astype(np.int16)])
        records = []
        while len(self._heard) >= WINDOW:
            newest = self._heard[WINDOW - HOP : WINDOW].astype(np.float32) / 32768
            level = 10 * np.log10(float(np.mean(newest**2)) + 1e-12)
            logits = np.zeros(N_CLASSES, np.float32)
            logits[LABELS.index("yes") if level > -30 else LABELS.index("silence")] = 8.0
            experts = len(self.expert_names)
            records.append(
                Telemetry(
                    frame=self._frame,
                    sample=self._frame * HOP + WINDOW - 1,
                    level_dbfs=max(level, -120.0),
                    mel=np.full(N_MELS, 10 ** (level / 20) * 50, np.float32),
                    snr=np.full(N_MELS, 0.5, np.float32),
                    routing=np.full(experts, 1 / max(experts, 1), np.float32),
                    delta=np.full((self.blocks, self.channels), 0.5, np.float32),
                    logits=logits,
                    elapsed_us=20.0,
                )
            )
            self._heard = self._heard[HOP:]
            self._frame += 1
        return records

    def reset(self) -> None:
        self.resets += 1
        self._heard = np.zeros(0, np.int16)
        self._frame = 0


class Device:
    """A live source under the test's thumb: the test sets ``state`` and feeds samples; ``stop`` can hang."""

    live = True

    def __init__(self, name: str = "Fake microphone") -> None:
        self.name = name
        self.state = SourceState.IDLE
        self.message = ""
        self.stopped = threading.Event()
        self.hang: threading.Event | None = None
        self.refuses = ""
        self._position = 0
        self._loud = False

    def start(self) -> None:
        if self.refuses:
            raise KWScopeError(self.refuses)
        self.state = SourceState.RUNNING

    def read(self, timeout: float = 0.0) -> NDArray[np.int16]:
        if self.state is not SourceState.RUNNING:
            return np.zeros(0, np.int16)
        self._position += 5 * HOP  # several times faster than real time
        return tone(5 * HOP) if self._loud else np.zeros(5 * HOP, np.int16)

    def speak(self, on: bool = True) -> None:
        self._loud = on

    def stop(self) -> None:
        self.stopped.set()
        if self.hang is not None:
            self.hang.wait()
        self.state = SourceState.IDLE

    def status(self) -> SourceStatus:
        return SourceStatus(self.state, self.message, native_rate=48_000, position=self._position)


def tone(n: int, amplitude: float = 0.4) -> NDArray[np.int16]:
    return (amplitude * 32767 * np.sin(2 * np.pi * 440 * np.arange(n) / SAMPLE_RATE)).astype(np.int16)


def write_sound(path: Path, bursts: int = 2, seconds: float = 3.0) -> Path:
    """A file with ``bursts`` loud half-seconds, evenly spaced in near silence."""
    import soundfile

    samples = np.zeros(round(seconds * SAMPLE_RATE), np.int16)
    for burst in range(bursts):
        at = round((burst + 0.5) * len(samples) / bursts)
        samples[at : at + SAMPLE_RATE // 2] = tone(SAMPLE_RATE // 2)[: len(samples) - at]
    soundfile.write(path, samples, SAMPLE_RATE)
    return path


def fast_files(choice: Choice) -> Source:
    """Files and sessions as fast as they are read, everything else as it is."""
    if choice.kind != "file":
        return choice.build()
    return (SessionSource if choice.value.endswith(SUFFIX) else FileSource)(choice.value, "fast")


def loads(engine: LoudnessEngine) -> Callable[..., tuple[LoudnessEngine, tuple[float, float]]]:
    """A loader that always gives ``engine``."""
    return lambda name, progress: (engine, (-50.0, -8.0))


class SteadyFeed:
    """A feed with made-up columns that are the same at every call."""

    first = 0
    blocks = 2
    expert_names = ("non-stationary", "stationary")
    thresholds = (0.6,) * 10
    training_level = (-50.0, -8.0)

    def __init__(self, columns: int = 900) -> None:
        random = np.random.default_rng(7)
        slow = np.cumsum(random.normal(0, 0.05, (columns, 64)), axis=0)
        posteriors = np.exp(3 * slow[:, :N_CLASSES])
        share = 1 / (1 + np.exp(-slow[:, 20:21]))
        delta = np.exp(slow[:, 22:24] / 2)
        amplitude = np.abs(slow[:, 30]) / 5
        self.end = columns
        self.hop_us = random.lognormal(np.log(25), 0.2, columns).astype(np.float32)
        self._all = {
            "low": -amplitude,
            "high": amplitude,
            "level": -60 + 10 * np.abs(slow[:, 31]),
            "mel_db": -60 + 10 * slow[:, :N_MELS],
            "snr": np.clip(0.5 + slow[:, :N_MELS] / 4, 0, 1),
            "routing": np.concatenate([share, 1 - share], axis=1),
            "delta_mean": delta,
            "delta_low": delta / 2,
            "delta_high": delta * 2,
            "posteriors": posteriors / posteriors.sum(1, keepdims=True),
            "pcen": np.clip(0.1 + slow[:, :N_MELS] / 10, 0, 0.7),
            "gate_mean": share * [0.6, 0.9],
            "gate_low": share * [0.2, 0.4],
            "gate_high": np.repeat(share, 2, axis=1),
            "true_snr": 5 + 20 * slow[:, :N_MELS],
            "clean_level": np.full(columns, -25.0),
            "noise_level": np.full(columns, -30.0),
        }

    def columns(self, start: int, stop: int) -> Columns:
        start = min(max(start, 0), self.end)
        part = slice(start, max(min(stop, self.end), start))
        return Columns(start=start, **{name: values[part].astype(np.float32) for name, values in self._all.items()})

    def elapsed(self, start: int, stop: int) -> tuple[int, NDArray[np.float32]]:
        start = min(max(start, self.first), self.end)
        return start, self.hop_us[start : max(min(stop, self.end), start)].copy()

    def warm_up(self, start: int, stop: int) -> list[tuple[int, int]]:
        return [(0, 50)] if start < 50 else []

    def detections(self, start: int, stop: int) -> list[Mark]:
        marks = [Mark(column - 20, column, "stop", 0.9) for column in range(150, self.end, 200)]
        return [mark for mark in marks if mark.column >= start and mark.start < stop]

    def annotations(self, start: int, stop: int) -> list[Mark]:
        marks = [Mark(420, 460, "stop", 0.9, "recorded"), Mark(500, 500, "a lorry", kind="pin")]
        return [mark for mark in marks if mark.column >= start and mark.start < stop]

    def truths(self, start: int, stop: int) -> list[Mark]:
        return [Mark(300, 350, "stop")] if start < 350 and stop > 300 else []

"""The loop between a source and its readers: pull what is due, mix, run the engine, detect. Knows no Qt."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.source import Source, SourceState
from kwscore.constants import HOP, N_CLASSES, SAMPLE_RATE, WINDOW
from kwscore.stream.detection import Detector, Event
from kwscore.stream.telemetry import Engine, Telemetry


class Mixer(Protocol):
    """Adds noise to a stream (``kwscore.audio.mixing.StreamingMixer``)."""

    def process(self, speech: NDArray[np.int16], /) -> NDArray[np.int16]:
        """Take the next int16 samples and return as many."""


_RECENT = 1000  # hops that the hop-time figures look back
_LOAD_SECONDS = 2.0
_KEEP: Any = object()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step delivered.

    ``samples``     (n,) int16, as the engine heard them (after mixing).
    ``position``    index of ``samples[0]`` since the runner began, the clock of source and time axis.
    ``origin``      the same index of the engine's sample 0: ``telemetry.sample + origin`` is on the runner's clock,
                    and so are an event's ``start``, ``peak`` and ``decided`` plus ``origin``. A multiple of 160.
    ``telemetry``   the frames finished in this step.
    ``posteriors``  (frames, 12) smoothed posteriors of the detector.
    ``events``      words decided in this step.
    """

    samples: NDArray[np.int16]
    position: int
    origin: int
    telemetry: list[Telemetry]
    posteriors: NDArray[np.float32]
    events: list[Event]


@dataclass(frozen=True, slots=True)
class RunnerStatistics:
    """Figures for the status bar.

    ``hop_us``, ``hop_p99_us``  median and 99th percentile of the engine's time per frame over the last 10 s of audio.
    ``load``                    computing time over audio time, mean of about the last 2 s.
    ``position``, ``frames``    samples and frames since the runner began.
    """

    hop_us: float
    hop_p99_us: float
    load: float
    position: int
    frames: int


class Runner:
    """Drives ``engine`` and ``detector`` with what ``source`` delivers, through ``mixer`` where there is one.

    ``step`` belongs to one thread. ``swap``, ``reset`` and ``statistics`` may be called from any thread; changes take
    effect at the next step, between two samples. A new or reset engine first hears the samples that wait for the next
    frame, so that no sample and no column is lost: frames go on every 160 samples on the runner's clock.
    """

    def __init__(self, source: Source, engine: Engine, detector: Detector, mixer: Mixer | None = None) -> None:
        self.source = source
        self._engine = engine
        self._detector = detector
        self._mixer = mixer
        self._lock = threading.Lock()
        self._pending: dict[str, Any] = {}
        self._position = 0
        self._origin = 0
        self._tail = np.zeros(0, np.int16)  # the newest samples, enough to fill a window but one hop
        self._frames = 0
        self._dry = False  # the last read brought nothing
        self._hop_us = np.zeros(_RECENT)
        self._busy = 0.0
        self._heard = 0.0
        engine.reset()
        detector.reset()

    @property
    def engine(self) -> Engine:
        """The engine in use (a swapped one from the next step on)."""
        return self._engine

    @property
    def detector(self) -> Detector:
        """The detector in use."""
        return self._detector

    @property
    def mixer(self) -> Mixer | None:
        """The mixer in use."""
        return self._mixer

    def swap(self, *, engine: Engine = _KEEP, detector: Detector = _KEEP, mixer: Mixer | None = _KEEP) -> None:
        """Exchange parts from the next step on; ``mixer=None`` takes the mixer out."""
        given = {"engine": engine, "detector": detector, "mixer": mixer}
        with self._lock:
            self._pending |= {key: value for key, value in given.items() if value is not _KEEP}

    def reset(self) -> None:
        """Forget the audio so far, in engine and detector, from the next step on."""
        with self._lock:
            self._pending["reset"] = True

    @property
    def finished(self) -> bool:
        """Whether the source has come to its end and everything of it was processed."""
        return self._dry and self.source.status().state is SourceState.FINISHED

    def step(self, timeout: float = 0.0) -> Batch:
        """Process everything that is due, waiting at most ``timeout`` seconds for it. An empty batch: nothing was due.

        Raises what the engine raises (KWScopeError of a lost board).
        """
        samples = self.source.read(timeout)
        self._dry = not len(samples)
        begin = perf_counter()
        self._apply_changes()
        if self._mixer is not None and len(samples):
            samples = self._mixer.process(samples)
        position = self._position
        telemetry = self._engine.process(samples) if len(samples) else []
        self._advance(samples)
        posteriors = np.empty((len(telemetry), N_CLASSES), np.float32)
        events = []
        for i, record in enumerate(telemetry):
            event = self._detector.update(record)
            posteriors[i] = self._detector.posterior
            if event is not None:
                events.append(event)
        self._measure(telemetry, len(samples), perf_counter() - begin)
        return Batch(samples, position, self._origin, telemetry, posteriors, events)

    def statistics(self) -> RunnerStatistics:
        """Figures for the status bar."""
        with self._lock:
            recent = self._hop_us[: min(self._frames, _RECENT)].copy()
            load = self._busy / self._heard if self._heard else 0.0
            position, frames = self._position, self._frames
        if not len(recent):
            return RunnerStatistics(0.0, 0.0, load, position, frames)
        median, p99 = np.percentile(recent, (50, 99))
        return RunnerStatistics(float(median), float(p99), load, position, frames)

    def _apply_changes(self) -> None:
        with self._lock:
            changes, self._pending = self._pending, {}
        if "mixer" in changes:
            self._mixer = changes["mixer"]
        if "detector" in changes:
            self._detector = changes["detector"]
            self._detector.reset()
        if "engine" in changes or "reset" in changes:
            self._engine = changes.get("engine", self._engine)
            self._engine.reset()
            self._detector.reset()
            waiting = self._tail[len(self._tail) - self._waiting() :]
            self._origin = self._position - len(waiting)
            # fewer samples than a window: the engine keeps them and returns no frame
            self._engine.process(waiting)

    def _waiting(self) -> int:
        """Samples the next frame on the hop grid will share with the past."""
        if self._position < WINDOW:
            return self._position
        return WINDOW - HOP + (self._position - WINDOW) % HOP

    def _advance(self, samples: NDArray[np.int16]) -> None:
        with self._lock:
            self._position += len(samples)
        if len(samples) >= WINDOW:
            self._tail = samples[-WINDOW:].copy()
        elif len(samples):
            self._tail = np.concatenate([self._tail, samples])[-WINDOW:]

    def _measure(self, telemetry: list[Telemetry], samples: int, busy: float) -> None:
        heard = samples / SAMPLE_RATE
        with self._lock:
            for record in telemetry[-_RECENT:]:
                self._hop_us[self._frames % _RECENT] = record.elapsed_us
                self._frames += 1
            self._frames += max(0, len(telemetry) - _RECENT)
            # both sums fade together, so that their ratio is a mean over about the last seconds of audio
            fade = float(np.exp(-heard / _LOAD_SECONDS))
            self._busy = self._busy * fade + busy
            self._heard = self._heard * fade + heard

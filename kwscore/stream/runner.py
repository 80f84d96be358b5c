"""The loop between a source and its readers: pull what is due, mix, run the engine, detect. Knows no Qt."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.source import Source, SourceState
from kwscore.constants import HOP, N_CLASSES, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.stream.deferred import DeferredEngine, HopTiming
from kwscore.stream.detection import Detector, Event
from kwscore.stream.telemetry import Engine, Telemetry


class Mixer(Protocol):
    """Adds noise to a stream (``kwscore.audio.mixing.StreamingMixer``)."""

    def process(self, speech: NDArray[np.int16], /) -> NDArray[np.int16]:
        """Take the next int16 samples and return as many."""


PATIENCE = 25
"""Frames (250 ms) that a deferred engine may be behind before its standby's frames are taken instead."""
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
    ``telemetry``   the frames finished in this step, in order and without gaps.
    ``posteriors``  (frames, 12) smoothed posteriors of the detector.
    ``events``      words decided in this step.
    ``stood_in``    indices into ``telemetry`` of frames that the standby computed because the engine did not.
    ``timings``     where the time of deferred frames went that arrived now; empty for software.
    ``reference``   what the second engine finished in this step: the same samples, the same ``origin``, its own frames.
    ``clean``       (n,) int16, ``samples`` without the noise in them, as far as it is known: the mixer's, and that of a
                    source which knows its own (``clean_of``); None where no noise is known.
    """

    samples: NDArray[np.int16]
    position: int
    origin: int
    telemetry: list[Telemetry]
    posteriors: NDArray[np.float32]
    events: list[Event]
    stood_in: frozenset[int] = frozenset()
    timings: Sequence[HopTiming] = ()
    reference: Track = field(default_factory=lambda: Track([], np.empty((0, N_CLASSES), np.float32), []))
    clean: NDArray[np.int16] | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """Frames of a second engine with what its own detector made of them; gaps where a board's answers were lost."""

    telemetry: list[Telemetry]
    posteriors: NDArray[np.float32]
    events: list[Event]
    timings: Sequence[HopTiming] = ()


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

    ``reference``: a second engine that hears the very same samples, with a detector of its own. ``standby``: an engine
    whose frames take the place of a DeferredEngine's while that one is lost or late; needed where ``engine`` is one.
    All engines always begin at the same sample, so that equal networks give equal frames: whenever one is exchanged, or
    comes back after it was lost, all of them begin anew there.

    ``step`` belongs to one thread. ``swap``, ``reset`` and ``statistics`` may be called from any thread; changes take
    effect at the next step, between two samples. A new or reset engine first hears the samples that wait for the next
    frame, so that no sample and no column is lost: frames go on every 160 samples on the runner's clock.

    Raises KWScopeError for a deferred engine without standby.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        detector: Detector,
        mixer: Mixer | None = None,
        *,
        reference: Engine | None = None,
        standby: Engine | None = None,
    ) -> None:
        self.source = source
        self._engines = _Engines(engine, reference, standby)
        self._detector = detector
        self._reference_detector = Detector(detector.settings)
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
        self._engines.reset()
        detector.reset()

    @property
    def engine(self) -> Engine:
        """The engine in use (a swapped one from the next step on)."""
        return self._engines.engine

    @property
    def reference(self) -> Engine | None:
        """The second engine in use."""
        return self._engines.reference

    @property
    def detector(self) -> Detector:
        """The detector in use."""
        return self._detector

    @property
    def reference_detector(self) -> Detector:
        """The detector of the second engine; it begins with the settings of the first one's."""
        return self._reference_detector

    @property
    def mixer(self) -> Mixer | None:
        """The mixer in use."""
        return self._mixer

    def swap(
        self,
        *,
        engine: Engine = _KEEP,
        reference: Engine | None = _KEEP,
        standby: Engine | None = _KEEP,
        detector: Detector = _KEEP,
        mixer: Mixer | None = _KEEP,
    ) -> None:
        """Exchange parts from the next step on; None takes the mixer, the reference or the standby out."""
        given = {
            "engine": engine, "reference": reference, "standby": standby, "detector": detector, "mixer": mixer,
        }  # fmt: skip
        with self._lock:
            wanted = self._pending | {key: value for key, value in given.items() if value is not _KEEP}
            _check(wanted.get("engine", self._engines.engine), wanted.get("standby", self._engines.standby))
            self._pending = wanted

    def reset(self) -> None:
        """Forget the audio so far, in engines and detectors, from the next step on."""
        with self._lock:
            self._pending["reset"] = True

    @property
    def finished(self) -> bool:
        """Whether the source has come to its end and everything of it was processed."""
        return self._dry and self._engines.finished and self.source.status().state is SourceState.FINISHED

    def step(self, timeout: float = 0.0) -> Batch:
        """Process everything that is due, waiting at most ``timeout`` seconds for it. An empty batch: nothing was due.

        Raises what the engines raise, except deferred ones.
        """
        with self._lock:
            if self._engines.returned:
                self._pending["reset"] = True
            ends = bool(self._pending.keys() & {"engine", "reference", "standby", "reset"}) and self._engines.behind
        if ends:  # what a deferred engine still owes of the old stream is the standby's; the change comes next
            return self._batch(np.zeros(0, np.int16), perf_counter(), last=True)
        samples = self.source.read(timeout)
        self._dry = not len(samples)
        begin = perf_counter()
        self._apply_changes()
        clean = self._without_noise(samples)
        if self._mixer is not None and len(samples):
            samples = self._mixer.process(samples)
        return self._batch(samples, begin, last=False, clean=clean if samples is not clean else None)

    def _without_noise(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """What the source says these samples are without the noise in them; most know of none."""
        known = getattr(self.source, "clean_of", None)
        if known is None or not len(samples):
            return samples
        clean: NDArray[np.int16] | None = known(samples, self.source.status().position - len(samples))
        return samples if clean is None else clean

    def _batch(
        self, samples: NDArray[np.int16], begin: float, last: bool, clean: NDArray[np.int16] | None = None
    ) -> Batch:
        position = self._position
        output = self._engines.process(samples, last)
        self._advance(samples)
        posteriors, events = detect(self._detector, output.telemetry)
        track = Track(output.reference, *detect(self._reference_detector, output.reference), output.reference_timings)
        self._measure(output.telemetry, len(samples), perf_counter() - begin)
        return Batch(
            samples, position, self._origin, output.telemetry, posteriors, events, output.stood_in, output.timings,
            track, clean,
        )  # fmt: skip

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
        if changes.keys() & {"engine", "reference", "standby", "reset"}:
            now = self._engines
            self._engines = _Engines(
                changes.get("engine", now.engine),
                changes.get("reference", now.reference),
                changes.get("standby", now.standby),
            )
            self._engines.reset()
            self._detector.reset()
            self._reference_detector = Detector(self._detector.settings)
            waiting = self._tail[len(self._tail) - self._waiting() :]
            self._origin = self._position - len(waiting)
            # fewer samples than a window: the engines keep them and return no frame
            self._engines.process(waiting, False)

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


def detect(detector: Detector, telemetry: list[Telemetry]) -> tuple[NDArray[np.float32], list[Event]]:
    """Smoothed posteriors (frames, 12) and the words decided in ``telemetry``."""
    posteriors = np.empty((len(telemetry), N_CLASSES), np.float32)
    events = []
    for i, record in enumerate(telemetry):
        event = detector.update(record)
        posteriors[i] = detector.posterior
        if event is not None:
            events.append(event)
    return posteriors, events


def _check(engine: Engine, standby: Engine | None) -> None:
    if isinstance(engine, DeferredEngine) and standby is None:
        raise KWScopeError(f"{engine.name} answers later: give the runner a standby that fills in while it is away.")


@dataclass(slots=True)
class _Output:
    telemetry: list[Telemetry]
    stood_in: frozenset[int] = frozenset()
    timings: Sequence[HopTiming] = ()
    reference: list[Telemetry] = field(default_factory=list)
    reference_timings: Sequence[HopTiming] = ()


class _Engines:
    """One or two engines and a standby on the same samples; gives the first one's frames in order, without gaps."""

    def __init__(self, engine: Engine, reference: Engine | None, standby: Engine | None) -> None:
        _check(engine, standby)
        self.engine, self.reference, self.standby = engine, reference, standby
        self._deferred = [each for each in (engine, reference) if isinstance(each, DeferredEngine)]
        self._merging = isinstance(engine, DeferredEngine)
        self._spare: dict[int, Telemetry] = {}  # the standby's frames that were not given out yet
        self._mine: dict[int, Telemetry] = {}
        self._next = 0

    def reset(self) -> None:
        for each in (self.engine, self.reference, self.standby):
            if each is not None:
                each.reset()
        self._spare.clear()
        self._mine.clear()
        self._next = 0

    @property
    def returned(self) -> bool:
        return any(each.returned for each in self._deferred)

    @property
    def behind(self) -> bool:
        """Whether frames are owed for samples that were heard."""
        return bool(self._spare)

    @property
    def finished(self) -> bool:
        return not self._spare and all(each.idle or each.lost for each in self._deferred)

    def process(self, samples: NDArray[np.int16], last: bool) -> _Output:
        """``last``: no more of this stream will be asked for."""
        idle = [each.idle or bool(each.lost) for each in self._deferred]  # before asking: what is idle gave all it had
        output = _Output([])
        if self.reference is not None:
            output.reference = self.reference.process(samples)
            if isinstance(self.reference, DeferredEngine):
                output.reference_timings = self.reference.timings()
        if not self._merging:
            output.telemetry = self.engine.process(samples) if len(samples) else []
            return output
        assert isinstance(self.engine, DeferredEngine)
        assert self.standby is not None
        self._mine |= {record.frame: record for record in self.engine.process(samples) if record.frame >= self._next}
        output.timings = self.engine.timings()
        spare = self.standby.process(samples)
        self._spare |= {record.frame: record for record in spare}
        self._merge(output, last or bool(self.engine.lost) or (idle[0] and not len(samples)), len(spare))
        return output

    def _merge(self, output: _Output, all_due: bool, new: int) -> None:
        stood_in = set()
        known = max(self._mine, default=-1)  # answers come in order: what is missing before this one is lost
        while self._next in self._spare:
            record = self._mine.pop(self._next, None)
            if record is None:
                if not (all_due or self._next < known or len(self._spare) - new > PATIENCE):
                    break
                record = self._spare[self._next]
                stood_in.add(len(output.telemetry))
            del self._spare[self._next]
            output.telemetry.append(record)
            self._next += 1
        output.stood_in = frozenset(stood_in)

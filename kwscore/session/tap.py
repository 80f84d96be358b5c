"""The engine thread's side of a recording: from what the runner delivers to entries on the session's own clock.

A session's sample 0 is the first one recorded. Runners come and go (another source, a reset that begins anew); the
session's clock goes on. A *segment* is a stretch in which one engine ran without a reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.source import Source
from kwscore.constants import SAMPLE_RATE
from kwscore.session.container import CHANGE, SEGMENT, TRUTH
from kwscore.session.facts import Arrays, describe_engine, describe_mixer, describe_source, take_state
from kwscore.stream.detection import DetectionSettings, Detector, Event
from kwscore.stream.runner import Batch, Runner
from kwscore.stream.telemetry import Engine, Telemetry

STATE_EVERY = 60 * SAMPLE_RATE
"""Samples between two stored states, from each of which a replay can start."""
TRUTH_EVERY = 2 * SAMPLE_RATE
_GROUP = SAMPLE_RATE  # samples of pre-roll that share a state


@dataclass(frozen=True, slots=True)
class Moment:
    """A batch and what made it."""

    batch: Batch
    runner: Runner
    source: Source
    engine: Engine
    detector: Detector
    settings: DetectionSettings
    noise: dict[str, Any] | None
    dropped: int
    base: int  # sample of the source at which the runner's clock began
    calibration: list[list[float]] | None  # of an engine that has one
    calibrated: Any  # the CalibrationRecord that set it, where one did

    @classmethod
    def of(cls, batch: Batch, runner: Runner) -> Moment:
        """Right after the step that delivered ``batch``."""
        status, detector = runner.source.status(), runner.detector
        end = batch.position + len(batch.samples)
        calibration: Any = getattr(runner.engine, "calibration", None)
        return cls(
            batch=batch,
            runner=runner,
            source=runner.source,
            engine=runner.engine,
            detector=detector,
            settings=detector.settings,
            noise=describe_mixer(runner.mixer),
            dropped=status.dropped,
            base=status.position - end,
            calibration=None if calibration is None else calibration.tolist(),
            calibrated=getattr(runner.engine, "calibrated", None),
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """Samples from session sample ``position`` on and the frames that ended in them; ``origin`` is the session sample
    of the engine's own sample 0. ``events`` are on the session's clock. ``stood_in``: indices of frames that another
    engine computed in place of a board."""

    position: int
    samples: NDArray[np.int16]
    telemetry: list[Telemetry]
    posteriors: NDArray[np.float32]
    events: list[Event]
    origin: int
    stood_in: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """A small thing that happened at a session sample, for a chunk of its own."""

    kind: bytes
    position: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What engine and detector remembered before session sample ``position``; ``origin`` as in ``Heard``."""

    position: int
    origin: int
    arrays: Arrays


Put = Callable[[Heard | Entry | Remembered], None]


@dataclass(slots=True)
class _Group:
    state: Arrays | None  # None: engine and detector were new
    engine: Engine | None  # whose state it is
    origin: int
    moments: list[Moment] = field(default_factory=list)
    samples: int = 0

    def fits(self, moment: Moment) -> bool:
        """Whether ``moment`` goes on from the state, where it would be the first one."""
        if self.moments or self.state is None:
            return True
        return moment.engine is self.engine and moment.batch.origin == self.origin

    def add(self, moment: Moment) -> None:
        self.moments.append(moment)
        self.samples += len(moment.batch.samples)


class PreRoll:
    """The last seconds before a recording, with a state to start from; constant memory."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._groups: deque[_Group] = deque()

    def feed(self, batch: Batch, runner: Runner) -> None:
        """Right after each step, in the engine thread."""
        moment = Moment.of(batch, runner)
        groups = self._groups
        if not groups and batch.position == 0:
            groups.append(_Group(None, None, 0))
        if groups and groups[-1].fits(moment):
            groups[-1].add(moment)
        elif groups:  # the engine began anew with this batch: the state is not the one it began from
            groups.pop()
            if groups:
                groups[-1].add(moment)
        if not groups or groups[-1].samples >= _GROUP:
            groups.append(_Group(take_state(moment.engine, moment.detector), moment.engine, batch.origin))
        wanted = round(self.seconds * SAMPLE_RATE)
        while len(groups) > 1 and sum(group.samples for group in list(groups)[1:]) >= wanted:
            groups.popleft()

    def take(self) -> tuple[Arrays | None, list[Moment]]:
        """The state before the first moment, and the moments."""
        if not self._groups:
            return None, []
        return self._groups[0].state, [moment for group in self._groups for moment in group.moments]


class Tap:
    """Turns moments into entries; ``put`` must not block. Everything here happens in the engine thread."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self.position = 0
        """Session samples so far."""
        self._runner: Runner | None = None
        self._engine: Engine | None = None
        self._detector: Detector | None = None
        self._origin = 0
        self._offset = 0
        self._next_frame = 0
        self._anchored = False  # what the present segment began from is in the session
        self._said: dict[str, Any] = {}
        self._calibrated: Any = None
        self._state_due = STATE_EVERY
        self._truth_due = 0
        self._truths: set[tuple[int, int]] = set()

    @property
    def offset(self) -> int:
        """Session position minus position on the present runner's clock."""
        return self._offset

    def begin(self, state: Arrays | None, moments: Iterable[Moment] = ()) -> None:
        """Start with ``moments``; ``state``: what was remembered before the first one (None: nothing)."""
        for number, moment in enumerate(moments):
            if number == 0 and state is not None:
                self._put(Remembered(0, moment.batch.origin - moment.batch.position, state))
                self._anchored = True
            self.take(moment)

    def take(self, moment: Moment, live: bool = False) -> None:
        """One batch. ``live``: engine and detector are still as they were right after it."""
        batch = moment.batch
        renewed = moment.runner is not self._runner
        if renewed:
            self._offset = self.position - batch.position
        start, origin = batch.position + self._offset, batch.origin + self._offset
        restarted = bool(batch.telemetry) and batch.telemetry[0].frame < self._next_frame
        if renewed or moment.engine is not self._engine or origin != self._origin or restarted:
            self._new_segment(moment, start, origin)
        elif moment.detector is not self._detector:
            self._detector = moment.detector
            self._put(Entry(CHANGE, start, {"what": "detector"}))
        self._say("detection", moment.settings.to_dict(), start)
        self._say("noise", moment.noise, start)
        self._say("calibration", moment.calibration, start)
        if moment.calibrated is not self._calibrated:
            self._calibrated = moment.calibrated
            measured = None if moment.calibrated is None else moment.calibrated.to_dict()
            self._put(Entry(CHANGE, start, {"what": "calibrated", "to": measured}))
        self._say("dropped", moment.dropped, start)
        if len(batch.samples) or batch.telemetry:
            events = [shifted(event, origin) for event in batch.events]
            heard = Heard(start, batch.samples, batch.telemetry, batch.posteriors, events, origin, batch.stood_in)
            self._put(heard)
            self.position = start + len(batch.samples)
        if batch.telemetry:
            self._next_frame = batch.telemetry[-1].frame + 1
        if live and (self.position >= self._state_due or not self._anchored):
            self._anchored = True
            self._state_due = self.position + STATE_EVERY
            self._put(Remembered(self.position, origin, take_state(moment.engine, moment.detector)))
        if self.position >= self._truth_due:
            self._truth_due = self.position + TRUTH_EVERY
            self.tell_truth(moment)

    def _new_segment(self, moment: Moment, start: int, origin: int) -> None:
        self._runner, self._engine, self._detector = moment.runner, moment.engine, moment.detector
        self._origin, self._next_frame = origin, 0
        self._anchored = origin >= 0 or (self._anchored and start == 0)
        self._truths.clear()
        value = {"origin": origin, "engine": describe_engine(moment.engine), "source": describe_source(moment.source)}
        reference = moment.runner.reference
        if reference is not None:  # a second engine beside it: known, not recorded, since replaying gives it
            value["reference"] = describe_engine(reference)
        self._put(Entry(SEGMENT, start, value))

    def _say(self, what: str, value: Any, position: int) -> None:
        """Settings are told at the start and whenever they change."""
        if what not in self._said or self._said[what] != value:
            self._said[what] = value
            self._put(Entry(CHANGE, position, {"what": what, "to": value}))

    def tell_truth(self, moment: Moment) -> None:
        """Words that the source knows to be in what was heard, each once."""
        truth = getattr(moment.source, "truth", None)
        if truth is None:
            return
        shift = self._offset - moment.base
        for word in truth(since=max(0, self.position - shift - 2 * TRUTH_EVERY)):
            start, end = word.start + shift, word.end + shift
            if start >= 0 and end <= self.position and (start, end) not in self._truths:
                self._truths.add((start, end))
                self._put(Entry(TRUTH, start, {"word": word.word, "start": start, "end": end, "caption": word.caption}))


def shifted(event: Event, origin: int) -> Event:
    """The event ``origin`` samples later."""
    return replace(event, start=event.start + origin, peak=event.peak + origin, decided=event.decided + origin)

"""Calibration on silence: measures what is heard, sets the constants of the engines that can be set, and takes it back.

Everything that touches an engine happens in the engine thread between two steps, so that a change counts from one frame
to the next without a gap; the rest is called by the GUI thread. Whether it helps was measured: docs/calibration.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.engines import EngineSet
from app.sources import Choice
from app.worker import Worker
from kwscore.constants import NOMINAL_SPEECH_DBFS
from kwscore.errors import KWScopeError
from kwscore.models.calibration import Values, kind_of
from kwscore.session.facts import engine_kind
from kwscore.stream.calibrator import (
    CalibrationRecord,
    Calibrator,
    Law,
    NoiseMeter,
    NoiseProfile,
    constants_of,
    floor_power,
)
from kwscore.stream.runner import Batch
from kwscore.stream.silence import Silence
from kwscore.stream.telemetry import Engine

LEAD = 0.5
"""Seconds of a live source before its silence counts: the key that was pressed makes a sound."""
PATIENCE = 60.0
"""Seconds of a stored source in which a quiet stretch is looked for: nobody can ask it to be quiet."""
LEAST_ABOVE_DB = 6.0
"""How far above a silence speech must have been to have been measured."""
NOTHING_HEARD = "Nothing is heard at the moment: press Start (Space) and calibrate again."
STOPPED = "The source stopped after {collected:.1f} of {seconds:g} s of silence: start it and calibrate again."
_FIXED = {
    "integer": "The integer engine's constants were quantised together with its weights, so that it stays equal to the "
    "FPGA bit for bit.",
    "board": "The board's constants lie in its memory image beside the weights and cannot be set over the line.",
    "window": "Window mode runs the network of the clip schedule exactly as it was published, constants included.",
}


def why_fixed(engine: Engine) -> str:
    """Why the constants of an engine cannot be set, one sentence; empty where they can."""
    if hasattr(engine, "calibration"):
        return ""
    return _FIXED.get(engine_kind(engine), f"{engine.name} has fixed constants.")


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A measured silence and the law by which constants follow it.

    ``speech_dbfs``: active level of speech, ``speech_heard`` or assumed. ``at``: when it was measured, ``heard`` from
    which source, ``mixed`` with which noise (its label; empty: none). ``floor``: power spectrum (257,) of the noise
    floor that the network itself followed then, None where it tells none.
    """

    meter: NoiseMeter
    noise: NoiseProfile
    law: Law
    speech_dbfs: float
    speech_heard: bool
    at: datetime
    heard: str
    mixed: str
    floor: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An engine that runs: its constants by itself, what was set (None: nothing), or ``why`` nothing can be.
    ``kind``: float, integer, board or window."""

    kind: str
    network: str
    model_hash: str
    own: tuple[Values, ...]
    record: CalibrationRecord | None
    why: str


@dataclass(frozen=True, slots=True)
class CalibrationChanged:
    """What is measured, set or refused is other than before: ask ``Calibration``. ``said``: a sentence for somebody who
    does not look at it, else empty; ``back``: whether an undo would bring back what it took away."""

    said: str = ""
    back: bool = False


@dataclass(frozen=True, slots=True)
class _Heard:
    silence: Silence
    floor: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class _Applied:
    setting: Setting | None
    parts: tuple[Part, ...]


class Calibration:
    """State of the calibration as the window sees it.

    ``listen_in(listener, on)`` gives batches to the measurement. ``speech``: active level of speech in dBFS and whether
    it was heard or is assumed. ``clock``: wall time, for display only.
    """

    def __init__(
        self,
        worker: Worker,
        listen_in: Callable[[Callable[[Batch], None], bool], None],
        speech: Callable[[], tuple[float, bool]] = lambda: (NOMINAL_SPEECH_DBFS, False),
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.silence: Silence | None = None
        """The silence that is being measured, or that was refused last."""
        self.refusal = ""
        """Why the last measurement set nothing, one sentence."""
        self.setting: Setting | None = None
        """What the constants follow now; None: the networks' own."""
        self.parts: tuple[Part, ...] = ()
        """The engines that run and what was set in each."""
        self.mixed_since = False
        """Whether the mixed-in noise has been changed since the silence was measured."""
        self._worker, self._listen_in, self._speech, self._clock = worker, listen_in, speech, clock
        self._events: deque[object] = worker.events
        self._states: list[Setting | None] = [None]
        self._place = 0
        self._law: Law = "continuous"
        self._choice: Choice | None = None  # what is heard
        self._floor: NDArray[np.float64] | None = None
        self._mixed = ""
        # of the engine thread
        self._engines: EngineSet | None = None
        self._others: tuple[Engine, ...] = ()
        self._calibrators: list[Calibrator] = []
        self._wanted: Setting | None = None

    # -- what the user wants ----------------------------------------------------------------------------------

    def begin(self, seconds: float, law: Law, running: bool, live: bool) -> None:
        """Measure ``seconds`` of silence from now on and set the constants by it; ``CalibrationChanged`` tells the end.

        ``running``: whether something is heard; ``live``: whether the source can be quiet at the user's will.
        """
        self.cancel()
        self.silence, self._law = None, law
        if not running:
            self._refuse(NOTHING_HEARD)
        elif self.parts and all(part.why for part in self.parts):
            self._refuse(" ".join(dict.fromkeys(part.why for part in self.parts)))
        else:
            self.refusal = ""
            self.silence = Silence(seconds, lead=LEAD if live else 0.0, patience=0.0 if live else PATIENCE)
            self._listen_in(self._listen, True)
            self._events.append(CalibrationChanged())

    def cancel(self) -> None:
        """Measure no longer; what is set stays."""
        if self.measuring:
            self._listen_in(self._listen, False)
            self.silence = None
            self._events.append(CalibrationChanged())

    def take_anyway(self) -> None:
        """What was refused because something was heard is the noise all the same: set the constants by it."""
        silence = self.silence
        if silence is not None and silence.might_be_noise:
            self.refusal = ""
            self._set(silence)

    def use_law(self, law: Law) -> None:
        """Let the constants follow another law; a step of its own for ``undo``."""
        self._law = law
        if self.setting is not None and self.setting.law != law:
            self._append(replace(self.setting, law=law))

    def undo(self) -> None:
        """The constants from before the last change."""
        if self.can_undo:
            self._go(self._place - 1)

    def redo(self) -> None:
        """What ``undo`` took away."""
        if self.can_redo:
            self._go(self._place + 1)

    def reset(self) -> None:
        """The networks' own constants; ``undo`` brings back what was set."""
        if self.setting is not None:
            self._append(None)

    # -- what is asked ----------------------------------------------------------------------------------------

    @property
    def measuring(self) -> bool:
        """Whether a silence is being measured."""
        return self.silence is not None and not self.refusal

    @property
    def can_undo(self) -> bool:
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        return self._place < len(self._states) - 1

    @property
    def calibrated(self) -> bool:
        """Whether an engine that runs has constants that were set."""
        return any(part.record is not None for part in self.parts)

    @property
    def words(self) -> tuple[str, str]:
        """For the status bar: how it is, and the link beside it (``undo`` or ``cancel``); both empty for nothing."""
        if self.measuring and self.silence is not None:
            return f"keep quiet: {self.silence.collected:.1f} of {self.silence.seconds:g} s", "cancel"
        if self.setting is None:
            return "", ""
        at = f"{self.setting.at:%H:%M}"
        if not self.calibrated:
            return f"calibration {at} rests", "undo"
        return f"calibrated {at}{', noise changed since' if self.mixed_since else ''}", "undo"

    # -- what happens -----------------------------------------------------------------------------------------

    def stopped(self) -> None:
        """Nothing is heard any more, or from another source."""
        if self.measuring and self.silence is not None:
            self._refuse(STOPPED.format(collected=self.silence.collected, seconds=self.silence.seconds))

    def noise_is(self, label: str) -> None:
        """The mixed-in noise is this one from now on; empty: none."""
        if label == self._mixed:
            return
        self._mixed = label
        if self.measuring:
            self._refuse("The mixed-in noise was changed in the middle of the silence: calibrate again.")
        self.mixed_since = self.setting is not None and label != self.setting.mixed
        self._events.append(CalibrationChanged())

    def source_is(self, choice: Choice) -> None:
        """This source is heard from the next sample on. A silence of another one says nothing about it."""
        known, self._choice = self._choice, choice
        self.stopped()
        setting = self.setting
        if known is None or known == choice or setting is None:
            return
        self._append(None)
        said = f"The calibration of {setting.at:%H:%M} ended with its source: it was the silence of {setting.heard}."
        self._events.append(CalibrationChanged(said, back=True))

    def engines_are(self, engines: EngineSet, *others: Engine) -> Callable[[], None]:
        """These engines are to run; ``others`` may run again later. A calibration goes over to them, because the noise
        stays the same. Returns what the engine thread must do right before they run."""
        if self.measuring:
            self._refuse("The network or engine was changed in the middle of the silence: calibrate again.")

        def set_up() -> None:
            self._engines, self._others = engines, others
            self._apply(self._wanted)

        return set_up

    def dress(self, engine: Engine) -> None:
        """Give an engine that does not run the constants that hold now, so that it computes what runs."""
        _set_engine(engine, self.setting)

    def take(self, event: object) -> list[object] | None:
        """Follow up on an event; what the window should know, or None where it is no affair of ours."""
        if isinstance(event, _Heard):
            if event.silence is not self.silence:
                return []  # cancelled meanwhile
            self._listen_in(self._listen, False)
            self._floor = event.floor
            if event.silence.refusal:
                self._refuse(event.silence.refusal)
            else:
                self._set(event.silence)
            return []
        if isinstance(event, _Applied):
            return self._applied(event)
        return None

    def _applied(self, event: _Applied) -> list[object]:
        if event.setting is not self.setting:
            return []  # another one is on its way
        before, self.parts = self.parts, event.parts
        said = ""
        if event.setting is not None and _names(before) != _names(event.parts):
            at = f"{event.setting.at:%H:%M}"
            if self.calibrated:
                names = " and ".join(dict.fromkeys(part.network for part in event.parts if part.record is not None))
                said = f"The calibration of {at} goes on with {names}: the noise is the same."
            else:
                why = " ".join(dict.fromkeys(part.why for part in event.parts))
                said = f"The calibration of {at} rests. {why}"
        return [CalibrationChanged(said)]

    # -- inside -----------------------------------------------------------------------------------------------

    def _refuse(self, sentence: str) -> None:
        self._listen_in(self._listen, False)
        self.refusal = sentence
        if self.silence is not None:
            self.silence.stop(sentence)
        self._events.append(CalibrationChanged())

    def _set(self, silence: Silence) -> None:
        speech, heard = self._speech()
        if speech < silence.room_dbfs + LEAST_ABOVE_DB:  # the meter has taken a loud room for speech
            speech, heard = NOMINAL_SPEECH_DBFS, False
        label = self._choice.label if self._choice is not None else ""
        self.silence = None
        now = self._clock()
        noise = silence.profile()
        self._append(Setting(silence.meter, noise, self._law, speech, heard, now, label, self._mixed, self._floor))

    def _append(self, setting: Setting | None) -> None:
        del self._states[self._place + 1 :]
        self._states.append(setting)
        self._go(self._place + 1)

    def _go(self, place: int) -> None:
        self._place = place
        setting = self.setting = self._states[place]
        self.mixed_since = setting is not None and setting.mixed != self._mixed
        self._worker.post(partial(self._want, setting))

    # -- engine thread ----------------------------------------------------------------------------------------

    def _listen(self, batch: Batch) -> None:
        silence, runner = self.silence, self._worker.runner
        if silence is None or silence.done or runner is None:
            return
        silence.add(batch, runner.source.status().dropped)
        if silence.done:
            self._events.append(_Heard(silence, _floor_of(runner.engine)))

    def _want(self, setting: Setting | None) -> None:
        self._wanted = setting
        self._apply(setting)

    def _apply(self, setting: Setting | None) -> None:
        """Set every engine that there is, also those that wait: when they run again they are as the others."""
        for calibrator in self._calibrators:
            calibrator.undo()
        self._calibrators = []
        parts: list[Part] = []
        engines = self._engines
        running = [engines.engine, *([engines.reference] if engines.reference is not None else [])] if engines else []
        waiting = [engine for engine in self._others if all(engine is not each for each in running)]
        for engine in (*running, *waiting):
            own, made, why = _set_engine(engine, setting)
            record = made.record if made is not None else None
            self._calibrators += [made] if made is not None else []
            if any(engine is each for each in running):
                parts.append(Part(engine_kind(engine), engine.name, engine.model_hash, own, record, why))
        self._events.append(_Applied(setting, tuple(parts)))


def _set_engine(engine: Any, setting: Setting | None) -> tuple[tuple[Values, ...], Calibrator | None, str]:
    """The engine's own constants, what has set others (None: nothing), and why nothing can be set."""
    why = why_fixed(engine)
    if why:
        return (), None, why
    try:
        kind_of(engine.config)
        own = constants_of(engine.calibration)
        if setting is None:
            return own, None, ""
        calibrator = Calibrator(engine, setting.law, setting.speech_dbfs, setting.meter)
        calibrator.apply()
    except KWScopeError as error:
        return (), None, str(error)
    return own, calibrator, ""


def _names(parts: tuple[Part, ...]) -> list[tuple[str, str]]:
    return [(part.kind, part.network) for part in parts]


def _floor_of(engine: Engine) -> NDArray[np.float64] | None:
    floor = getattr(engine, "noise_floor", None)
    return floor_power(floor) if floor is not None and floor.any() else None

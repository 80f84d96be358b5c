"""Makes networks and engines in a thread, while the present ones go on."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from app.engines import EngineChoice, EngineSet, Workshop
from app.listening import in_thread
from app.worker import Notice
from kwscore.errors import KWScopeError
from kwscore.stream.telemetry import Engine

Progress = Callable[[str], None]
LoadEngine = Callable[[str, Progress], tuple[Engine, tuple[float, float] | None]]
"""The float engine of a network by name or path (empty: the standard one), and the levels it was trained on."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Floating:
    """The float engine of the network ``name``, and the levels that it was trained on."""

    name: str
    engine: Engine
    training_level: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """``engines`` are those of ``choice``, None where they failed for the reason in ``sentence``. ``fresh``: the
    network was loaded for this. ``more``: the engines that were wanted are still being made."""

    token: int
    first: Floating
    choice: EngineChoice
    engines: EngineSet | None
    sentence: str
    fresh: bool
    more: bool = False


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """A network could not be loaded, and why."""

    token: int
    name: str
    sentence: str


class Loading:
    """``start`` leaves ``Loaded`` or ``NotLoaded`` in ``events``, with the token that it returned; ``what`` says what
    is being loaded, until ``done``."""

    def __init__(self, events: deque[object], load: LoadEngine, workshop: Workshop) -> None:
        self._events, self._load, self._workshop = events, load, workshop
        self.token = 0
        self.what = ""

    def forget(self) -> None:
        """Whatever is being loaded is no longer wanted."""
        self.token += 1
        self.what = ""

    def done(self, token: int, more: bool = False) -> bool:
        """Whether that token is the one that is waited for; it then no longer is, unless there is ``more``."""
        if token == self.token:
            self.what = "engine" if more else ""
        return token == self.token

    def start(self, name: str, choice: EngineChoice, held: Floating | None, at_once: bool) -> None:
        """Make the engines of ``choice``; the float one always, as the others' fallback. ``held``: that one, where it
        is there already. ``at_once``: nothing runs yet, so hear with the float one until the others are ready."""
        self.token += 1
        self.what = "engine" if held is not None else "network"
        token = self.token
        in_thread("kwscope-load", lambda: self._work(token, name, choice, held, at_once))

    def _progress(self, sentence: str) -> None:
        self._events.append(Notice("compile", sentence, "info"))

    def _work(self, token: int, name: str, choice: EngineChoice, held: Floating | None, at_once: bool) -> None:
        try:
            first = held or Floating(name, *self._load(name, self._progress))
        except KWScopeError as error:
            self._events.append(NotLoaded(token, name, str(error)))
            return
        except Exception as error:
            log.exception("loading the network")
            sentence = f"{name or 'The network'} cannot be loaded ({error}): choose another one."
            self._events.append(NotLoaded(token, name, sentence))
            return
        fresh = held is None
        alone = EngineChoice(port=choice.port)
        if at_once and choice != alone:
            self._events.append(Loaded(token, first, alone, EngineSet(alone, first.engine), "", fresh, more=True))
            fresh = False
        engines, sentence = None, ""
        try:
            engines = self._workshop.build(choice, name, first.engine, self._progress)
        except KWScopeError as error:
            sentence = str(error)
        except Exception as error:
            log.exception("making engines")
            sentence = f"The engine {choice.label} cannot be used ({error}): choose another one."
        self._events.append(Loaded(token, first, choice, engines, sentence, fresh))

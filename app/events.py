"""What the controller tells the window, beside what the engine thread does (``app.worker``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.engines import EngineChoice
from kwscore.audio.devices import InputDevice


@dataclass(frozen=True, slots=True)
class DevicesFound:
    """Microphones that were found, and a sentence when there are none."""

    devices: Sequence[InputDevice]
    notice: str


@dataclass(frozen=True, slots=True)
class Risen:
    """The word reported at ``column`` has meanwhile reached a higher ``score``."""

    column: float
    score: float


@dataclass(frozen=True, slots=True)
class NetworkTried:
    """A network by name or path (empty: the standard one) was loaded, or could not be."""

    name: str
    loaded: bool


@dataclass(frozen=True, slots=True)
class EnginesTried:
    """Engines were made as ``choice`` says, or could not be: then ``sentence`` says why, and what runs is unchanged."""

    choice: EngineChoice
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Searched:
    """A search for microphones has ended; ``reopen``: one was closed for it."""

    found: DevicesFound
    reopen: bool

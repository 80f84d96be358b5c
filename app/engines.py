"""What computes: float, integer or board, alone or with a second one beside it on the same samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kwscore.errors import KWScopeError
from kwscore.stream.deferred import DeferredEngine
from kwscore.stream.telemetry import Engine

Progress = Callable[[str], None]
VIRTUAL_PORTS = ("sim", "rtl")
"""``kwscore.board.opening.VIRTUAL``, which takes long to import."""
VIRTUAL_PORT = VIRTUAL_PORTS[0]
"""The board that is there on every machine: the integer engine behind the link."""


class Kind(StrEnum):
    """Where a network's arithmetic runs."""

    FLOAT = "float"
    INTEGER = "integer"
    BOARD = "board"


SAID = {
    Kind.FLOAT: "Software, floating point",
    Kind.INTEGER: "Software, integers as on the FPGA",
    Kind.BOARD: "FPGA board",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """The second engine: a ``kind``, of the same network or of ``network`` (name or path)."""

    kind: Kind
    network: str = ""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What the user wants to run. ``port``: ``sim``, ``rtl`` or a serial port, where a board takes part."""

    primary: Kind = Kind.FLOAT
    reference: Reference | None = None
    port: str = VIRTUAL_PORT

    @property
    def with_board(self) -> bool:
        """Whether a board takes part."""
        return Kind.BOARD in (self.primary, self.reference.kind if self.reference else None)

    @property
    def exact(self) -> bool:
        """Whether both engines have to agree to the last bit: integers against board, the same network."""
        reference = self.reference
        return reference is not None and not reference.network and {self.primary, reference.kind} == _EXACT

    @property
    def label(self) -> str:
        """For a button: ``float``, ``integer + board``."""
        if self.reference is None:
            return str(self.primary)
        return f"{self.primary} + {'network' if self.reference.network else self.reference.kind}"


_EXACT = {Kind.INTEGER, Kind.BOARD}


def called(kind: Kind, port: str) -> str:
    """What to call an engine in pictures; a board that is a program is said to be one."""
    return f"virtual {kind}" if kind is Kind.BOARD and port in VIRTUAL_PORTS else str(kind)


@dataclass(frozen=True, slots=True)
class EngineSet:
    """Engines that are ready to run together; ``names``: what to call the first and the second in pictures."""

    choice: EngineChoice
    engine: Engine
    standby: Engine | None = None
    reference: Engine | None = None
    names: tuple[str, str] = ("float", "")

    @property
    def exact(self) -> bool:
        """Whether both engines have to agree to the last bit."""
        return self.choice.exact


class BoardShelf(Protocol):
    """Opens boards and keeps the one that is open (``app.boards.Boards``)."""

    def engine(self, port: str, network: str, progress: Progress) -> DeferredEngine:
        """The board at ``port`` running ``network``; the one that is open where it fits. Raises KWScopeError."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Makes engines by network name. Everything may take seconds, so call it in a worker; raises KWScopeError."""

    load_float: Callable[[str, Progress], Engine]
    load_integer: Callable[[str, Progress], Engine]
    boards: BoardShelf

    def build(self, choice: EngineChoice, network: str, first: Engine, progress: Progress) -> EngineSet:
        """The engines of a choice. ``first``: the float engine of ``network``, which is there already.

        Every part is an engine of its own, because each has a state of its own.
        """
        from kwscore.stream.window import WindowEngine

        standby = self.load_integer(network, progress) if choice.primary is Kind.BOARD else None
        primary = first if choice.primary is Kind.FLOAT else self._make(choice.primary, network, choice, progress)
        reference, said = None, ""
        if choice.reference is not None:
            if (choice.primary, None) == (choice.reference.kind, choice.reference.network or None):
                raise KWScopeError(
                    f"Both engines would be the same ({choice.primary}): choose another one to compare with."
                )
            other = choice.reference.network or network
            reference = self._make(choice.reference.kind, other, choice, progress)
            if isinstance(reference, WindowEngine):  # it runs a whole second at once: not in the first one's thread
                reference = DeferredEngine(reference)
            said = reference.name if choice.reference.network else called(choice.reference.kind, choice.port)
        network_beside = choice.reference is not None and choice.reference.network
        name = first.name if network_beside else called(choice.primary, choice.port)
        return EngineSet(choice, primary, standby, reference, (name, said))

    def _make(self, kind: Kind, network: str, choice: EngineChoice, progress: Progress) -> Engine:
        if kind is Kind.BOARD:
            return self.boards.engine(choice.port, network, progress)
        return (self.load_float if kind is Kind.FLOAT else self.load_integer)(network, progress)

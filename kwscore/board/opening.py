"""A board by name: ``sim``, ``rtl``, or a serial port. The one place that opens one, for terminal and window."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kwscore.board.client import State, Timing
from kwscore.board.engine import BoardEngine
from kwscore.board.golden import GoldenCore, board_model
from kwscore.board.handshake import check_baud
from kwscore.board.ports import RTL, SIM, VIRTUAL, board_name
from kwscore.board.protocol import DEFAULT_BAUD
from kwscore.errors import KWScopeError
from kwscore.fixed.calibrate import load_image
from kwscore.fixed.image import Image
from kwscore.models.config import DEFAULT_NETWORK
from kwscore.stream.telemetry import Engine

Progress = Callable[[str], None]
_PATIENT = Timing(answer=1.0, silence=1.0, hop=10.0)


class Served(Protocol):
    """A board that can be talked to at ``port`` until it is closed."""

    @property
    def port(self) -> str: ...

    def held_up(self) -> bool:
        """Whether it has had no chance to answer since the last call, because this machine had no time for it."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RealPort:
    """A board that exists without us."""

    port: str

    def held_up(self) -> bool:
        """Never: it has a clock of its own."""
        return False

    def close(self) -> None:
        """Nothing to end."""


def patience(name: str) -> Timing:
    """How long to wait for this board: longer for a simulation, whose machine has other things to do too."""
    return _PATIENT if board_name(name) in VIRTUAL else Timing()


def serve(
    name: str,
    image: Image | None = None,
    *,
    paced: bool = False,
    kind: Literal["pty", "socket"] | None = None,
    progress: Progress | None = None,
) -> Served:
    """Start the virtual board ``name``, or take ``name`` as a port.

    ``image``: a network of the sizes that the board sim shall have (default: the shipped one). Virtual boards start
    without weights, as a freshly configured one. ``paced``: bytes take as long as on a real line. ``kind``: by default
    a pseudo-terminal where the system has them, else a socket. ``progress`` is told what takes long (compiling,
    building). Raises BoardError with one sentence where the board cannot be started, KWScopeError for an empty name.
    """
    kind = kind or ("socket" if sys.platform == "win32" else "pty")
    name = board_name(name)
    if name == SIM:
        from kwscore.board.device import Device
        from kwscore.board.virtual import VirtualBoard

        core = GoldenCore(image or load_image(DEFAULT_NETWORK, progress=progress), progress)
        return VirtualBoard(Device(core), paced=paced, kind=kind)
    if name == RTL:
        from kwscore.board.verilated import VerilatedBoard

        return VerilatedBoard(paced=paced, kind=kind, progress=progress)
    if not name:
        raise KWScopeError("The name of the board is empty: give sim, rtl, or a serial port.")
    return RealPort(name)


def open_board(
    name: str,
    model: str | Path | Image = DEFAULT_NETWORK,
    *,
    standby: Callable[[Image], Engine] | None = None,
    baud: int = DEFAULT_BAUD,
    paced: bool = False,
    kind: Literal["pty", "socket"] | None = None,
    may_wait: bool = False,
    timing: Timing | None = None,
    on_state: Callable[[State], None] | None = None,
    progress: Progress | None = None,
) -> BoardEngine:
    """The board ``name`` running the network ``model`` (name, path, or image), loaded where it runs something else.

    ``standby(image)`` makes the engine that takes over while the board is lost, for instance ``FixedEngine``; with
    ``may_wait`` also from the start, until a port or board that cannot be used yet can be. The engine that comes back
    owns everything: closing it stops a virtual board too. Its ``client.state`` and ``client.reason`` say how the link
    is; ``on_state`` is called from any thread when that changes.

    Blocks for as long as compiling, building or connecting take (a missing board: about three seconds), so a window
    calls it in a worker. Raises KWScopeError with one sentence; nothing stays open then.
    """
    check_baud(baud)
    image = model if isinstance(model, Image) else load_image(model, progress=progress)
    served = serve(name, image, paced=paced, kind=kind, progress=progress)
    try:
        return BoardEngine(
            served.port,
            board_model(image),
            standby=standby(image) if standby else None,
            baud=baud,
            may_wait=may_wait,
            timing=timing or patience(name),
            held_up=served.held_up,
            on_state=on_state,
            progress=progress,
            owned=served,
        )
    except BaseException:
        served.close()
        raise

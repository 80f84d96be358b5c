"""The board that is plugged in: opened by name, kept while it fits, and asked how it is. Knows no Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from kwscore.board.client import State
from kwscore.board.engine import BoardEngine, BoardModel
from kwscore.board.protocol import Info
from kwscore.errors import KWScopeError
from kwscore.stream.deferred import DeferredEngine

Progress = Callable[[str], None]
OpenPort = Callable[[str, str, ExitStack, Progress], tuple[str, BoardModel | None]]
"""(name, network, what to close with it, progress) to the port to open and what the board must run there."""

_WORDS = {
    State.CONNECTING: ("warn", "connecting…"),
    State.READY: ("good", "ready"),
    State.STREAMING: ("good", "streaming"),
    State.LOST: ("bad", "lost, trying again"),
    State.CLOSED: ("idle", "closed"),
}


@dataclass(frozen=True, slots=True)
class BoardStatus:
    """``lamp``: good, warn, bad or idle. ``reason``: why it is not at hand, one sentence. The counters are the host's:
    answers lost on the line, damaged frames, and how often it was opened again. ``info``: None before it answered."""

    port: str = ""
    lamp: str = "idle"
    words: str = "no board"
    reason: str = ""
    network: str = ""
    info: Info | None = None
    baud: int = 0
    lost_results: int = 0
    link_errors: int = 0
    reconnections: int = 0
    filled: int = 0


NO_BOARD = BoardStatus()


class Boards:
    """At most one board is open. ``engine`` and ``close`` may wait for the line: call them in a worker; ``status`` and
    ``statistics`` may be called from any thread (``statistics`` waits for the board's answer, at most a second)."""

    def __init__(self, open_port: OpenPort) -> None:
        self._open_port = open_port
        self._lock = threading.Lock()  # one opening or closing at a time
        self._key: tuple[str, str] | None = None
        self._engine: BoardEngine | None = None
        self._deferred: DeferredEngine | None = None
        self._opening = ""
        self._closed = False

    def engine(self, port: str, network: str, progress: Progress) -> DeferredEngine:
        """The board at ``port`` running ``network``. The one that is open is taken where it is that board and network.

        Raises KWScopeError with the reason; then no board is open.
        """
        with self._lock:
            if self._closed:
                raise KWScopeError("KWScope is closing.")
            if self._deferred is not None and self._key == (port, network):
                return self._deferred
            self._release()
            self._opening = port
            try:
                return self._open(port, network, progress)
            finally:
                self._opening = ""

    def _open(self, port: str, network: str, progress: Progress) -> DeferredEngine:
        with ExitStack() as stack:
            progress(f"Connecting the board {port} …")
            device, model = self._open_port(port, network, stack, progress)
            engine = stack.enter_context(BoardEngine(device, model))
            kept = stack.pop_all()
        self._key, self._engine = (port, network), engine
        self._deferred = DeferredEngine(engine, lambda: engine.on_board, kept.close)
        return self._deferred

    def close(self, for_good: bool = False) -> None:
        """Let go of the board; whatever runs on it is lost from then on."""
        with self._lock:
            self._closed = for_good
            self._release()

    def _release(self) -> None:
        deferred, self._deferred, self._engine, self._key = self._deferred, None, None, None
        if deferred is not None:
            deferred.close()

    @property
    def running(self) -> BoardEngine | None:
        """The engine of the board that is open."""
        return self._engine

    def status(self) -> BoardStatus:
        """How the board is; at once."""
        engine, key = self._engine, self._key
        if engine is None or key is None:
            return BoardStatus(self._opening, "warn", "connecting…") if self._opening else NO_BOARD
        client = engine.client
        lamp, words = _WORDS[client.state]
        return BoardStatus(
            key[0], lamp, words, client.reason, engine.name, client.info, client.baud, client.lost_results,
            client.link_errors, client.reconnections, engine.filled,
        )  # fmt: skip


def open_port(port: str, network: str, stack: ExitStack, progress: Progress) -> tuple[str, BoardModel | None]:
    """The real thing: ``sim`` or a serial port, with the memory image of ``network``. Raises KWScopeError."""
    from app.networks import load_image
    from kwscore.board.golden import board_model

    image = load_image(network, progress)
    if port == "sim":
        from kwscore.board.device import Device
        from kwscore.board.golden import GoldenCore
        from kwscore.board.virtual import VirtualBoard

        progress("Starting the virtual board …")
        port = stack.enter_context(VirtualBoard(Device(GoldenCore(image, progress)), paced=True)).port
    return port, board_model(image)

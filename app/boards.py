"""The board that is plugged in: opened by name, kept while it fits, and asked how it is. Knows no Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kwscore.board.client import State
from kwscore.board.engine import BoardEngine
from kwscore.board.protocol import DEFAULT_BAUD, Info
from kwscore.errors import KWScopeError
from kwscore.stream.deferred import DeferredEngine

if TYPE_CHECKING:
    from kwscore.board.selftest import Report

TESTED = 4.0  # s of sound of the selftest
Progress = Callable[[str], None]
OpenBoard = Callable[[str, str, Progress], BoardEngine]
"""(name of the board, network, progress) to the engine on it. May take seconds; raises KWScopeError."""

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

    def __init__(self, open_board: OpenBoard) -> None:
        self._open_board = open_board
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
            except KWScopeError as error:
                raise KWScopeError(in_window(str(error))) from error
            finally:
                self._opening = ""

    def _open(self, port: str, network: str, progress: Progress) -> DeferredEngine:
        progress(f"Connecting the board {port} …")
        engine = self._open_board(port, network, progress)
        self._key, self._engine = (port, network), engine
        self._deferred = DeferredEngine(
            engine,
            at_hand=lambda: engine.on_board,
            release=engine.close,
            astray=lambda: f"The board {port} lost audio on the line." if engine.streams > 1 or engine.filled else "",
        )
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

    def statistics(self) -> dict[str, int | None]:
        """The board's own counters by name; empty without a board. Waits for the answer: call it in a worker. Raises
        KWScopeError where none comes."""
        engine = self._engine
        return engine.client.stats().as_dict(engine.client.info) if engine is not None else {}

    def selftest(self, network: str, progress: Progress) -> Report:
        """Stream known audio to the board that is open and compare every answer with the integer engine's.

        Listening goes on in software meanwhile, and begins anew with the board afterwards. Takes some seconds.
        Raises KWScopeError, also where no board is open.
        """
        from app.networks import load_image
        from kwscore.board.selftest import run
        from kwscore.board.signals import streams

        engine, deferred = self._engine, self._deferred
        if engine is None or deferred is None:
            raise KWScopeError("No board is connected: connect one first.")
        image = load_image(network, progress)
        return deferred.apart(
            lambda: run(engine.client, image, streams(TESTED), progress), "The board is being tested."
        )

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
            key[0], lamp, words, in_window(client.reason), engine.name, client.info, client.baud, client.lost_results,
            client.link_errors, client.reconnections, engine.filled,
        )  # fmt: skip


def in_window(sentence: str) -> str:
    """A sentence that sends its reader to the terminal, for one who looks at the window."""
    return sentence.replace("pick one that `kwscope board list` shows", "pick another one in the board dialog (B)")


def open_board(port: str, network: str, progress: Progress, baud: int = DEFAULT_BAUD) -> BoardEngine:
    """The real thing: ``sim``, ``rtl`` or a serial port, running ``network`` (empty: the standard one), at ``baud``."""
    from app.networks import load_image
    from kwscore.board.opening import open_board as open_by_name

    return open_by_name(port, load_image(network, progress), baud=baud, paced=True, progress=progress)

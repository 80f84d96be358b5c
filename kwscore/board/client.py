"""The host's side of the link: finds the board, loads it, streams to it, and gets it back after trouble."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from kwscore.board import handshake, ports
from kwscore.board.connection import Connection
from kwscore.board.errors import BoardError, BoardLostError, ProtocolError
from kwscore.board.exchange import Exchange
from kwscore.board.flight import Flight, HopResult
from kwscore.board.framing import Frame
from kwscore.board.protocol import (
    DEFAULT_BAUD,
    FULL_MASK,
    Ack,
    Answer,
    Code,
    Error,
    FeatFrame,
    Flag,
    GetStats,
    Hello,
    Info,
    Level,
    Mask,
    Mode,
    PcmFrame,
    Request,
    Reset,
    Result,
    SetMode,
    Stats,
    parse_answer,
    to_wire,
)


class State(Enum):
    """Where the link is in its life."""

    CONNECTING = "connecting"  # for the first time
    READY = "ready"
    STREAMING = "streaming"
    LOST = "lost"  # retried by itself
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Timing:
    """Patience in seconds: ``answer``, ``silence`` of listening (``Connection.listened``), the others of any time."""

    answer: float = 0.3  # until a request is repeated or given up
    silence: float = 0.25  # without a RESULT until the board is asked whether it lives
    retry: float = 1.0  # between attempts to get a lost board back
    hop: float = 3.0  # a hop's result at the latest, whatever happens


class BoardClient:
    """A board on a serial port.

    ``baud``: rate to stream at. ``weights``: what the board must run; loaded where it has something else (None: take
    what is there, with ``bare`` even nothing: such a board can be asked but not streamed to). ``held_up``: whether the
    board has had no chance to answer since the last call, so that its silence says nothing (``Served.held_up``).
    ``on_state`` is called from any thread after each change of ``state``, ``progress`` while weights are being loaded.

    Raises BoardError for a rate that cannot carry audio.
    """

    def __init__(
        self,
        port: str,
        *,
        baud: int = DEFAULT_BAUD,
        weights: handshake.Weights | None = None,
        bare: bool = False,
        mask: Mask = FULL_MASK,
        stride: int = 1,
        timing: Timing | None = None,
        held_up: Callable[[], bool] = lambda: False,
        on_state: Callable[[State], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        handshake.check_baud(baud)
        self.port = port
        self.baud = baud
        self.weights = weights
        self.bare = bare
        self.mode = SetMode(stride, mask)
        self.timing = timing or Timing()
        self.reason = ""
        """Why the board is not at hand, one sentence; empty while it is."""
        self.reconnections = 0
        self._held_up = held_up
        self._on_state = on_state
        self.progress = progress
        self._state = State.CONNECTING
        self._info: Info | None = None
        self._connection: Connection | None = None
        self._serial_number = ""
        self._changed = threading.Condition(threading.RLock())
        self._exchange = Exchange(self._changed, lambda: self._connection)
        self._connecting = threading.Lock()
        self._flight = Flight()
        self._silent = 0.0  # reading of the connection's ``listened`` at which results have been missing for too long
        self._silences = 0
        self._supervisor: threading.Thread | None = None

    # ---- life ---------------------------------------------------------------------------------------------------
    @property
    def state(self) -> State:
        """Where the link is in its life."""
        return self._state

    @property
    def info(self) -> Info:
        """What the board said that it is. Raises BoardLostError before the first connection."""
        if self._info is None:
            raise BoardLostError(f"No board has been reached at {self.port} yet.")
        return self._info

    @property
    def lost_results(self) -> int:
        """Hops whose result never came, over all streams."""
        return self._flight.lost

    @property
    def under_way(self) -> int:
        """Hops sent and not answered yet."""
        return self._flight.under_way

    @property
    def link_errors(self) -> int:
        """Damaged frames received on the present connection."""
        connection = self._connection
        return connection.errors if connection else 0

    def connect(self) -> Info:
        """Open the port, find the board, load it. Raises BoardError with the reason; then nothing stays open."""
        try:
            self._connect()
        except BoardError as error:
            self._drop(State.CLOSED, str(error))
            raise
        self._start_supervisor()
        return self.info

    def connect_or_wait(self) -> None:
        """Like ``connect``, but a board that cannot be used now counts as lost: it is taken as soon as it can."""
        try:
            self._connect()
        except BoardError as error:
            self._drop(State.LOST, str(error))
        self._start_supervisor()

    def _start_supervisor(self) -> None:
        self._supervisor = threading.Thread(target=self._supervise, name="board-supervisor", daemon=True)
        self._supervisor.start()

    def close(self) -> None:
        """Release the port; within about two seconds whatever the board does."""
        self._drop(State.CLOSED, "")
        if self._supervisor is not None and self._supervisor is not threading.current_thread():
            self._supervisor.join(3.0)

    def __enter__(self) -> BoardClient:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pause(self, seconds: float) -> None:
        """Let time pass unless the client is closed meanwhile."""
        self.wait_for(State.CLOSED, timeout=seconds)

    def wait_for(self, *states: State, timeout: float) -> bool:
        """Wait until the state is one of these."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state in states, timeout)

    # ---- requests -----------------------------------------------------------------------------------------------
    def request(self, message: Request, timeout: float | None = None, tries: int = 1) -> Answer | None:
        """Send and wait for the answer (an ERROR is one); None when there is none. One request at a time."""
        return self._exchange.ask(message, timeout or self.timing.answer, tries)

    def stats(self) -> Stats:
        """The board's counters. Raises BoardLostError when it does not answer."""
        answer = self.request(GetStats(), tries=3)
        if not isinstance(answer, Stats):
            raise BoardLostError(f"The board at {self.port} does not tell its statistics: check the cable.")
        return answer

    def set_mode(self, stride: int, mask: Mask) -> None:
        """Full results every ``stride`` hops with the fields of ``mask``. Raises BoardError when the board refuses."""
        mode = SetMode(stride, mask)
        self.command(mode, "the telemetry asked for")
        self.mode = mode

    def features(self, index: int, features: bytes) -> Result:
        """Run 40 mel and 40 SNR words through the network alone. Raises BoardError when the board cannot."""
        answer = self.request(FeatFrame(index, features), tries=1)
        if isinstance(answer, Result):
            return answer
        raise BoardError(f"The board at {self.port} takes no features: {_named(answer)}.")

    def command(self, message: Request, what: str) -> Ack:
        """A request that is answered by ACK. Raises BoardError when it is refused, BoardLostError without answer."""
        answer = self.request(message, tries=3)
        if isinstance(answer, Ack):
            return answer
        if isinstance(answer, Error):
            raise BoardError(f"The board at {self.port} refuses {what}: {_named(answer)}.")
        raise BoardLostError(f"The board at {self.port} does not answer: check its cable and power.")

    # ---- streaming ----------------------------------------------------------------------------------------------
    def start_stream(self) -> None:
        """Begin a new stream at sample 0. Raises BoardLostError when the board is not at hand."""
        with self._changed:
            if self._state not in (State.READY, State.STREAMING):
                raise BoardLostError(self._lost_sentence())
        try:
            self.command(Reset(Level.STREAM), "to start a stream")
        except BoardLostError as error:
            self._lose(str(error))
            raise
        with self._changed:
            self._flight.start()
            self._silences = 0
            if self._state in (State.READY, State.STREAMING):
                self._set_state(State.STREAMING)

    def send(self, samples: NDArray[np.int16]) -> int:
        """Send one hop of 160 samples as soon as there is credit; returns its number in the stream.

        Raises BoardLostError when the board is lost or the stream broke (state READY: start another).
        """
        with self._changed:
            credit = max(1, self.info.credit)
            ready = self._changed.wait_for(
                lambda: self._state is not State.STREAMING or self.under_way < credit, self.timing.hop
            )
            if self._state is not State.STREAMING or not ready:
                raise BoardLostError(self._lost_sentence())
            connection, seq = self._connection, self._exchange.next_seq()
            if connection is not None and not self.under_way:
                self._silent = connection.later(self.timing.silence)
            sent = self._flight.send(time.monotonic())
        if connection is not None:
            connection.write(to_wire(PcmFrame(sent.index, samples.astype("<i2").tobytes()), seq))
        return sent.hop

    def results(self, wait: bool = False) -> list[HopResult]:
        """Answers in order of their hops since the last call; with ``wait`` until none is outstanding.

        A board that is lost ends the waiting: what was outstanding then never comes.
        """
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: not self.under_way, self.timing.hop)
            return self._flight.collect()

    # ---- what arrives -------------------------------------------------------------------------------------------
    def _on_frame(self, frame: Frame) -> None:
        try:
            answer = parse_answer(frame)
        except ProtocolError:
            return
        with self._changed:
            if isinstance(answer, Result) and not answer.flags & Flag.FEATURES:
                self._take_result(answer)
            elif not self._exchange.take(frame.seq, answer) and isinstance(answer, Error):
                self._take_error(answer)
            self._changed.notify_all()

    def _take_result(self, result: Result) -> None:
        if self._flight.answer(result, time.monotonic()):
            self._silences = 0
            if self._connection is not None:
                self._silent = self._connection.later(self.timing.silence)

    def _take_error(self, error: Error) -> None:
        if self._state is not State.STREAMING:
            return
        if error.code == Code.GAP:
            self._flight.write_off()
            self.reason = f"The board at {self.port} lost more audio than it can bridge; the stream starts anew."
            self._set_state(State.READY)
        elif error.code == Code.NO_WEIGHTS:
            self._lose(f"The board at {self.port} was reset and has lost its weights.")

    # ---- trouble ------------------------------------------------------------------------------------------------
    def _on_failure(self, connection: Connection, why: str) -> None:
        if connection is self._connection:
            self._lose(why)

    def _lose(self, why: str) -> None:
        self._drop(State.LOST, why, (State.READY, State.STREAMING))

    def _drop(self, state: State, why: str, only_from: tuple[State, ...] = tuple(State)) -> None:
        """Let go of the connection."""
        with self._changed:
            if self._state is State.CLOSED or self._state not in only_from:
                return
            connection, self._connection = self._connection, None
            self._flight.write_off()
            self.reason = why
            self._set_state(state)
        if connection is not None:  # outside the lock: closing waits for the reader, which may wait for the lock
            connection.close()

    def _supervise(self) -> None:
        while self._state is not State.CLOSED:
            if self._state is State.LOST:
                self._reconnect()
            else:
                self._watch()

    def _reconnect(self) -> None:
        try:
            self._connect()
            self.reconnections += 1
        except BoardError as error:
            self._drop(State.LOST, str(error))
            with self._changed:
                self._changed.wait_for(lambda: self._state is State.CLOSED, self.timing.retry)

    def _watch(self) -> None:
        with self._changed:
            self._changed.wait(self.timing.silence / 4)
            oldest, connection = self._flight.oldest, self._connection
            if self._state is not State.STREAMING or oldest is None or connection is None:
                return
            if connection.listened < self._silent:
                return
        info = self.request(Hello())
        if not isinstance(info, Info):
            return self._lose(f"The board at {self.port} has stopped answering.")
        if info.model_id != self.info.model_id:
            return self._lose(f"The board at {self.port} was reset and has lost its weights.")
        with self._changed:
            if self._state is not State.STREAMING or self._flight.oldest != oldest:
                return None  # it went on meanwhile
            self._flight.write_off()
            self._silences += 1
            self._silent = connection.later(self.timing.silence)
            if info.mode & Mode.HALTED:
                self.reason = f"The board at {self.port} waits for a new stream."
                self._set_state(State.READY)
            self._changed.notify_all()
        if self._silences > 1:
            self._lose(f"The board at {self.port} answers but sends no results.")
        return None

    # ---- connecting ---------------------------------------------------------------------------------------------
    def _connect(self) -> None:
        with self._connecting:
            port = self.port
            if self._serial_number:
                port = ports.find_port(self._serial_number) or port
            connection = Connection(port, DEFAULT_BAUD, self._on_frame, self._on_failure, self._held_up)
            with self._changed:
                closed = self._state is State.CLOSED
                if not closed:
                    self._connection = connection
            if closed:
                connection.close()
                return
            self._info = handshake.run(self, connection)
            self._serial_number = ports.serial_number_of(port)
            with self._changed:
                if self._connection is not connection or connection.failed:
                    raise BoardLostError(connection.failed or f"The port {port} failed: is the board still plugged in?")
                self.reason = ""
                self._set_state(State.READY)

    def _set_state(self, state: State) -> None:
        with self._changed:
            changed = state is not self._state
            self._state = state
            self._changed.notify_all()
        if changed and self._on_state is not None:
            self._on_state(state)

    def _lost_sentence(self) -> str:
        return self.reason or f"The board at {self.port} is not connected."


def _named(answer: Answer | None) -> str:
    if isinstance(answer, Error):
        name = Code(answer.code).name.lower().replace("_", " ") if answer.code in list(Code) else f"code {answer.code}"
        return f"{name}, {answer.detail}"
    return "it does not answer"

"""Questions to a board and their answers, one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kwscore.board.answers import Result
from kwscore.board.connection import Connection
from kwscore.board.framing import DELIMITER
from kwscore.board.protocol import Answer, Request, to_wire

_LOOK = 0.05  # seconds between two looks at how long the line has been silent
_LONGEST = 30.0  # seconds after which nothing excuses a board any more


class Exchange:
    """Numbers what is sent, and brings each answer to whoever waits for it.

    ``changed`` is notified when something has come or the connection has changed; its lock covers everything here.
    ``connection`` is asked for the present one.
    """

    def __init__(self, changed: threading.Condition, connection: Callable[[], Connection | None]) -> None:
        self._changed = changed
        self._connection = connection
        self._asking = threading.Lock()
        self._seq = 0
        self._awaited: int | None = None
        self._answer: Answer | None = None

    def next_seq(self) -> int:
        """Sequence number of the next frame."""
        with self._changed:
            self._seq = (self._seq + 1) & 0xFFFF
            return self._seq

    def take(self, seq: int, answer: Answer) -> bool:
        """An answer came: whether it is the one that is waited for. RESULTs, which count by themselves, always are."""
        if self._awaited is None or not (isinstance(answer, Result) or seq == self._awaited):
            return False
        self._answer, self._awaited = answer, None
        return True

    def ask(self, message: Request, timeout: float, tries: int) -> Answer | None:
        """Send and wait for the answer (an ERROR is one), ``timeout`` seconds each time; None when there is none.

        Time counts while the line is listened to and the board could answer (``Connection.listened``).
        """
        with self._asking:
            for _ in range(tries):
                with self._changed:
                    connection = self._connection()
                    seq = self._awaited = self.next_seq()
                    self._answer = None
                # A leading delimiter ends whatever a disturbed line left in the receiver.
                if connection is None or not connection.write(DELIMITER + to_wire(message, seq)):
                    return None
                answer = self._wait(connection, timeout)
                if answer is not None:
                    return answer
        return None

    def _wait(self, connection: Connection, timeout: float) -> Answer | None:
        silent, late = connection.later(timeout), time.monotonic() + _LONGEST
        with self._changed:
            while self._answer is None and self._connection() is connection:
                if connection.listened >= silent or time.monotonic() >= late:
                    break
                self._changed.wait(_LOOK)
            answer, self._answer, self._awaited = self._answer, None, None
        return answer

"""What an opened port says when it fails, in our words: never pyserial's, never the system's alone."""

from __future__ import annotations

import errno
import os
import threading

import pytest
import serial

from kwscore.board.client import State
from kwscore.board.connection import Connection, _why
from kwscore.board.errors import BoardError
from tests.board.conftest import Bench

GENEROUS = 30.0


@pytest.mark.parametrize("kind", ["pty", "socket"])
def test_a_pulled_port_is_one_sentence_of_ours(bench: Bench, kind: str) -> None:
    board = bench.board(kind=kind)
    client = bench.client(board.port)
    reasons: list[str] = []
    client._on_state = lambda state: reasons.append(client.reason) if state is State.LOST else None
    board.unplug()
    assert client.wait_for(State.LOST, timeout=GENEROUS)
    assert reasons[0] == f"The port {board.port} failed: is the board still plugged in?"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (serial.SerialTimeoutException("Write timeout"), "takes no more bytes: check the board's cable and power"),
        (serial.SerialException("device reports readiness to read but returned no data"), "still plugged in"),
        (OSError(errno.EIO, "Input/output error"), "still plugged in"),
        (TypeError("an integer is required (got type NoneType)"), "still plugged in"),
    ],
)
def test_a_failing_write_is_one_sentence_of_ours(bench: Bench, error: Exception, words: str) -> None:
    board = bench.board()
    said: list[str] = []
    failed = threading.Event()

    def on_failure(connection: Connection, why: str) -> None:
        said.append(why)
        failed.set()

    connection = Connection(board.port, 1_000_000, lambda frame: None, on_failure)
    bench.defer(connection.close)

    class Broken:
        def write(self, data: bytes) -> int:
            raise error

        def fileno(self) -> int:
            return connection_port.fileno()

        def read(self, size: int) -> bytes:
            return b""

        def close(self) -> None:
            connection_port.close()

    connection_port, connection._serial = connection._serial, Broken()
    assert not connection.write(b"x")
    assert failed.wait(GENEROUS)
    assert words in said[0] == connection.failed
    assert board.port in said[0]
    assert str(error) not in said[0]


@pytest.mark.parametrize(
    ("port", "words"),
    [
        ("socket://nowhere", "no address of a virtual board: write socket://HOST:PORT"),
        ("socket://127.0.0.1:1", "No virtual board listens on socket://127.0.0.1:1: start it first."),
        ("nonsense://x", "The port nonsense://x cannot be opened: pick one"),
    ],
)
def test_addresses_that_cannot_be_opened(bench: Bench, port: str, words: str) -> None:
    with pytest.raises(BoardError) as refused:
        bench.client(port)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "Errno" not in str(refused.value)


def test_what_the_system_says_is_said_plainly() -> None:
    assert _why("/dev/ttyUSB1", OSError(errno.ENOSPC, "x")) == (
        f"The port /dev/ttyUSB1 cannot be opened ({os.strerror(errno.ENOSPC)}): "
        "pick one that `kwscope board list` shows."
    )

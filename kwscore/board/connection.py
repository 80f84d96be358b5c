"""One opened port and the thread that reads it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import serial

from kwscore.board.errors import BoardError
from kwscore.board.framing import Frame, FrameDecoder

try:
    from termios import error as _termios_error
except ImportError:  # Windows
    _termios_error = OSError  # type: ignore[assignment,misc]

PORT_ERRORS = (OSError, _termios_error)
"""What a port that has gone raises, depending on the call: SerialException is an OSError, termios.error is not."""
_CLOSED_UNDER_US = (*PORT_ERRORS, TypeError, ValueError, AttributeError)  # pyserial, when another thread closes
_READ_WAIT = 0.05  # seconds of one look at the line; bounds how long closing takes
_WRITE_WAIT = 1.0
_CHUNK = 4096
_IN_USE = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


class Connection:
    """An open port. Used once: after ``failed`` is set or ``close`` was called, make another.

    ``on_frame`` is called by the reading thread for each intact frame, ``on_failure`` once when the port fails.
    ``held_up``: whether the board had no chance to send anything since the last call (a simulation that waits for a
    processor); asked whenever nothing came. Raises BoardError with a sentence when the port cannot be opened.
    """

    def __init__(
        self,
        port: str,
        baud: int,
        on_frame: Callable[[Frame], None],
        on_failure: Callable[[Connection, str], None],
        held_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.port = port
        self._on_frame = on_frame
        self._on_failure = on_failure
        self._held_up = held_up
        self._closing = threading.Event()
        self._failing = threading.Lock()
        self._writing = threading.Lock()
        self._decoder = FrameDecoder()
        self.baud = baud
        self.failed = ""
        """Why the port failed, one sentence; empty while it works."""
        self.received = 0
        self.listened = 0.0
        """Seconds for which the line was listened to while the board could have sent something. On a machine that has
        no time for this thread, or for a simulated board, it stands still: only such silence says something."""
        self._serial: Any = _open(port, baud)
        self._thread = threading.Thread(target=self._read_all, name="board-reader", daemon=True)
        self._thread.start()

    @property
    def errors(self) -> int:
        """Stretches between delimiters that were no intact frame."""
        return self._decoder.errors

    def later(self, seconds: float) -> float:
        """What ``listened`` will be when there were so many more seconds; the look under way does not count."""
        return self.listened + _READ_WAIT + seconds

    def write(self, data: bytes) -> bool:
        """Send; False when the port has failed or takes nothing for a second."""
        try:
            with self._writing:
                self._serial.write(data)
        except _CLOSED_UNDER_US as error:
            self._fail(error)
            return False
        return True

    def set_baud(self, baud: int) -> bool:
        """Change the rate; what was half received is forgotten. False when the port refuses."""
        try:
            with self._writing:
                self._serial.baudrate = baud
            self.baud = baud
        except _CLOSED_UNDER_US as error:
            self._fail(error)
            return False
        return True

    def close(self) -> None:
        """Stop reading and release the port, whatever state it is in."""
        self._closing.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)
        with contextlib.suppress(*_CLOSED_UNDER_US):
            self._serial.close()

    def _read_all(self) -> None:
        while not self._closing.is_set():
            begin = time.monotonic()
            try:
                data = self._read()
            except _CLOSED_UNDER_US as error:
                self._fail(error)
                return
            if data or not self._held_up():
                self.listened += min(time.monotonic() - begin, _READ_WAIT)
            self.received += len(data)
            for frame in self._decoder.feed(data):
                self._on_frame(frame)

    def _read(self) -> bytes:
        port = self._serial
        if os.name == "nt" and not self.port.startswith("socket:"):
            first = port.read(1)
            return first + port.read(port.in_waiting) if first else b""
        # pyserial's blocking read waits for all the bytes asked for; the port is opened non-blocking instead.
        return port.read(_CHUNK) if select.select([port], [], [], _READ_WAIT)[0] else b""

    def _fail(self, error: BaseException) -> None:
        with self._failing:
            if self.failed or self._closing.is_set():
                return
            self.failed = _why_failed(self.port, error)
        self._on_failure(self, self.failed)


def _open(port: str, baud: int) -> Any:
    blocking = os.name == "nt" and not port.startswith("socket:")
    try:
        handle = serial.serial_for_url(port, do_not_open=True)
        handle.baudrate = baud
        handle.timeout = _READ_WAIT if blocking else 0
        handle.write_timeout = _WRITE_WAIT
        if os.name == "posix" and "://" not in port:
            handle.exclusive = True
        handle.open()
    except (*PORT_ERRORS, ValueError) as error:
        raise BoardError(_why(port, error)) from error
    if sys.platform == "linux" and "://" not in port:
        # Else FTDI chips keep bytes back for 16 ms. Pseudo-terminals refuse it.
        with contextlib.suppress(*PORT_ERRORS, ValueError):
            handle.set_low_latency_mode(True)
    with contextlib.suppress(*PORT_ERRORS):
        handle.reset_input_buffer()
    return handle


def _why_failed(port: str, error: BaseException) -> str:
    """One sentence on a port that worked until now; what pyserial and the system say is for programmers."""
    if isinstance(error, serial.SerialTimeoutException):
        return f"The port {port} takes no more bytes: check the board's cable and power."
    return f"The port {port} failed: is the board still plugged in?"


def _why(port: str, error: BaseException) -> str:
    """One sentence on a port that does not open."""
    number = _errno(error)
    if port.startswith("socket:"):
        if not re.fullmatch(r"socket://[^/:?]+:\d+(\?.*)?", port):
            return f"{port} is no address of a virtual board: write socket://HOST:PORT."
        return f"No virtual board listens on {port}: start it first."
    if number == errno.ENOENT:
        return f"There is no port {port}: plug the board in, or pick one that `kwscope board list` shows."
    if number in (errno.EACCES, errno.EPERM):
        return f"You may not use {port}: {_group_advice(port)}"
    if number in _IN_USE or "lock" in str(error).lower():
        return f"The port {port} is in use by another program: close that (a terminal, another KWScope) and try again."
    if number in (errno.ENOTTY, errno.EINVAL, errno.EISDIR, errno.ENODEV, errno.ENXIO, errno.EIO):
        return f"{port} is no usable serial port: pick one that `kwscope board list` shows."
    why = f" ({os.strerror(number)})" if number is not None else ""
    return f"The port {port} cannot be opened{why}: pick one that `kwscope board list` shows."


def _errno(error: BaseException | None) -> int | None:
    """The system's number of an error or of what caused it; pyserial and termios tell it in three ways."""
    while error is not None:
        number = getattr(error, "errno", None) or next(iter(error.args), None)
        if isinstance(number, int):
            return number
        error = error.__cause__ or error.__context__
    return None


def _group_advice(port: str) -> str:
    if os.name != "posix":
        return "close the program that holds it, or ask who administers this computer."
    import grp

    try:
        group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    if group == "root":
        return "ask who administers this computer for access to it."
    return f"join the group {group} (sudo usermod -aG {group} $USER), then log in again."

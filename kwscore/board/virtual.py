"""Virtual boards: a ``Device`` behind a pseudo-terminal, or behind a socket where there are none (Windows).

Unmodified pyserial talks to them. On a pseudo-terminal the board sees at which rate the host opened the port, and
reads noise when it is another than its own, as a real one would.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from kwscore.board.core import EngineCore
from kwscore.board.device import Device
from kwscore.board.errors import BoardError
from kwscore.stream.telemetry import Engine

_CHUNK = 4096
_IDLE = 0.02  # seconds; bounds how late an unconfirmed SET_BAUD is undone and how long stopping takes
_BITS_PER_BYTE = 10
_BAUD_TOLERANCE = 0.03  # beyond it a receiver misreads the last bits of a byte


class Wire(Protocol):
    """The board's end of a cable."""

    port: str

    def fileno(self) -> int: ...
    def read(self) -> bytes:
        """What has arrived; empty when nothing has, or nobody is connected."""

    def write(self, data: bytes) -> None: ...
    def baud(self) -> int | None:
        """The rate of the host's end; None where that is unknown."""

    def close(self) -> None: ...


class PtyWire:
    """A pseudo-terminal, known under a symbolic link that stays the same when it is made anew."""

    def __init__(self, link: Path) -> None:
        import pty
        import tty

        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        temporary = link.with_name(f"{link.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.ttyname(self._slave))
        temporary.replace(link)
        self._link = link
        self.port = str(link)
        # The slave stays open here too: otherwise the master fails whenever no host has the port open.

    def fileno(self) -> int:
        return self._master

    def read(self) -> bytes:
        try:
            return os.read(self._master, _CHUNK)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        # A full buffer means that nobody reads: a line has no memory, the rest is lost.
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def baud(self) -> int | None:
        import termios

        code = termios.tcgetattr(self._master)[5]
        return _baud_of_code().get(code, code)

    def close(self) -> None:
        self._link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)


def _baud_of_code() -> dict[int, int]:
    import termios

    return {getattr(termios, n): int(n[1:]) for n in dir(termios) if n[0] == "B" and n[1:].isdigit()}


class SocketWire:
    """One TCP connection at a time; pyserial opens it as ``socket://host:port``."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.setblocking(False)
        self._client: socket.socket | None = None
        self.number = self._server.getsockname()[1]
        self.port = f"socket://127.0.0.1:{self.number}"

    def fileno(self) -> int:
        return (self._client or self._server).fileno()

    def read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            if self._client is None:
                self._client, _ = self._server.accept()
                self._client.setblocking(False)
                self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                data = b""
                with contextlib.suppress(ConnectionError):
                    data = self._client.recv(_CHUNK)
                if data:
                    return data
                self._drop()
        return b""

    def write(self, data: bytes) -> None:
        if self._client is not None:
            try:
                self._client.sendall(data)
            except BlockingIOError:
                pass
            except OSError:
                self._drop()

    def baud(self) -> int | None:
        return None

    def close(self) -> None:
        self._drop()
        self._server.close()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class Line:
    """Bytes under way in one direction; with a rate they take as long as on a real line."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, bytes]] = deque()
        self._free = 0.0

    def put(self, data: bytes, now: float, baud: int | None) -> None:
        """Send; ``baud`` None arrives at once. Cut small, so that the first bytes need not wait for the last."""
        step = len(data) if baud is None else 32
        for start in range(0, len(data), step or 1):
            part = data[start : start + step]
            if baud is not None:
                self._free = max(self._free, now) + len(part) * _BITS_PER_BYTE / baud
            self._queue.append((self._free if baud is not None else now, part))

    def take(self, now: float) -> bytes:
        """What has arrived by now."""
        out = b""
        while self._queue and self._queue[0][0] <= now:
            out += self._queue.popleft()[1]
        return out

    def due(self) -> float | None:
        """When the next bytes arrive."""
        return self._queue[0][0] if self._queue else None

    def clear(self) -> None:
        """Forget what is under way."""
        self._queue.clear()


class VirtualBoard:
    """Serves a board on ``port`` until ``close``; a context manager.

    ``engine``: what computes; or a finished ``Device``. ``loaded``: whether the board starts with the engine's
    weights, as one whose bitstream contains them. ``link``: path of the pseudo-terminal's symbolic link (default: a
    new one in the temporary folder). ``paced``: bytes take as long as on a real line. ``kind``: ``pty`` or
    ``socket``; by default what the system has.

    Raises BoardError when the port cannot be made.
    """

    def __init__(
        self,
        engine: Engine | Device,
        *,
        loaded: bool = True,
        link: Path | None = None,
        paced: bool = False,
        kind: Literal["pty", "socket"] | None = None,
    ) -> None:
        if isinstance(engine, Device):
            self.device = engine
        else:
            core = EngineCore(engine)
            self.device = Device(core, core.model_id if loaded else 0)
        self._kind = kind or ("socket" if sys.platform == "win32" else "pty")
        self._folder = tempfile.TemporaryDirectory(prefix="kwscope-board-") if link is None else None
        self._link = link or Path(self._folder.name if self._folder else "") / "board"
        self._paced = paced
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._in, self._out = Line(), Line()
        self.to_board: Callable[[bytes], bytes] = bytes
        """What arrives of bytes that the host sent; replaced by tests that damage the line. So is ``to_host``."""
        self.to_host: Callable[[bytes], bytes] = bytes
        self._stalled = False
        self._turns = self._turns_seen = 0
        self._socket_number = 0
        self._wire: Wire | None = None
        self._wire = self._make_wire()
        self._thread = threading.Thread(target=self._serve, name="virtual-board", daemon=True)
        self._thread.start()

    @property
    def port(self) -> str:
        """What to give to pyserial."""
        return f"socket://127.0.0.1:{self._socket_number}" if self._kind == "socket" else str(self._link)

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; the port disappears."""
        self._stopping.set()
        self._thread.join(5.0)
        self.unplug()
        if self._folder is not None:
            self._folder.cleanup()

    def unplug(self) -> None:
        """Pull the cable: the host's reads and writes fail and the port is gone."""
        with self._lock:
            if self._wire is not None:
                self._wire.close()
            self._wire = None
            self._in.clear()
            self._out.clear()

    def plug(self) -> None:
        """Put the cable back, which also powers the board: it starts anew under the same port."""
        with self._lock:
            self.unplug()
            self.device.power_on()
            self._wire = self._make_wire()

    def press_reset(self) -> None:
        """Press the board's reset button."""
        with self._lock:
            self.device.power_on()
            self._in.clear()
            self._out.clear()

    def stall(self, stalled: bool = True) -> None:
        """Let the board hang (or go on): bytes are taken and nothing is answered."""
        with self._lock:
            self._stalled = stalled

    def held_up(self) -> bool:
        """Whether the thread that serves has not come round since the last call: it waits for a processor."""
        seen, self._turns_seen = self._turns_seen, self._turns
        return seen == self._turns_seen and self._thread.is_alive()

    def _make_wire(self) -> Wire:
        try:
            if self._kind == "pty":
                return PtyWire(self._link)
            wire = SocketWire(self._socket_number)
        except (ImportError, OSError) as error:
            raise BoardError(f"The virtual board cannot open {self._kind} {self.port}: {error}.") from error
        self._socket_number = wire.number
        return wire

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._turns += 1
            with self._lock:
                wire = self._wire
                due = [at for at in (self._in.due(), self._out.due()) if at is not None]
            timeout = min([_IDLE, *(max(0.0, at - time.monotonic()) for at in due)])
            if wire is None:
                self._stopping.wait(_IDLE)
                continue
            try:
                ready = select.select([wire], [], [], timeout)[0]
            except (OSError, ValueError):  # unplugged meanwhile
                continue
            with self._lock:
                if self._wire is wire:
                    self._turn(wire, bool(ready))

    def _turn(self, wire: Wire, ready: bool) -> None:
        """Move what has arrived one step on."""
        now = time.monotonic()
        host = wire.baud()
        baud = self.device.baud if self._paced else None
        if ready and (data := self.to_board(wire.read())):
            self._in.put(data, now, baud)
        self.device.tick(now)
        data = self._in.take(now)
        if data and not self._stalled:
            if host is None or abs(host / self.device.baud - 1) < _BAUD_TOLERANCE:
                # The ACK of SET_BAUD still leaves at the old rate: the host changes its own after reading it.
                self._out.put(self.to_host(self.device.receive(data, now)), now, baud)
            else:
                self.device.framing_errors(len(data), now)
        if data := self._out.take(now):
            wire.write(data)

"""Damage to the line, at places that do not depend on timing."""

from __future__ import annotations

from collections.abc import Callable

from kwscore.board.errors import ProtocolError
from kwscore.board.framing import decode


class FrameFault:
    """Applies ``damage`` to the ``nth`` (from 0) frame of message type ``kind``, everything else passes unchanged.

    Assigned to ``VirtualBoard.to_board`` or ``to_host``. ``count`` frames in a row are damaged.
    """

    def __init__(self, kind: int, nth: int, damage: Callable[[bytes], bytes], count: int = 1) -> None:
        self._kind, self._nth, self._damage, self._count = kind, nth, damage, count
        self._buffer = b""
        self._seen = 0
        self.hits = 0

    def __call__(self, data: bytes) -> bytes:
        *complete, self._buffer = (self._buffer + data).split(b"\0")
        return b"".join(self._pass(part) for part in complete)

    def _pass(self, part: bytes) -> bytes:
        wire = part + b"\0"
        try:
            if not part or decode(part).type != self._kind:
                return wire
        except ProtocolError:
            return wire
        number = self._seen
        self._seen += 1
        if not self._nth <= number < self._nth + self._count:
            return wire
        self.hits += 1
        return self._damage(wire)


def drop_frame(_: bytes) -> bytes:
    return b""


def drop_byte(wire: bytes) -> bytes:
    return wire[:20] + wire[21:]


def drop_delimiter(wire: bytes) -> bytes:
    return wire[:-1]


def double_byte(wire: bytes) -> bytes:
    return wire[:7] + wire[6:]


def corrupt_byte(wire: bytes) -> bytes:
    return wire[:9] + bytes([wire[9] ^ 0x10]) + wire[10:]


def early_delimiter(wire: bytes) -> bytes:
    return wire[:12] + b"\0" + wire[13:]


def double_frame(wire: bytes) -> bytes:
    return wire + wire

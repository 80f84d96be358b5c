"""Frames on the wire: ``COBS(version, type, seq, length, payload, crc16) 0x00``, little endian.

COBS removes every zero from a frame, so that a receiver in any state is in step again at the next zero byte.
The CRC is CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) over everything before it.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass

from cobs import cobs

from kwscore.board.errors import ProtocolError

VERSION = 1
"""Protocol version that this host speaks and that its boards implement."""
MAX_PAYLOAD = 1024
DELIMITER = b"\0"
_HEADER = struct.Struct("<BBHH")
_CRC = struct.Struct("<H")
OVERHEAD = _HEADER.size + _CRC.size
"""Bytes of header and CRC around a payload."""
_MAX_RAW = OVERHEAD + MAX_PAYLOAD
MAX_ENCODED = _MAX_RAW + (_MAX_RAW + 253) // 254
"""Longest COBS form of a frame, without its delimiter."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, its CRC proven. ``type`` is the message type, ``seq`` 0..65535."""

    type: int
    seq: int
    payload: bytes
    version: int = VERSION


def crc16(data: bytes, start: int = 0xFFFF) -> int:
    """CRC-16/CCITT-FALSE: 0x29B1 for ``b"123456789"``."""
    return binascii.crc_hqx(data, start)


def encode(frame: Frame) -> bytes:
    """The bytes on the wire, delimiter included. Raises ValueError for a payload over ``MAX_PAYLOAD``."""
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(frame.payload)}")
    raw = _HEADER.pack(frame.version, frame.type, frame.seq & 0xFFFF, len(frame.payload)) + frame.payload
    encoded: bytes = cobs.encode(raw + _CRC.pack(crc16(raw)))
    return encoded + DELIMITER


def decode(encoded: bytes) -> Frame:
    """The frame of the bytes between two delimiters. Raises ProtocolError when they are no intact frame."""
    try:
        raw: bytes = cobs.decode(encoded)
    except cobs.DecodeError as error:
        raise ProtocolError(f"no COBS frame: {error}") from None
    if len(raw) < OVERHEAD:
        raise ProtocolError(f"{len(raw)} bytes are no frame")
    body, (crc,) = raw[: -_CRC.size], _CRC.unpack(raw[-_CRC.size :])
    if crc16(body) != crc:
        raise ProtocolError("wrong CRC")
    version, kind, seq, length = _HEADER.unpack_from(body)
    payload = body[_HEADER.size :]
    if length != len(payload) or length > MAX_PAYLOAD:
        raise ProtocolError(f"the length says {length}, the payload has {len(payload)} bytes")
    return Frame(kind, seq, payload, version)


class FrameDecoder:
    """Turns received bytes, in any portions, into frames. Memory is bounded whatever arrives.

    ``errors`` counts stretches between delimiters that were no intact frame.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._overflow = False
        self.errors = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        frames: list[Frame] = []
        *complete, rest = bytes(data).split(DELIMITER)
        for part in complete:
            self._append(part)
            encoded, overflow = bytes(self._buffer), self._overflow
            self.clear()
            if overflow:
                self.errors += 1
            elif encoded:  # two delimiters in a row are no error: senders open with one to end old garbage
                try:
                    frames.append(decode(encoded))
                except ProtocolError:
                    self.errors += 1
        self._append(rest)
        return frames

    def clear(self) -> None:
        """Forget an unfinished frame."""
        self._buffer.clear()
        self._overflow = False

    def _append(self, part: bytes) -> None:
        if len(self._buffer) + len(part) > MAX_ENCODED:
            self._overflow = True
            self._buffer.clear()
        if not self._overflow:
            self._buffer += part

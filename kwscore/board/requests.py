"""What a host asks of a board."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from kwscore.board.codes import FULL_MASK, HELLO_MAGIC, MAX_DIVISOR, MIN_DIVISOR, WEIGHT_BLOCK, Level, Mask, Type
from kwscore.board.errors import ArgumentError, LengthError, ProtocolError
from kwscore.board.framing import VERSION
from kwscore.board.payload import unpack_fixed
from kwscore.constants import HOP, N_MELS


@dataclass(frozen=True, slots=True)
class Hello:
    """Who are you? ``oldest`` to ``newest`` are the versions the host speaks."""

    TYPE: ClassVar = Type.HELLO
    LAYOUT: ClassVar = struct.Struct("<4sBB")
    oldest: int = VERSION
    newest: int = VERSION
    magic: bytes = HELLO_MAGIC

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.magic, self.oldest, self.newest)

    @classmethod
    def unpack(cls, payload: bytes) -> Hello:
        magic, oldest, newest = unpack_fixed(cls, payload)
        if magic != HELLO_MAGIC:
            raise ProtocolError("HELLO without its magic")
        return cls(oldest, newest)


@dataclass(frozen=True, slots=True)
class Reset:
    """Start again; answered by ACK."""

    TYPE: ClassVar = Type.RESET
    LAYOUT: ClassVar = struct.Struct("<B")
    level: Level = Level.STREAM

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.level)

    @classmethod
    def unpack(cls, payload: bytes) -> Reset:
        (level,) = unpack_fixed(cls, payload)
        if level not in list(Level):
            raise ArgumentError("RESET", level)
        return cls(Level(level))


@dataclass(frozen=True, slots=True)
class LoadWeights:
    """1 to ``WEIGHT_BLOCK`` bytes of the image from ``offset``; answered by ACK [offset after it]."""

    TYPE: ClassVar = Type.LOAD_WEIGHTS
    offset: int
    data: bytes

    def pack(self) -> bytes:
        return struct.pack("<I", self.offset) + self.data

    @classmethod
    def unpack(cls, payload: bytes) -> LoadWeights:
        if not 4 < len(payload) <= 4 + WEIGHT_BLOCK:
            raise LengthError(cls.__name__, len(payload))
        return cls(struct.unpack_from("<I", payload)[0], payload[4:])


@dataclass(frozen=True, slots=True)
class Commit:
    """The image is complete: ``length`` bytes of CRC-32 ``crc32``, known as ``model_id`` from now on. ACK or ERROR."""

    TYPE: ClassVar = Type.COMMIT
    LAYOUT: ClassVar = struct.Struct("<III")
    length: int
    crc32: int
    model_id: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.length, self.crc32, self.model_id)

    @classmethod
    def unpack(cls, payload: bytes) -> Commit:
        return cls(*unpack_fixed(cls, payload))


@dataclass(frozen=True, slots=True)
class SetBaud:
    """ACK at the old rate, then ``clock_hz / divisor`` bit/s; HELLO must follow within ``BAUD_CONFIRM`` seconds."""

    TYPE: ClassVar = Type.SET_BAUD
    LAYOUT: ClassVar = struct.Struct("<H")
    divisor: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.divisor)

    @classmethod
    def unpack(cls, payload: bytes) -> SetBaud:
        (divisor,) = unpack_fixed(cls, payload)
        if not MIN_DIVISOR <= divisor <= MAX_DIVISOR:
            raise ArgumentError("SET_BAUD", divisor)
        return cls(divisor)


@dataclass(frozen=True, slots=True)
class SetMode:
    """Full RESULTs every ``stride`` hops (1..255), with the fields of ``mask``; answered by ACK."""

    TYPE: ClassVar = Type.SET_MODE
    LAYOUT: ClassVar = struct.Struct("<BxH")
    stride: int = 1
    mask: Mask = FULL_MASK

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.stride, int(self.mask))

    @classmethod
    def unpack(cls, payload: bytes) -> SetMode:
        stride, mask = unpack_fixed(cls, payload)
        if not stride:
            raise ArgumentError("SET_MODE", stride)
        return cls(stride, Mask(mask))


@dataclass(frozen=True, slots=True)
class PcmFrame:
    """One hop: ``index`` of its first sample since RESET (modulo 2**32), 160 samples. RESULT is the answer."""

    TYPE: ClassVar = Type.PCM_FRAME
    index: int
    samples: bytes  # 160 little-endian s16

    def pack(self) -> bytes:
        return struct.pack("<I", self.index) + self.samples

    @classmethod
    def unpack(cls, payload: bytes) -> PcmFrame:
        if len(payload) != 4 + 2 * HOP:
            raise LengthError(cls.__name__, len(payload))
        return cls(struct.unpack_from("<I", payload)[0], payload[4:])


@dataclass(frozen=True, slots=True)
class FeatFrame:
    """Features past the front end, to test the network alone: 40 normalised features s16 and 40 SNR u0.15, in the
    core's own formats (``normed`` and ``snr`` of docs/fixed_point.md); ``index`` comes back in the RESULT."""

    TYPE: ClassVar = Type.FEAT_FRAME
    index: int
    features: bytes

    def pack(self) -> bytes:
        return struct.pack("<I", self.index) + self.features

    @classmethod
    def unpack(cls, payload: bytes) -> FeatFrame:
        if len(payload) != 4 + 4 * N_MELS:
            raise LengthError(cls.__name__, len(payload))
        return cls(struct.unpack_from("<I", payload)[0], payload[4:])


@dataclass(frozen=True, slots=True)
class GetStats:
    """Asks for STATS."""

    TYPE: ClassVar = Type.GET_STATS

    def pack(self) -> bytes:
        return b""

    @classmethod
    def unpack(cls, payload: bytes) -> GetStats:
        if payload:
            raise LengthError(cls.__name__, len(payload))
        return cls()

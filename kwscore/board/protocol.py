"""Messages between host and board (protocol version 1).

Everything is little endian. A reply's header repeats the sequence number of its request; RESULT counts by itself.
HELLO, INFO and ERROR keep their first fields in every version, so that two versions can always tell each other apart.
``rtl/link/nm_link.v`` is the other implementation; both are tested against each other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kwscore.board.errors import ArgumentError, LengthError, ProtocolError
from kwscore.board.framing import MAX_PAYLOAD, OVERHEAD, VERSION, Frame, encode
from kwscore.constants import HOP, N_MELS

HELLO_MAGIC = b"KWS?"
INFO_MAGIC = b"KWS!"
DEFAULT_BAUD = 1_000_000
"""Rate of a board after power-on and after trouble on the line."""
PROBE_BAUDS = (DEFAULT_BAUD, 2_000_000, 921_600, 115_200)
"""Rates at which a board is looked for, in this order."""
STREAM_BAUDS = (2_000_000, DEFAULT_BAUD, 921_600)
"""Rates that carry audio with room to spare."""
WEIGHT_BLOCK = 512
"""Most bytes of weights in one LOAD_WEIGHTS."""
MAX_FILL = 3
"""Hops that a board fills with zeros when frames were lost; more is an error."""
BAUD_CONFIRM = 0.5
"""Seconds within which a HELLO has to follow SET_BAUD, or both sides return to ``DEFAULT_BAUD``."""
MAX_FRAMING_ERRORS = 8
"""Framing errors in a row after which a board returns to ``DEFAULT_BAUD``."""
MIN_DIVISOR, MAX_DIVISOR = 4, 4095
PCM_WIRE_BYTES = 334
"""Bytes of a PCM frame on the wire without delimiter; the unit of flow control."""


class Type(IntEnum):
    """Message types. 0x80 is set on what a board sends."""

    HELLO = 0x01
    RESET = 0x02
    LOAD_WEIGHTS = 0x03
    COMMIT = 0x04
    SET_BAUD = 0x05
    SET_MODE = 0x06
    PCM_FRAME = 0x10
    FEAT_FRAME = 0x11
    GET_STATS = 0x12
    INFO = 0x81
    ACK = 0x8E
    ERROR = 0x8F
    RESULT = 0x90
    STATS = 0x92


class Level(IntEnum):
    """How much RESET resets; each level includes the ones before."""

    STREAM = 0  # the network's state; counters of hops and results
    WEIGHTS = 1  # and the model: it has to be loaded again
    LINK = 2  # and the link: statistics, mode, DEFAULT_BAUD


class Code(IntEnum):
    """Why a board refuses. ``detail`` of the message in brackets."""

    BAD_LENGTH = 1  # payload length does not fit the type [length]
    UNKNOWN_TYPE = 2  # [type]
    BAD_VERSION = 3  # [the board's version]
    BAD_ARGUMENT = 4  # a field is out of range [its value]
    BAD_CRC = 5  # COMMIT: the weights received are not the ones meant [their CRC-32]
    NO_WEIGHTS = 6  # PCM or features before COMMIT [0]
    GAP = 7  # more hops lost than are filled; RESET(STREAM) goes on [index expected]
    UNSUPPORTED = 8  # this build has no such function [type]
    WRONG_MODEL = 9  # COMMIT: an image of another network [model id]


class Mode(IntFlag):
    """State bits in INFO."""

    LOADED = 1  # weights are committed
    HALTED = 2  # after ERROR(GAP): waits for RESET
    FEATURES = 4  # FEAT_FRAME is supported


class Mask(IntFlag):
    """Fields of a full RESULT, in this order behind its first ten bytes."""

    COUNTERS = 1  # u16 CRC errors, u16 gaps (low halves)
    LOGITS = 2  # s16[classes], Q6.9
    ROUTING = 4  # u16[experts], Q1.15
    DELTA_MEAN = 8  # u16[blocks], Q5.11: mean over channels
    SNR = 16  # u16[mels], Q1.15
    MEL = 32  # s16[mels], Q5.10: log2 of the linear mel magnitude; -32768 is zero magnitude
    DELTA = 64  # u16[blocks x channels], Q5.11


FULL_MASK = Mask.COUNTERS | Mask.LOGITS | Mask.ROUTING | Mask.SNR | Mask.MEL | Mask.DELTA
"""Everything that ``Telemetry`` shows, without what follows from it."""


class Flag(IntFlag):
    """State of one RESULT."""

    FULL = 1  # the fields of the mask follow
    WARMUP = 2  # the first frame is not complete yet
    FILLED = 4  # this hop was lost and taken as zeros
    FEATURES = 8  # the answer to a FEAT_FRAME


@dataclass(frozen=True, slots=True)
class Sizes:
    """Lengths of the fields of a RESULT; a board names them in INFO."""

    classes: int = 12
    experts: int = 2
    blocks: int = 2
    channels: int = 24
    n_mels: int = N_MELS

    def length(self, part: Mask) -> int:
        """Number of 16-bit words of one field."""
        return {
            Mask.COUNTERS: 2,
            Mask.LOGITS: self.classes,
            Mask.ROUTING: self.experts,
            Mask.DELTA_MEAN: self.blocks,
            Mask.SNR: self.n_mels,
            Mask.MEL: self.n_mels,
            Mask.DELTA: self.blocks * self.channels,
        }[part]


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
        magic, oldest, newest = _fixed(cls, payload)
        if magic != HELLO_MAGIC:
            raise ProtocolError("HELLO without its magic")
        return cls(oldest, newest)


@dataclass(frozen=True, slots=True)
class Info:
    """What a board is. ``build`` 8 bytes of the source's hash; ``model_id`` 0 when no weights are loaded;
    ``clock_hz`` of the cycle counts; ``rx_fifo`` and ``weight_bytes`` capacities; ``mask`` the fields it can send;
    ``tag`` four letters: ARTY, BAS3, CMOD, SIM, RTL."""

    TYPE: ClassVar = Type.INFO
    LAYOUT: ClassVar = struct.Struct("<4sBB8sIIHHHHHBBBBBB4s")
    protocol: int = VERSION
    mode: Mode = field(default_factory=lambda: Mode(0))
    build: bytes = bytes(8)
    model_id: int = 0
    clock_hz: int = 50_000_000
    hop: int = HOP
    max_payload: int = MAX_PAYLOAD
    rx_fifo: int = 2048
    weight_bytes: int = 16384
    mask: Mask = FULL_MASK | Mask.DELTA_MEAN
    sizes: Sizes = field(default_factory=Sizes)
    max_fill: int = MAX_FILL
    tag: str = "SIM"

    @property
    def credit(self) -> int:
        """PCM frames that may be on their way unanswered."""
        return self.rx_fifo // PCM_WIRE_BYTES

    def pack(self) -> bytes:
        s = self.sizes
        head = (INFO_MAGIC, self.protocol, int(self.mode), self.build, self.model_id, self.clock_hz, self.hop)
        room = (self.max_payload, self.rx_fifo, self.weight_bytes, int(self.mask))
        sizes = (s.n_mels, s.classes, s.experts, s.blocks, s.channels, self.max_fill)
        return self.LAYOUT.pack(*head, *room, *sizes, self.tag.encode("ascii").ljust(4))

    @classmethod
    def unpack(cls, payload: bytes) -> Info:
        fields = _fixed(cls, payload)
        magic, protocol, mode, build, model_id, clock, hop, most, fifo, weights, mask = fields[:11]
        n_mels, classes, experts, blocks, channels, fill, tag = fields[11:]
        if magic != INFO_MAGIC:
            raise ProtocolError("INFO without its magic")
        if not tag.isascii() or not clock or not hop:
            raise ProtocolError("INFO with impossible fields")
        sizes = Sizes(classes, experts, blocks, channels, n_mels)
        name = tag.decode("ascii").rstrip()
        return cls(
            protocol, Mode(mode), build, model_id, clock, hop, most, fifo, weights, Mask(mask), sizes, fill, name
        )


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
        (level,) = _fixed(cls, payload)
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
        return cls(*_fixed(cls, payload))


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
        (divisor,) = _fixed(cls, payload)
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
        stride, mask = _fixed(cls, payload)
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
    """Features past the front end, to test the network alone: 40 mel s16 and 40 SNR s16, in the core's own formats."""

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


@dataclass(frozen=True, slots=True)
class Stats:
    """A board's counters since RESET(LINK), each modulo 2**32."""

    TYPE: ClassVar = Type.STATS
    LAYOUT: ClassVar = struct.Struct("<7I")
    frames: int = 0  # intact frames received
    crc_errors: int = 0  # stretches between delimiters that were no intact frame
    framing_errors: int = 0  # bytes without stop bit
    overruns: int = 0  # PCM frames that found the FIFO full
    gaps: int = 0  # PCM frames whose index was not the expected one
    dropped: int = 0  # results that could not be sent
    max_cycles: int = 0  # most cycles spent on one hop

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            self.frames,
            self.crc_errors,
            self.framing_errors,
            self.overruns,
            self.gaps,
            self.dropped,
            self.max_cycles,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Stats:
        return cls(*_fixed(cls, payload))


@dataclass(frozen=True, slots=True)
class Result:
    """What a board computed for the hop that starts at sample ``index``, in ``cycles`` of its clock.

    ``body`` holds the fields of the mask as sent; empty without ``Flag.FULL``.
    """

    TYPE: ClassVar = Type.RESULT
    LAYOUT: ClassVar = struct.Struct("<IIH")
    index: int
    cycles: int
    flags: Flag
    body: bytes = b""

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.index, self.cycles, int(self.flags)) + self.body

    @classmethod
    def unpack(cls, payload: bytes) -> Result:
        if len(payload) < cls.LAYOUT.size:
            raise LengthError(cls.__name__, len(payload))
        index, cycles, flags = cls.LAYOUT.unpack_from(payload)
        body = payload[cls.LAYOUT.size :]
        if bool(body) and not flags & Flag.FULL:
            raise ProtocolError("a brief RESULT with fields")
        return cls(index, cycles, Flag(flags), body)

    def fields(self, mask: Mask, sizes: Sizes) -> dict[Mask, NDArray[np.int16 | np.uint16]]:
        """The fields of a full result as 16-bit arrays. Raises ProtocolError when the body is not of that mask."""
        parts: dict[Mask, NDArray[np.int16 | np.uint16]] = {}
        position = 0
        for part in mask:
            end = position + 2 * sizes.length(part)
            dtype = "<i2" if part in (Mask.LOGITS, Mask.MEL) else "<u2"
            if end > len(self.body):
                raise ProtocolError("a RESULT shorter than its mask")
            parts[part] = np.frombuffer(self.body[position:end], dtype)
            position = end
        if position != len(self.body):
            raise ProtocolError("a RESULT longer than its mask")
        return parts


@dataclass(frozen=True, slots=True)
class _Reply:
    LAYOUT: ClassVar = struct.Struct("<HHI")
    seq: int
    code: int
    detail: int = 0

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.seq, self.code, self.detail)


@dataclass(frozen=True, slots=True)
class Ack(_Reply):
    """Request ``seq`` of type ``code`` was carried out."""

    TYPE: ClassVar = Type.ACK

    @classmethod
    def unpack(cls, payload: bytes) -> Ack:
        return cls(*_fixed(cls, payload))


@dataclass(frozen=True, slots=True)
class Error(_Reply):
    """Request ``seq`` was refused; ``code`` is a ``Code``."""

    TYPE: ClassVar = Type.ERROR

    @classmethod
    def unpack(cls, payload: bytes) -> Error:
        return cls(*_fixed(cls, payload))


Request = Hello | Reset | LoadWeights | Commit | SetBaud | SetMode | PcmFrame | FeatFrame | GetStats
Answer = Info | Ack | Error | Result | Stats
Message = Request | Answer
REQUESTS: dict[int, type[Request]] = {
    c.TYPE: c for c in (Hello, Reset, LoadWeights, Commit, SetBaud, SetMode, PcmFrame, FeatFrame, GetStats)
}
ANSWERS: dict[int, type[Answer]] = {c.TYPE: c for c in (Info, Ack, Error, Result, Stats)}
_ANY_VERSION = (Type.HELLO, Type.INFO, Type.ERROR)


def to_wire(message: Message, seq: int) -> bytes:
    """The bytes of a message on the wire, delimiter included."""
    return encode(Frame(message.TYPE, seq, message.pack()))


def parse_answer(frame: Frame) -> Answer:
    """The message of a frame that a board sent. Raises ProtocolError for anything else.

    The INFO of another version comes back with that version and nothing else that could be relied upon.
    """
    if frame.version != VERSION:
        if frame.type == Type.INFO and frame.payload[:4] == INFO_MAGIC and len(frame.payload) > 4:
            return Info(protocol=frame.payload[4], mode=Mode(0))
        if frame.type != Type.ERROR:
            raise ProtocolError(f"version {frame.version} is not {VERSION}")
    if frame.type not in ANSWERS:
        raise ProtocolError(f"no board sends type {frame.type:#04x}")
    return ANSWERS[frame.type].unpack(frame.payload)


def wire_size(payload: int) -> int:
    """Most bytes that a payload of this length takes on the wire, delimiter included."""
    raw = payload + OVERHEAD
    return raw + (raw + 253) // 254 + 1


def _fixed(cls: type, payload: bytes) -> tuple:
    layout: struct.Struct = cls.LAYOUT  # type: ignore[attr-defined]
    if len(payload) != layout.size:
        raise LengthError(cls.__name__, len(payload))
    return layout.unpack(payload)

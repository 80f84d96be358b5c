"""What a board answers."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kwscore.board.codes import FULL_MASK, INFO_MAGIC, MAX_FILL, PCM_WIRE_BYTES, Flag, Mask, Mode, Type
from kwscore.board.errors import LengthError, ProtocolError
from kwscore.board.framing import MAX_PAYLOAD, VERSION
from kwscore.board.payload import unpack_fixed
from kwscore.constants import HOP, N_MELS


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

    @property
    def counts_cycles(self) -> bool:
        """Whether the board counts the cycles of its clock; a program that stands for a board cannot."""
        return not self.mode & Mode.UNTIMED

    def pack(self) -> bytes:
        s = self.sizes
        head = (INFO_MAGIC, self.protocol, int(self.mode), self.build, self.model_id, self.clock_hz, self.hop)
        room = (self.max_payload, self.rx_fifo, self.weight_bytes, int(self.mask))
        sizes = (s.n_mels, s.classes, s.experts, s.blocks, s.channels, self.max_fill)
        return self.LAYOUT.pack(*head, *room, *sizes, self.tag.encode("ascii").ljust(4))

    @classmethod
    def unpack(cls, payload: bytes) -> Info:
        fields = unpack_fixed(cls, payload)
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
    max_cycles: int = 0  # most cycles spent on one hop; 0 of a board that counts none (``Info.counts_cycles``)

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

    def as_dict(self, info: Info) -> dict[str, int | None]:
        """The counters by name; ``max_cycles`` is None where the board, ``info``, counts none."""
        known: dict[str, int | None] = {name: getattr(self, name) for name in self.__slots__}
        return known if info.counts_cycles else {**known, "max_cycles": None}

    @classmethod
    def unpack(cls, payload: bytes) -> Stats:
        return cls(*unpack_fixed(cls, payload))


@dataclass(frozen=True, slots=True)
class Result:
    """What a board computed for the hop that starts at sample ``index``, in ``cycles`` of its clock (0 of a board that
    counts none).

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
        return cls(*unpack_fixed(cls, payload))


@dataclass(frozen=True, slots=True)
class Error(_Reply):
    """Request ``seq`` was refused; ``code`` is a ``Code``."""

    TYPE: ClassVar = Type.ERROR

    @classmethod
    def unpack(cls, payload: bytes) -> Error:
        return cls(*unpack_fixed(cls, payload))

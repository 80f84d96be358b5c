"""Messages between host and board (protocol version 1).

Everything is little endian. A reply's header repeats the sequence number of its request; RESULT counts by itself.
HELLO, INFO and ERROR keep their first fields in every version, so that two versions can always tell each other apart.
``rtl/link/nm_link.v`` is the other implementation; both are tested against each other.

Names and numbers are in ``codes``, the messages in ``requests`` and ``answers``; all of them are offered here.
"""

from __future__ import annotations

from kwscore.board.answers import (
    Ack,
    Error,
    Info,
    Result,
    Sizes,
    Stats,
)
from kwscore.board.codes import (
    BAUD_CONFIRM,
    DEFAULT_BAUD,
    FULL_MASK,
    HELLO_MAGIC,
    INFO_MAGIC,
    MAX_DIVISOR,
    MAX_FILL,
    MAX_FRAMING_ERRORS,
    MIN_DIVISOR,
    PCM_WIRE_BYTES,
    PROBE_BAUDS,
    STREAM_BAUDS,
    WEIGHT_BLOCK,
    Code,
    Flag,
    Level,
    Mask,
    Mode,
    Type,
)
from kwscore.board.errors import ProtocolError
from kwscore.board.framing import OVERHEAD, VERSION, Frame, encode
from kwscore.board.requests import (
    Commit,
    FeatFrame,
    GetStats,
    Hello,
    LoadWeights,
    PcmFrame,
    Reset,
    SetBaud,
    SetMode,
)

__all__ = [
    "ANSWERS",
    "BAUD_CONFIRM",
    "DEFAULT_BAUD",
    "FULL_MASK",
    "HELLO_MAGIC",
    "INFO_MAGIC",
    "MAX_DIVISOR",
    "MAX_FILL",
    "MAX_FRAMING_ERRORS",
    "MIN_DIVISOR",
    "PCM_WIRE_BYTES",
    "PROBE_BAUDS",
    "REQUESTS",
    "STREAM_BAUDS",
    "WEIGHT_BLOCK",
    "Ack",
    "Answer",
    "Code",
    "Commit",
    "Error",
    "FeatFrame",
    "Flag",
    "GetStats",
    "Hello",
    "Info",
    "Level",
    "LoadWeights",
    "Mask",
    "Message",
    "Mode",
    "PcmFrame",
    "Request",
    "Reset",
    "Result",
    "SetBaud",
    "SetMode",
    "Sizes",
    "Stats",
    "Type",
    "parse_answer",
    "to_wire",
    "wire_size",
]

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

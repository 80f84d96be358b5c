"""Numbers and names of the protocol: types, codes, flags, rates."""

from __future__ import annotations

from enum import IntEnum, IntFlag

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
    UNTIMED = 8  # there is no cycle counter: the cycles in RESULT and STATS are 0 and mean nothing


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

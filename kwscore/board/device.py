"""A board's side of the protocol, byte for byte what ``rtl/link/nm_link.v`` does.

``Device`` knows no port, no thread and no clock: bytes and the time come in, bytes go out. Virtual boards put it
behind a pseudo-terminal; the tests of the RTL compare it with the hardware description.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.board.errors import ArgumentError, LengthError, ProtocolError
from kwscore.board.framing import VERSION, Frame, FrameDecoder, encode
from kwscore.board.protocol import (
    BAUD_CONFIRM,
    DEFAULT_BAUD,
    MAX_FILL,
    MAX_FRAMING_ERRORS,
    REQUESTS,
    Ack,
    Answer,
    Code,
    Commit,
    Error,
    FeatFrame,
    Flag,
    GetStats,
    Hello,
    Info,
    Level,
    LoadWeights,
    Mask,
    Mode,
    PcmFrame,
    Request,
    Reset,
    Result,
    SetBaud,
    SetMode,
    Stats,
)
from kwscore.constants import HOP

_INDEX = 1 << 32
_STAT = 1 << 32
_Refuse = Callable[[Code, int], bytes]


class Core(Protocol):
    """What computes behind the link."""

    info: Info
    """Sizes, clock and tag of the board; of ``mode`` what it can do. The rest and ``model_id`` are the link's."""

    def load(self, image: bytes, model_id: int) -> bool:
        """Take the weights; False when they are of another network."""

    def reset(self) -> None:
        """Return to the state before the first sample."""

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        """Compute one hop: cycles spent (0 where ``info.mode`` has UNTIMED), and the fields of the mask, or None while
        no frame is complete."""

    def features(self, features: bytes, mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes] | None:
        """The same for features past the front end; None when this core cannot."""


class Device:
    """The link of a board around a ``Core``. ``model_id`` other than 0: the core starts with these weights loaded."""

    def __init__(self, core: Core, model_id: int = 0) -> None:
        self._core = core
        self._preloaded = model_id
        self.baud = DEFAULT_BAUD
        self.version = VERSION
        self.power_on()

    def power_on(self) -> None:
        """What the reset button does: everything as after configuration, weights included."""
        self._model_id = self._preloaded
        self._reset_link()
        self._reset_stream()

    def _reset_link(self) -> None:
        self._decoder = FrameDecoder()
        self._weights = bytearray(self._core.info.weight_bytes)
        self._mode = SetMode()
        self._stats = Stats()
        self._crc_base = 0
        self._errors_in_a_row = 0
        self._confirm_until: float | None = None
        self.baud = DEFAULT_BAUD

    def _reset_stream(self) -> None:
        self._core.reset()
        self._expected = 0
        self._halted = False
        self._brief = 0  # brief results still to come before the next full one
        self._result_seq = 0

    @property
    def info(self) -> Info:
        """What INFO says now."""
        mode = Mode(0)
        if self._model_id:
            mode |= Mode.LOADED
        if self._halted:
            mode |= Mode.HALTED
        mode |= self._core.info.mode & (Mode.FEATURES | Mode.UNTIMED)
        return replace(self._core.info, protocol=self.version, mode=mode, model_id=self._model_id)

    @property
    def stats(self) -> Stats:
        """What STATS says now."""
        return replace(self._stats, crc_errors=self._decoder.errors)

    def receive(self, data: bytes, now: float) -> bytes:
        """The bytes that a board answers to these. ``now`` in seconds, any origin."""
        self.tick(now)
        if data:
            self._errors_in_a_row = 0
        out = b""
        for frame in self._decoder.feed(data):
            self._count(frames=1)
            out += self._frame(frame, now)
        return out

    def framing_errors(self, count: int, now: float) -> None:
        """``count`` bytes arrived without a stop bit, as they do when the other side runs at another rate."""
        self.tick(now)
        self._count(framing_errors=count)
        self._errors_in_a_row += count
        if self._errors_in_a_row >= MAX_FRAMING_ERRORS:
            self._default_baud()

    def tick(self, now: float) -> None:
        """Let time pass: an unconfirmed SET_BAUD is undone."""
        if self._confirm_until is not None and now >= self._confirm_until:
            self._default_baud()

    def _default_baud(self) -> None:
        self.baud = DEFAULT_BAUD
        self._confirm_until = None
        self._errors_in_a_row = 0
        self._decoder.clear()

    def _count(self, **by: int) -> None:
        self._stats = replace(self._stats, **{name: (getattr(self._stats, name) + n) % _STAT for name, n in by.items()})

    def _counters(self) -> tuple[int, int]:
        return self._decoder.errors & 0xFFFF, self._stats.gaps & 0xFFFF

    def _frame(self, frame: Frame, now: float) -> bytes:
        def error(code: Code, detail: int) -> bytes:
            return self._wire(Error(frame.seq, code, detail % _INDEX), frame.seq)

        if frame.version != self.version and frame.type != Hello.TYPE:
            return error(Code.BAD_VERSION, self.version)
        kind = REQUESTS.get(frame.type)
        if kind is None:
            return error(Code.UNKNOWN_TYPE, frame.type)
        try:
            message = kind.unpack(frame.payload)
        except LengthError as problem:
            return error(Code.BAD_LENGTH, problem.detail)
        except ArgumentError as problem:
            return error(Code.BAD_ARGUMENT, problem.detail)
        except ProtocolError:  # HELLO without its magic: somebody else's protocol, which is met with silence
            return b""
        match message:
            case PcmFrame():
                return self._pcm(message, error)
            case FeatFrame():
                return self._features(message, error)
            case _:
                return self._command(message, frame.seq, error, now)

    def _command(self, message: Request, seq: int, error: _Refuse, now: float) -> bytes:
        detail = 0
        match message:
            case Hello():
                self._confirm_until = None
                return self._wire(self.info, seq)
            case GetStats():
                return self._wire(self.stats, seq)
            case Reset(level):
                if level >= Level.WEIGHTS:
                    self._model_id = 0
                self._reset_stream()
                answer = self._wire(Ack(seq, message.TYPE, level), seq)
                if level >= Level.LINK:
                    self._reset_link()
                return answer
            case LoadWeights(offset, data):
                detail = offset + len(data)
                if detail > len(self._weights):
                    return error(Code.BAD_ARGUMENT, offset)
                self._model_id = 0  # half an image is none
                self._weights[offset:detail] = data
            case Commit(length, crc, model_id):
                if not 0 < length <= len(self._weights):
                    return error(Code.BAD_ARGUMENT, length)
                image = bytes(self._weights[:length])
                if binascii.crc32(image) != crc:
                    return error(Code.BAD_CRC, binascii.crc32(image))
                if not model_id or not self._core.load(image, model_id):
                    return error(Code.WRONG_MODEL, model_id)
                self._model_id = detail = model_id
                self._reset_stream()
            case SetMode(_, mask):
                if int(mask) & ~int(self._core.info.mask):
                    return error(Code.BAD_ARGUMENT, int(mask))
                self._mode = message
                self._brief = 0
                detail = message.stride
            case SetBaud(divisor):
                answer = self._wire(Ack(seq, message.TYPE, divisor), seq)
                self.baud = round(self._core.info.clock_hz / divisor)
                self._confirm_until = now + BAUD_CONFIRM
                return answer
        return self._wire(Ack(seq, message.TYPE, detail), seq)

    def _pcm(self, message: PcmFrame, error: _Refuse) -> bytes:
        if not self._model_id:
            return error(Code.NO_WEIGHTS, 0)
        if self._halted:
            return b""
        missing, rest = divmod((message.index - self._expected) % _INDEX, HOP)
        if missing or rest:
            self._count(gaps=1)
        if rest or missing > MAX_FILL:
            expected = self._expected
            self._reset_stream()
            self._halted = True
            return error(Code.GAP, expected)
        out = b"".join(self._hop(np.zeros(HOP, np.int16), Flag.FILLED) for _ in range(missing))
        # A copy: engines are compiled for samples that may be written to.
        return out + self._hop(np.frombuffer(message.samples, "<i2").astype(np.int16), Flag(0))

    def _hop(self, samples: NDArray[np.int16], flags: Flag) -> bytes:
        index = self._expected
        self._expected = (index + HOP) % _INDEX
        cycles, body = self._core.hop(samples, self._mode.mask, self._counters())
        if body is None:
            flags |= Flag.WARMUP
        return self._result(index, cycles, flags, body)

    def _features(self, message: FeatFrame, error: _Refuse) -> bytes:
        if not self._model_id:
            return error(Code.NO_WEIGHTS, 0)
        answer = self._core.features(message.features, self._mode.mask, self._counters())
        if answer is None:
            return error(Code.UNSUPPORTED, message.TYPE)
        return self._result(message.index, answer[0], Flag.FEATURES, answer[1])

    def _result(self, index: int, cycles: int, flags: Flag, body: bytes | None) -> bytes:
        self._stats = replace(self._stats, max_cycles=max(self._stats.max_cycles, cycles))
        if flags & Flag.FEATURES:
            flags |= Flag.FULL
        elif body is not None:
            if not self._brief:
                flags |= Flag.FULL
                self._brief = self._mode.stride
            self._brief -= 1
        seq = self._result_seq
        self._result_seq = (seq + 1) & 0xFFFF
        return self._wire(Result(index, cycles, flags, body if body and flags & Flag.FULL else b""), seq)

    def _wire(self, answer: Answer, seq: int) -> bytes:
        return encode(Frame(answer.TYPE, seq, answer.pack(), self.version))

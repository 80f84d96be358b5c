"""The machine in numpy: runs a program word for word, every register at its width, and counts cycles.

It is the link between the integer engine (same tensors) and the RTL (same writes in the same order).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.fixed.image import Image
from kwscore.fixed.tables import rom
from rtl.tools import isa
from rtl.tools.isa import Instruction
from rtl.tools.program import Builder

I8 = NDArray[np.int64]
WORD = 36
WIDE = 42
DEPTH = 12
"""Cycles from an instruction's last element to the next instruction's first."""
SKIP = 2
"""Cycles of an instruction whose condition is false."""


def check(x: I8, bits: int, what: str) -> I8:
    """x, which must fit into a signed number of ``bits`` bits."""
    if x.size and (int(x.min()) < -(1 << bits - 1) or int(x.max()) >= 1 << bits - 1):
        raise OverflowError(f"{what} needs more than {bits} bits")
    return x


def bit_length(x: I8) -> I8:
    """Bits of each x >= 0."""
    return np.array([int(v).bit_length() for v in x.ravel()], np.int64).reshape(x.shape)


def interpolate(which: int, u: I8) -> I8:
    """The table unit."""
    table = rom().func[which]
    return table[u >> 8, 0] + ((table[u >> 8, 1] * (u & 255) + 128) >> 8)


def function(code: int, x: I8, first: NDArray[np.bool_]) -> I8:
    """nm_func."""
    if code == isa.ID:
        return x
    if code == isa.ZERO:
        return np.zeros_like(x)
    if code == isa.SPLIT:
        return np.where(first, np.maximum(x, 0), np.minimum(x, 0))
    if code in (isa.BITS, isa.NORM):
        n = bit_length(x & ((1 << 40) - 1))
        return n if code == isa.BITS else np.maximum(n - 16, 0)
    if code == isa.LOG2:
        x = x & ((1 << 40) - 1)
        b = np.maximum(bit_length(x) - 1, 0)
        mantissa = np.where(b >= 16, x >> np.maximum(b - 16, 0), x << np.maximum(16 - b, 0)) & 65535
        return np.where(x == 0, -32 << 16, (b << 16) + interpolate(0, mantissa))
    if code in (isa.MANT, isa.EXP):
        y = 65536 + interpolate(1, x & 65535)
        return y if code == isa.MANT else y << 16
    magnitude = np.minimum(np.abs(x), 65535)
    if code == isa.SIGMA:
        y = interpolate(2, magnitude)
        return np.where(x < 0, 65536 - y, y)
    return interpolate(3, magnitude) + np.where(x > 0, x << 4, 0)


def saturate(x: I8, code: int) -> I8:
    """One of isa.SAT."""
    kind = isa.SAT[code]
    if kind == "none":
        return x
    bits = int(kind[1:])
    return np.clip(x, *((-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)))


@dataclass
class Write:
    """What one instruction left: its label, result, and where it went (None: nowhere)."""

    pc: int
    label: str
    values: I8
    addresses: I8 | None


class Machine:
    """One core with its memories."""

    def __init__(self, builder: Builder, image: Image) -> None:
        self.builder = builder
        self.code: list[Instruction] = builder.code
        self.data = np.zeros(isa.DATA_WORDS, np.int64)
        self.image = image_memory(builder, image)
        self.mel = mel_words()
        self.shift = self.pointer = 0
        self.flag = False
        self.r = np.zeros(1, np.int64)
        self.write_pointer = 0
        self.cycles = 1
        self.run("INIT")

    def push(self, samples: NDArray[np.int16]) -> None:
        """Samples into the circular buffer."""
        base = self.builder.m["pcm"]
        for sample in samples:
            self.data[base + self.write_pointer] = int(sample)
            self.write_pointer = (self.write_pointer + 1) % 512

    def run(self, entry: str) -> list[Write]:
        """Run from an entry to its end; all results in order."""
        pc, writes = self.builder.entries[entry], []
        self.cycles = 1
        while True:
            op = self.code[pc]
            if op.cond == isa.ALWAYS or (op.cond == isa.IF_NEGATIVE) == self.flag:
                writes.append(self._step(pc, op))
            else:
                self.cycles += SKIP
            if op.stop:
                return writes
            pc += 1

    def _grid(self, op: Instruction, base: int, si: int, so: int) -> I8:
        o = np.arange(op.outer)[:, None]
        i = np.arange(op.inner)[None, :]
        return base + o * ((op.inner - 1) * si + so) + i * si

    def _words(self, address: I8) -> I8:
        return self.image.view("<i4")[address >> 2].astype(np.int64)

    def _step(self, pc: int, op: Instruction) -> Write:
        self.cycles += op.inner * op.outer + DEPTH
        ptr = self.pointer
        ga = self._grid(op, op.a_base + op.ptr_a * ptr, op.a_si, op.a_so) % isa.DATA_WORDS
        gb = self._grid(op, op.b_base + op.ptr_b * ptr, op.b_si, op.b_so)
        first = np.broadcast_to(np.arange(op.inner)[None, :] == 0, ga.shape)
        ends = None
        if op.a_mode in (isa.UPPER, isa.LOWER):
            ga = wing(ga, op.aux & 15, op.a_mode == isa.LOWER)
        elif op.a_mode == isa.WRAP:
            ga = (ga & ~511) | ((ga + self.write_pointer) & 511)
        elif op.a_mode == isa.MEL:
            words = self.mel[gb]
            ga = ga + ((words >> 17) & 511)
            ends = (words[:, 0] >> 26) == 1
        a = np.broadcast_to(self.r[-1:], ga.shape) if op.a_r else self.data[ga]
        x = check(a, WIDE, f"{op.label} a")
        source = op.b_src
        if source == isa.B_DATA:
            assert (((ga ^ gb) & isa.BANK) != 0).all(), f"{op.label} reads two words of one bank"
            b = self.data[gb % isa.DATA_WORDS]
        elif source == isa.B_WORD:
            b = self._words(gb)
        elif source == isa.B_BYTE:
            b = self.image.view(np.int8)[gb].astype(np.int64)
        elif source == isa.B_WINDOW:
            b = rom().window[gb & 511]
        elif source == isa.B_TWIDDLE:
            b = rom().twiddle[(gb >> 8) & 1, (gb << (8 - (op.aux & 15))) & 255]
        elif source == isa.B_MEL:
            b = self.mel[gb] & 0x1FFFF
        else:
            b = x if source == isa.B_DUP else np.zeros_like(x)
        check(b, WORD, f"{op.label} b")
        f = check(function(op.func, x, first), WIDE, f"{op.label} function")
        v = self._alu(op, f, b)
        v = check(v, 61, f"{op.label} product")
        dynamic = (-(x >> 16) if op.ip_en else 0) + ((-b if op.ip_en else b) if op.b_en else 0)
        n = np.broadcast_to(op.shift + (self.shift if op.sh_en else 0) + dynamic, v.shape)
        if ends is not None:
            acc = np.add.reduceat(v[:, 0], np.flatnonzero(np.concatenate([[True], ends[:-1]])))
            n = n[ends, 0]
        elif op.each:
            acc, n = v.ravel(), n.ravel()
        else:
            signed = v * np.where(first | (op.acc_neg == 0), 1, -1)
            acc = signed.max(1) if op.acc_max else signed.sum(1)
            n = n[:, -1]
        if op.row_en:
            n = n + self.image[op.aux + np.arange(op.outer)].astype(np.int64)
        n = np.clip(n, 0, 63)
        result = saturate(np.where(n == 0, acc, (((acc >> np.maximum(n - 1, 0)) + 1) >> 1)), op.sat)
        return self._finish(pc, op, check(result, WIDE, op.label), ptr)

    def _alu(self, op: Instruction, f: I8, b: I8) -> I8:
        if op.alu == isa.MUL:
            wide, narrow = (b, f) if op.swap else (f, b)
            return wide * check(narrow, 18, f"{op.label} factor")
        return {
            isa.ADD: lambda: f + b, isa.SUB: lambda: f - b, isa.RSUB: lambda: b - f, isa.MAX: lambda: np.maximum(f, b),
            isa.MIN: lambda: np.minimum(f, b), isa.MAXABS: lambda: np.maximum(abs(f), abs(b)), isa.PASS: lambda: f,
        }[op.alu]()  # fmt: skip

    def _finish(self, pc: int, op: Instruction, result: I8, ptr: int) -> Write:
        self.r = result
        if op.set_flag:
            self.flag = bool(result[-1] < 0)
        if op.sh_we:
            self.shift = int(check(result[-1:], 7, "shift register")[0])
        if op.ptr_we:
            self.pointer = int(result[-1])
        where = None
        if op.d_we:
            check(result, WORD, f"{op.label} result")
            where = (op.d_base + op.ptr_d * ptr + np.arange(len(result))) % isa.DATA_WORDS
            if op.d_mode in (isa.UPPER, isa.LOWER):
                where = wing(where, op.aux & 15, op.d_mode == isa.LOWER)
            elif op.d_mode == isa.REVERSED:
                where = (where & ~511) | np.array([int(f"{w & 511:09b}"[::-1], 2) for w in where])
            self.data[where] = result
            if op.d_both:
                self.data[where ^ isa.BANK] = result
        return Write(pc, op.label, result, where)


def wing(address: I8, stage: int, lower: bool) -> I8:
    """Butterfly number in the low 8 bits to the address of its upper or lower wing: a bit put in at ``stage``."""
    k = address & 255
    low = k & ((1 << stage) - 1)
    return (address & ~511) | ((k >> stage) << (stage + 1)) | (int(lower) << stage) | low


def mel_words() -> I8:
    """nm_mel.mem as numbers."""
    from kwscore.fixed.export import rom_files

    return np.array([int(line, 16) for line in rom_files()["nm_mel.mem"].split()], np.int64)


def image_memory(builder: Builder, image: Image) -> NDArray[np.uint8]:
    """The image memory: the image as it travels over the link, and the program's literals above it."""
    memory = np.zeros(isa.IMAGE_BYTES, np.uint8)
    raw = image.to_bytes()
    memory[: len(raw)] = np.frombuffer(raw, np.uint8)
    literals = np.array(builder.literals, "<i4").view(np.uint8)
    memory[isa.LITERAL_BYTE : isa.LITERAL_BYTE + len(literals)] = literals
    return memory

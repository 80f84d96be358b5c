"""The core's instruction word: fields, codes, and an assembler for one instruction (the machine: rtl/README.md).

An instruction is a loop nest of ``outer`` x ``inner`` elements that flow through one pipeline:
operands a, b -> function unit on a -> multiplier or adder -> accumulator -> rounding shift -> saturation -> memory.
"""

from __future__ import annotations

from dataclasses import dataclass

WORD_BITS = 180
PROGRAM_WORDS = 512
BANK = 4096
"""Words of one data bank; addresses BANK.. are bank Y."""
DATA_WORDS = 2 * BANK
IMAGE_BYTES = 16384
LITERAL_BYTE = 12288
"""Byte address of the literals, above every image."""

# Function unit
ID, LOG2, MANT, EXP, SIGMA, SOFTPLUS, BITS, NORM, SPLIT, ZERO = range(10)
# Arithmetic
MUL, ADD, SUB, RSUB, MAX, MIN, MAXABS, PASS = range(8)
# Saturation: code -> (signed, bits)
SAT = ("none", "s16", "s18", "s24", "s25", "s32", "u15", "u16", "u17", "u23", "u24", "u31", "u32", "s20")
# Address modes of a and d
LINEAR, UPPER, LOWER, MEL, WRAP = range(5)  # a: upper and lower wing of a butterfly
REVERSED = 3  # d: bit-reversed low nine bits
# Sources of b
B_ZERO, B_DATA, B_WORD, B_BYTE, B_WINDOW, B_TWIDDLE, B_MEL, B_DUP = range(8)
ALWAYS, IF_NEGATIVE, IF_NOT_NEGATIVE = range(3)

FIELDS = (
    ("a_base", 13), ("a_si", 13), ("a_so", 13), ("b_base", 14), ("b_si", 11), ("b_so", 11), ("d_base", 13),
    ("inner", 10), ("outer", 10), ("aux", 14), ("shift", 6), ("func", 4), ("alu", 3), ("swap", 1), ("acc_neg", 1),
    ("acc_max", 1), ("each", 1), ("sat", 4), ("a_r", 1), ("a_mode", 3), ("b_src", 3), ("d_mode", 2), ("d_we", 1),
    ("d_both", 1), ("sh_we", 1), ("ptr_we", 1), ("sh_en", 1), ("ip_en", 1), ("b_en", 1), ("row_en", 1), ("ptr_a", 1),
    ("ptr_b", 1), ("ptr_d", 1), ("cond", 2), ("set_flag", 1), ("stop", 1),
)  # fmt: skip
"""Name and width, lowest bits first. ``inner`` and ``outer`` hold the count minus one."""


@dataclass
class Instruction:
    """One instruction; addresses in words (b_base of the image: bytes), strides signed, counts as they are."""

    a_base: int = 0
    a_si: int = 0
    a_so: int = 0
    b_base: int = 0
    b_si: int = 0
    b_so: int = 0
    d_base: int = 0
    inner: int = 1
    outer: int = 1
    aux: int = 0
    shift: int = 0
    func: int = ID
    alu: int = ADD
    swap: int = 0
    acc_neg: int = 0
    acc_max: int = 0
    each: int = 0
    sat: int = 0
    a_r: int = 0
    a_mode: int = LINEAR
    b_src: int = B_ZERO
    d_mode: int = LINEAR
    d_we: int = 0
    d_both: int = 0
    sh_we: int = 0
    ptr_we: int = 0
    sh_en: int = 0
    ip_en: int = 0
    b_en: int = 0
    row_en: int = 0
    ptr_a: int = 0
    ptr_b: int = 0
    ptr_d: int = 0
    cond: int = ALWAYS
    set_flag: int = 0
    stop: int = 0
    label: str = ""
    """What the result is called: for people and for the comparison with the integer engine."""

    def encode(self) -> int:
        """The instruction word. Raises ValueError when a field does not fit."""
        word = position = 0
        for name, bits in FIELDS:
            value = getattr(self, name) - (name in ("inner", "outer"))
            signed = name in ("a_si", "a_so", "b_si", "b_so")
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            if name in ("a_si", "a_so"):  # addresses wrap at the end of the data memory
                low, high = -(1 << bits), (1 << bits) - 1
            if not low <= value <= high:
                raise ValueError(f"{self.label}: {name} = {value} does not fit into {bits} bits")
            word |= (value & ((1 << bits) - 1)) << position
            position += bits
        return word

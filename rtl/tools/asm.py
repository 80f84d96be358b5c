"""Assembler: memory allocation, literals, and one method that emits an instruction from readable operands."""

from __future__ import annotations

from typing import Any, NamedTuple

from rtl.tools import isa
from rtl.tools.isa import Instruction


class At(NamedTuple):
    """An operand: source of b (a ignores it unless DATA), base address, strides inside and between rows."""

    src: int
    base: int
    si: int = 0
    so: int = 1
    mode: int = isa.LINEAR
    ptr: int = 0


def vec(base: int, so: int = 1, si: int = 0, **more: int) -> At:
    """Data memory, one word per row by default."""
    return At(isa.B_DATA, base, si, so, **more)


def one(base: int) -> At:
    """One word of data for all elements."""
    return At(isa.B_DATA, base, 0, 0)


ZERO = At(isa.B_ZERO, 0, 0, 0)
SAME = At(isa.B_DUP, 0, 0, 0)
R = At(-1, 0, 0, 0)
"""The last result, at full width, as operand a."""


class Assembler:
    """Collects instructions and literals."""

    def __init__(self) -> None:
        self.code: list[Instruction] = []
        self.literals: list[int] = []
        self.entries: dict[str, int] = {}
        self.sections: dict[str, int] = {}
        """First instruction of every section."""
        self._names: dict[str, tuple[int, int]] = {}
        self._next = [0, isa.BANK]

    def alloc(self, name: str, words: int, bank: str) -> int:
        """Reserve data memory in bank ``x`` or ``y``; returns its address."""
        index = "xy".index(bank)
        base = self._next[index]
        self._next[index] += words
        if self._next[index] > (index + 1) * isa.BANK:
            raise ValueError(f"bank {bank} is full at {name}")
        self._names[name] = (base, words)
        return base

    def alloc_both(self, name: str, words: int) -> int:
        """The same place in both banks; returns the address in X (in Y it is BANK higher)."""
        base = max(self._next[0], self._next[1] - isa.BANK)
        if base + words > isa.BANK:
            raise ValueError(f"no room in both banks for {name}")
        self._next = [base + words, base + words + isa.BANK]
        self._names[name] = (base, words)
        return base

    @property
    def used(self) -> tuple[int, int]:
        """Words used in X and Y."""
        return self._next[0], self._next[1] - isa.BANK

    @property
    def names(self) -> dict[str, tuple[int, int]]:
        """Address and length of every allocation."""
        return dict(self._names)

    def lit(self, *values: int) -> At:
        """Consecutive literals in the image memory; an operand that stays on the first."""
        wanted = list(values)
        for i in range(len(self.literals) - len(wanted) + 1):
            if self.literals[i : i + len(wanted)] == wanted:
                break
        else:
            i = len(self.literals)
            self.literals += wanted
        return At(isa.B_WORD, isa.LITERAL_BYTE + 4 * i, 0, 0)

    def entry(self, name: str) -> None:
        """The next instruction is where ``name`` starts."""
        self.entries[name] = len(self.code)

    def section(self, name: str) -> None:
        """What follows belongs to the section ``name``, until the next one."""
        self.sections[name] = len(self.code)

    def op(self, label: str, a: At, alu: int, b: At, d: At | None, n: int = 1, inner: int = 1, **more: Any) -> None:
        """Emit one instruction: d[i] = sat(rsh(sum over inner of func(a) alu b, shift)), i = 0..n-1."""
        sat = isa.SAT.index(more.pop("sat", "none"))
        if a.src == isa.B_DATA and b.src == isa.B_DATA and a.mode != isa.MEL:
            spans = (a.si, a.so) if inner > 1 else (a.so,)
            if all(abs(s) < isa.BANK // 2 for s in spans) and (a.base ^ b.base) & isa.BANK == 0:
                raise ValueError(f"{label}: both operands in one bank")
        idle_a = a.src in (isa.B_ZERO, R.src)  # its address must keep out of the bank that b reads
        a_base = (b.base ^ isa.BANK) & isa.BANK if idle_a else a.base
        self.code.append(
            Instruction(
                a_base=a_base, a_si=a.si, a_so=a.so, a_mode=a.mode, a_r=int(a.src == -1), ptr_a=a.ptr,
                b_src=b.src, b_base=b.base, b_si=b.si, b_so=b.so, ptr_b=b.ptr, alu=alu, inner=inner, outer=n,
                d_base=d.base if d else 0, d_mode=d.mode if d else 0, d_we=int(d is not None), ptr_d=d.ptr if d else 0,
                sat=sat, label=label, **more,
            )
        )  # fmt: skip

    def stop(self) -> None:
        """Mark the last instruction as the end of a run."""
        self.code[-1].stop = 1

"""Router: which PCEN expert is heard, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import N_MELS
from kwscore.fixed import features as feat
from kwscore.fixed import layout as at
from rtl.tools.asm import ZERO, R, one, vec
from rtl.tools.isa import ADD, BANK, EXP, LOG2, MAX, MIN, MUL, RSUB, SIGMA, SUB

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def gate(p: Builder) -> None:
    """Flatness and tilt of the spectrum decide between the experts; ROUTING of the result."""
    p.section("router: gate")
    m, k = p.m, N_MELS
    energy, logs = m["energy"], m["log_energy"]
    p.op("sum_logs", vec(logs, si=1), ADD, ZERO, vec(m["sum_logs"]), inner=k)
    p.set("p", one(m["sum_logs"]), MUL, p.lit(feat.MEAN_40), shift=22)
    p.op("sum", vec(energy, si=1), ADD, ZERO, None, inner=k)
    p.set("p", R, RSUB, one(m["p"]), func=LOG2)
    p.set("p", one(m["p"]), ADD, p.lit(feat.LOG2_40))
    p.set("p", one(m["p"]), MIN, p.lit(0))
    p.set("flat", one(m["p"]), ADD, ZERO, func=EXP, shift=16, ip_en=1, sat="u17")
    p.op("low", vec(energy, si=1), ADD, ZERO, None, inner=13)
    p.set("q", R, ADD, p.lit(feat.LOG2_14_13), func=LOG2)
    p.op("high", vec(energy + 26, si=1), ADD, ZERO, None, inner=k - 26)
    p.set("q", R, RSUB, one(m["q"]), func=LOG2)
    p.set("q", one(m["q"]), MUL, p.lit(feat.LN2), shift=21)
    p.set("tilt", one(m["q"]), ADD, ZERO, func=SIGMA)
    p.set("q", one(m["tilt"]), SUB, p.lit(feat.TILT_LEAST))
    p.set("q", one(m["q"]), MAX, p.lit(0))
    p.set("p", one(m["flat"]), RSUB, p.lit(65536))
    p.set("p", one(m["p"]), MUL, one(m["q"] + BANK), shift=16)
    p.set("indicator", one(m["flat"]), ADD, one(m["p"] + BANK))
    p.set("p", one(m["indicator"]), SUB, p.lit(32768))
    p.set("p", one(m["p"]), MUL, p.scalar(at.GATE_TEMP), shift=16)
    p.set("gate", one(m["p"]), ADD, ZERO, func=SIGMA)
    p.op("out_route", one(m["gate"]), RSUB, p.lit(65536), vec(p.out_at["routing"]), shift=1)
    p.op("out_route", one(m["gate"]), ADD, ZERO, vec(p.out_at["routing"] + 1), shift=1)


def blend(p: Builder) -> None:
    """Feature: the experts mixed by the gate."""
    p.section("router: blend")
    m, k = p.m, N_MELS
    p.op("mix", vec(m["expert1"]), SUB, vec(m["expert0"]), vec(m["ty"]), n=k)
    p.op("mix", vec(m["ty"]), MUL, one(m["gate"]), vec(m["tx"]), n=k, shift=16)
    p.op("feature", vec(m["tx"]), ADD, vec(m["expert0"]), vec(m["feature"]), n=k)

"""PCEN: the two experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import N_MELS
from kwscore.fixed import features as feat
from kwscore.fixed import layout as at
from rtl.tools import isa
from rtl.tools.asm import ZERO, At, one, vec
from rtl.tools.isa import ADD, BANK, EXP, LOG2, MAX, MUL, SUB

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def band_energy(p: Builder) -> None:
    """Mel magnitudes above their floor, and the logarithms that both experts and the router share."""
    p.section("PCEN: energy")
    m, k = p.m, N_MELS
    energy, logs = m["energy"], m["log_energy"]
    p.op("energy", vec(m["mel"]), MAX, p.const("band_floor", so=1), vec(energy), n=k, d_both=1)
    p.op("log_energy", vec(energy), ADD, ZERO, vec(logs), n=k, func=LOG2, d_both=1)


def expert(p: Builder, e: int) -> None:
    """PCEN of one expert: smoother, gain, offset and root, in logarithms."""
    p.section(f"PCEN: expert {e}")
    m, k = p.m, N_MELS
    tx, env = m["tx"], m[f"envelope{e}"]

    def constant(index: int) -> At:
        return p.const("pcen", e, index, so=1)

    p.op("t>0", one(m["c_five"]), SUB, p.lit(2), None, set_flag=1)
    later = isa.IF_NOT_NEGATIVE
    p.op("env_start", vec(m["energy"]), ADD, ZERO, vec(env), n=k, cond=isa.IF_NEGATIVE)
    p.op("env_diff", vec(m["energy"]), SUB, vec(env), vec(tx), n=k, cond=later)
    p.op("env_step", vec(tx), MUL, constant(at.PCEN_S), vec(tx), n=k, shift=17, cond=later)
    p.op("env_follow", vec(tx), ADD, vec(env), vec(env), n=k, sat="u32", cond=later)
    p.op("env_eps", vec(env), ADD, p.lit(feat.ENVELOPE_EPS), vec(tx), n=k, sat="u32")
    p.op("level", vec(tx), SUB, p.lit(feat.ENERGY_LOG2), vec(tx), n=k, func=LOG2)
    p.op("level", vec(tx), MUL, constant(at.PCEN_ALPHA), vec(tx), n=k, shift=17)
    p.op("gain_log", vec(m["log_energy"] + BANK), SUB, vec(tx), vec(tx), n=k)
    # Less 22 << 16, as an exponent: 32 - 24 + 22.
    p.op("pcen_gain", vec(tx), ADD, ZERO, vec(tx), n=k, func=EXP, shift=30, ip_en=1, sat="u32")
    p.op("pcen_gain", vec(tx), ADD, constant(at.PCEN_DELTA), vec(tx), n=k, sat="u32")
    p.op("root", vec(tx), SUB, p.lit(24 << 16), vec(tx), n=k, func=LOG2)
    p.op("root", vec(tx), MUL, constant(at.PCEN_R), vec(tx), n=k, shift=17)
    p.op("root", vec(tx), ADD, ZERO, vec(tx), n=k, func=EXP, shift=13, ip_en=1, sat="u24")
    p.op(f"expert{e}", vec(tx), SUB, constant(at.PCEN_OFFSET), vec(m[f"expert{e}"]), n=k, sat="s24")

"""Running norm of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import N_MELS
from kwscore.fixed import features as feat
from kwscore.fixed import layout as at
from rtl.tools.asm import ZERO, one, vec
from rtl.tools.isa import ADD, BANK, LOG2, MANT, MUL, RSUB, SUB

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def running_norm(p: Builder) -> None:
    """Running mean and variance of every band, and the features that they normalise."""
    p.section("running norm")
    m, k = p.m, N_MELS
    tx, ty, ux, uy, diff = m["tx"], m["ty"], m["ux"], m["uy"], m["diff"]
    mean, var, rk = m["mean"], m["var"], m["r_k"]
    # Exponent of 1/k: -floor(log2), into the shift register
    p.set("p", one(rk), SUB, p.lit(32768), shift=16)
    p.set("p", one(m["p"]), RSUB, p.lit(0), sh_we=1)
    p.op("mean7", vec(mean), ADD, ZERO, vec(ty), n=k, shift=7)
    p.op("diff", vec(m["feature"]), SUB, vec(ty), vec(diff), n=k, sat="s25", d_both=1)
    p.op("mean_step", one(rk), MUL, vec(diff + BANK), vec(tx), n=k, func=MANT, swap=1, shift=9, ip_en=1)
    p.op("mean", vec(tx), ADD, vec(mean), vec(mean), n=k, sat="s32")
    p.op("square", one(rk), MUL, vec(diff + BANK), vec(ux), n=k, func=MANT, swap=1, shift=17)
    p.op("square", vec(diff), ADD, ZERO, vec(uy), n=k, shift=7, sat="s18")
    p.op("square", vec(ux), MUL, vec(uy), vec(tx), n=k, shift=6, sh_en=1)
    p.op("grown", vec(tx), ADD, vec(var), vec(var), n=k, sat="u32")
    p.op("shrunk", one(rk), MUL, vec(var), vec(tx), n=k, func=MANT, swap=1, shift=16, ip_en=1)
    p.op("var", vec(var), SUB, vec(tx), vec(var), n=k, sat="u31")
    p.op("inverse", vec(var), ADD, p.lit(feat.NORM_EPS), vec(tx), n=k)
    p.op("inverse", vec(tx), RSUB, p.lit(24 << 16), vec(ux), n=k, func=LOG2, shift=1)
    p.op("mean7", vec(mean), ADD, ZERO, vec(ty), n=k, shift=7)
    p.op("diff", vec(m["feature"]), SUB, vec(ty), vec(diff), n=k, sat="s25", d_both=1)
    p.load_shift("xn_shift", p.scalar(at.XN_SHIFT))
    p.op(
        "normed", vec(ux), MUL, vec(diff + BANK), vec(m["normed"]), n=k, func=MANT, swap=1, ip_en=1, sh_en=1, sat="s16"
    )

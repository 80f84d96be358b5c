"""Classifier: final norm, mean over the last 97 frames, logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import N_CLASSES
from kwscore.fixed import layout as at
from rtl.tools.asm import ZERO, one, vec
from rtl.tools.isa import ADD, MANT, MUL, SUB
from rtl.tools.sections.ssm import layer_norm

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def classify(p: Builder) -> None:
    """LOGITS of the result, and the class with the largest one."""
    p.section("classifier")
    m, width = p.m, p.sizes.d
    final, vx, vy = m["norm_out"], m["vx"], m["vy"]
    layer_norm(p, "final", "final", (), p.scalar(at.FINAL_SHIFT), vec(final))
    p.op("slot", one(m["slot_pool"]), ADD, ZERO, None, ptr_we=1)
    p.op("pool_change", vec(final), SUB, vec(m["pool"], ptr=1), vec(vx), n=width)
    p.op("pool_sum", vec(vx), ADD, vec(m["pool_sum"]), vec(m["pool_sum"]), n=width)
    p.op("pool", vec(final), ADD, ZERO, vec(m["pool"], ptr=1), n=width)
    p.load_shift("pool_shift", p.scalar(at.POOL_SHIFT))
    p.op(
        "pooled",
        one(m["r_pool"]),
        MUL,
        vec(m["pool_sum"]),
        vec(m["pooled"]),
        n=width,
        func=MANT,
        swap=1,
        ip_en=1,
        sh_en=1,
        sat="s16",
    )
    p.rows("class_row", "classifier", (), N_CLASSES, m["pooled"], vec(vy))
    p.op("logits", vec(vy), ADD, p.const("class_bias", so=1), vec(p.out_at["logits"]), n=N_CLASSES, sat="s16")
    # The largest logit carries 15 - class in its low bits, so that the lower class wins a tie.
    p.op("ranked", vec(p.out_at["logits"]), MUL, p.lit(16), vec(vx), n=N_CLASSES)
    names = p.lit(*range(15, 15 - N_CLASSES, -1))._replace(si=4)
    p.op("word", vec(vx, si=1), ADD, names, vec(p.out_at["word"]), inner=N_CLASSES, acc_max=1)

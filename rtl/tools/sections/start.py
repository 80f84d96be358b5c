"""INIT, and the counters of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import CLIP_FRAMES, N_FREQ, N_MELS
from kwscore.fixed import layout as at
from kwscore.models.constants import ANCHOR_BLOCK, ANCHOR_FRAMES
from rtl.tools import isa
from rtl.tools.asm import ZERO, one
from rtl.tools.isa import ADD, LOG2, MIN, RSUB, SUB

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def init(p: Builder) -> None:
    """After reset, and for a new image: everything that is not written before it is read."""
    m, s = p.m, p.sizes
    p.entry("INIT")
    p.fill("ring", m["ring"], ANCHOR_FRAMES * N_FREQ)
    p.fill("pool", m["pool"], CLIP_FRAMES * s.d)
    p.fill("pool_sum", m["pool_sum"], s.d)
    for layer in range(s.layers):
        p.fill("past", m[f"past{layer}"], 3 * s.channels)
        p.fill("hidden", m[f"hidden{layer}"], s.states * s.channels)
    p.fill("current", m["current"], N_FREQ, p.lit(at.NO_MINIMUM))
    p.fill("previous", m["previous"], N_FREQ, p.lit(at.NO_MINIMUM))
    p.fill("mean", m["mean"], N_MELS, p.const("norm", 0, so=1))
    p.fill("var", m["var"], N_MELS, p.const("norm", 1, so=1))
    for name, value in (
        ("c_five", 0),
        ("c_pool", 0),
        ("slot_ring", 0),
        ("slot_pool", 0),
        ("block_left", ANCHOR_BLOCK),
    ):
        p.set(name, ZERO, ADD, p.lit(value), func=isa.ZERO)
    p.set("c_k", ZERO, ADD, p.scalar(at.NORM_PRIOR), func=isa.ZERO)


def counters(p: Builder) -> None:
    """min(t+1, 6), k, the ring's slot, and the logarithms of reciprocals."""
    p.section("counters")
    m = p.m
    # c_five counts to 6: frame 5 is the first that follows the minima.
    for name, limit in (("c_five", p.lit(ANCHOR_FRAMES + 1)), ("c_k", p.scalar(at.NORM_HORIZON))):
        p.set(name, one(m[name]), ADD, p.lit(1))
        p.set(name, one(m[name]), MIN, limit)
    _next_slot(p, "slot_ring", N_FREQ, ANCHOR_FRAMES)
    p.set("r_five", one(m["c_five"]), MIN, p.lit(ANCHOR_FRAMES))
    p.set("r_five", one(m["r_five"]), RSUB, p.lit(0), func=LOG2)
    p.set("r_k", one(m["c_k"]), RSUB, p.lit(0), func=LOG2)


def pool_counters(p: Builder) -> None:
    """min(t+1, 97) with the logarithm of its reciprocal, and the pool's slot."""
    p.section("SSM: pool counters")
    m = p.m
    p.set("c_pool", one(m["c_pool"]), ADD, p.lit(1))
    p.set("c_pool", one(m["c_pool"]), MIN, p.lit(CLIP_FRAMES))
    _next_slot(p, "slot_pool", p.sizes.d, CLIP_FRAMES)
    p.set("r_pool", one(m["c_pool"]), RSUB, p.lit(0), func=LOG2)


def _next_slot(p: Builder, name: str, step: int, slots: int) -> None:
    p.set(name, one(p.m[name]), SUB, p.lit(step), set_flag=1)
    p.set(name, ZERO, ADD, p.lit(step * (slots - 1)), func=isa.ZERO, cond=isa.IF_NEGATIVE)

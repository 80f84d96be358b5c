"""SNR estimator: noise floor, and the signal-to-noise ratio of each mel band."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import N_FREQ, N_MELS
from kwscore.fixed import features as feat
from kwscore.fixed import frontend as front
from kwscore.fixed import layout as at
from kwscore.fixed.tables import rom
from kwscore.models.constants import ANCHOR_BLOCK, ANCHOR_FRAMES
from rtl.tools import isa
from rtl.tools.asm import ZERO, At, one, vec
from rtl.tools.isa import ADD, BANK, EXP, LOG2, MANT, MAX, MIN, MUL, RSUB, SIGMA, SPLIT, SUB

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def noise_floor(p: Builder) -> None:
    """Minimum-statistics anchor, and the floor that follows the magnitude (docs/fixed_point.md, section 4)."""
    p.section("SNR estimator: noise floor")
    m = p.m
    n = N_FREQ
    p.op("slot", one(m["slot_ring"]), ADD, ZERO, None, ptr_we=1)
    p.op("ring", vec(m["mag"]), ADD, ZERO, vec(m["ring"], ptr=1), n=n)
    frames = ANCHOR_FRAMES
    p.op("total", vec(m["ring"], si=n, so=1 - (frames - 1) * n), ADD, ZERO, vec(m["total"]), n=n, inner=frames)
    # Every 75 frames the running minimum becomes the previous one; not at t = 0, where the count starts.
    p.set("block_left", one(m["block_left"]), SUB, p.lit(1), set_flag=1)
    negative = isa.IF_NEGATIVE
    p.op("previous", vec(m["current"]), ADD, ZERO, vec(m["previous"]), n=n, cond=negative)
    p.op("current", ZERO, ADD, p.lit(at.NO_MINIMUM), vec(m["current"]), n=n, func=isa.ZERO, cond=negative)
    p.set("block_left", ZERO, ADD, p.lit(ANCHOR_BLOCK - 1), func=isa.ZERO, cond=negative)
    later = isa.IF_NOT_NEGATIVE
    p.op("t>=4", one(m["c_five"]), SUB, p.lit(ANCHOR_FRAMES), None, set_flag=1)
    p.op("current", vec(m["current"]), MIN, vec(m["total"]), vec(m["current"]), n=n, cond=later)
    p.op("t>=5", one(m["c_five"]), SUB, p.lit(ANCHOR_FRAMES + 1), None, set_flag=1)
    p.op("total", vec(m["current"]), MIN, vec(m["previous"]), vec(m["total"]), n=n, cond=later)
    p.op(
        "mean5",
        one(m["r_five"]),
        MUL,
        vec(m["total"]),
        vec(m["total"]),
        n=n,
        func=MANT,
        swap=1,
        shift=8,
        ip_en=1,
        sat="u32",
    )
    p.op("anchor", vec(m["total"]), MAX, p.lit(front.ANCHOR_LEAST), vec(m["anchor"]), n=n)
    p.op("floor_start", vec(m["anchor"]), ADD, ZERO, vec(m["floor"]), n=n, cond=negative)
    jump = m["floor"] - m["mag"]
    scratch_x, scratch_y = m["bin"], m["bin"] + BANK
    literal = p.lit(256, -1)
    p.op(
        "distance",
        vec(m["mag"], si=jump, so=1 - jump),
        MUL,
        literal._replace(si=4, so=-4),
        vec(scratch_x),
        n=n,
        inner=2,
        cond=later,
    )
    assert at.RATE_ABOVE == at.RATE_BELOW + 1
    p.op(
        "pull",
        vec(scratch_x),
        MUL,
        p.const("scalar", at.RATE_ABOVE, si=-1, so=1),
        vec(scratch_x),
        n=n,
        inner=2,
        func=SPLIT,
        shift=17,
        cond=later,
    )
    p.op("pulled", vec(m["floor"]), ADD, vec(scratch_x), vec(scratch_x), n=n, cond=later)
    p.op("half_anchor", vec(m["anchor"]), ADD, ZERO, vec(scratch_y), n=n, shift=1, cond=later)
    p.op("floor_follow", vec(scratch_y), MAX, vec(scratch_x), vec(m["floor"]), n=n, cond=later)


def bands(p: Builder) -> None:
    """Ratio of magnitude to floor, both through the filterbank, and the SNR of each band; MEL of the result."""
    p.section("SNR estimator: bands")
    m, n = p.m, N_FREQ
    scale = p.scalar(at.LOG2_NOISE_SCALE)
    p.op("log_mag", vec(m["mag"]), SUB, scale, vec(m["bin"]), n=n, func=LOG2)
    p.op("log_ratio", vec(m["floor"]), RSUB, vec(m["bin"]), vec(m["bin"]), n=n, func=LOG2)
    # The floor has 8 fraction bits more than the magnitude: 2^(x + 8) with 15 fraction bits.
    p.op("ratio", vec(m["bin"]), ADD, ZERO, vec(m["ratio"]), n=n, func=EXP, shift=9, ip_en=1, sat="u23")
    words = int(rom().mel_count.sum())
    bank = At(isa.B_MEL, 0, 0, 1)
    p.op("mel", vec(m["mag"], so=0, mode=isa.MEL), MUL, bank, vec(m["mel"]), n=words, shift=10, sat="u32")
    p.op(
        "mel_ratio",
        vec(m["ratio"], so=0, mode=isa.MEL),
        MUL,
        bank,
        vec(m["mel_ratio"]),
        n=words,
        shift=19,
        sat="s25",
    )
    k = N_MELS
    p.op("snr_in", vec(m["mel_ratio"]), MUL, p.lit(front.SNR_GAIN), vec(m["ty"]), n=k, shift=17)
    p.op("snr", vec(m["ty"]), SUB, p.lit(32768), vec(m["snr"]), n=k, func=SIGMA, sat="u15")
    p.op(
        "out_mel",
        vec(m["mel"]),
        SUB,
        p.lit(feat.ENERGY_LOG2),
        vec(p.out_at["mel"]),
        n=k,
        func=LOG2,
        shift=6,
        sat="s16",
    )


def sum_up(p: Builder) -> None:
    """What the network takes from all bands; SNR of the result."""
    p.section("SNR estimator: sum")
    m, k = p.m, N_MELS
    p.op("snr_sum", vec(m["snr"], si=1), ADD, ZERO, vec(m["snr_sum"]), inner=k)
    p.op("out_snr", vec(m["snr"]), ADD, ZERO, vec(p.out_at["snr"]), n=k)

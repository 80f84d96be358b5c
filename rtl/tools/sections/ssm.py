"""SSM: projection, and the spectral-aware SSM blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.fixed import layout as at
from rtl.tools import isa
from rtl.tools.asm import SAME, ZERO, At, R, one, vec
from rtl.tools.isa import ADD, BANK, EXP, LOG2, MANT, MAXABS, MUL, NORM, RSUB, SIGMA, SOFTPLUS, SUB

if TYPE_CHECKING:
    from rtl.tools.program import Builder


def project(p: Builder) -> None:
    """40 features to the width of the network."""
    p.section("SSM: projection")
    s, m = p.sizes, p.m
    p.rows("row", "project", (), s.d, m["normed"], vec(m["vy"]))
    p.op("x0", vec(m["vy"]), ADD, p.const("project_bias", so=1), vec(m["stream"]), n=s.d, sat="s24")


def layer_norm(p: Builder, label: str, affine: str, layer: tuple[int, ...], shift: At, d: At) -> None:
    """LayerNorm of the stream, its affine part at ``affine[layer]``, to ``d``."""
    m, width = p.m, p.sizes.d
    x, dx = m["stream"], m["dx"]
    p.op("ln_sum", vec(x, si=1), ADD, ZERO, vec(m["t0"]), inner=width)
    p.load_shift("ln_shift", p.scalar(at.WIDTH_SHIFT))
    p.set("mu", one(m["t0"]), MUL, p.scalar(at.WIDTH_MANTISSA), sh_en=1)
    p.op("ln_diff", vec(x), SUB, one(m["mu"] + BANK), vec(dx), n=width, sat="s25")
    p.op("ln_most", vec(dx, si=1), MAXABS, ZERO, vec(m["t0"]), inner=width, acc_max=1)
    p.set("ss", one(m["t0"]), ADD, ZERO, func=NORM, sh_we=1)
    p.op("ln_diff", vec(dx), ADD, ZERO, vec(dx), n=width, sh_en=1)
    p.set("ss", one(m["ss"]), MUL, p.lit(2), sh_we=1)
    p.op("ln_eps", ZERO, ADD, p.scalar(at.LN_EPS), vec(m["t1"]), func=isa.ZERO, sh_en=1)
    p.op("ln_power", vec(dx, si=1), MUL, SAME, None, inner=width)
    p.op("ln_power", R, ADD, one(m["t1"]), None)
    p.set("inv", R, RSUB, p.scalar(at.WIDTH_LOG2), func=LOG2, shift=1)
    vy = m["vy"]
    p.op("ln_n", one(m["inv"] + BANK), MUL, vec(dx), vec(vy), n=width, func=MANT, swap=1, shift=2, ip_en=1, sat="s18")
    p.load_shift("ln_shift", shift)
    p.op("ln_w", vec(vy), MUL, p.const(affine, *layer, 0, so=1), vec(vy), n=width, sh_en=1)
    p.op(label, vec(vy), ADD, p.const(affine, *layer, 1, so=1), d, n=width, sat="s16")


def _delta_mean(p: Builder, layer: int) -> None:
    """DELTA_MEAN of the result: sum over channels / channels, rounded half up, exactly.

    A reciprocal of 17 bits is not enough for that: it gives a quotient up to 2.5 too low, whose remainder, below 2.5
    times the channels, it divides exactly.
    """
    m, ch = p.m, p.sizes.channels
    p.op("delta_sum", vec(m["delta"], si=1), ADD, ZERO, vec(m["t0"]), inner=ch)
    bits = 16 + ch.bit_length()
    p.set("q", one(m["t0"]), MUL, p.lit(((1 << bits) - 1) // ch), shift=bits)
    p.set("q", one(m["q"]), SUB, p.lit(1))
    p.set("p", one(m["q"]), MUL, p.lit(ch))
    p.set("p", one(m["t0"]), SUB, one(m["p"] + BANK))
    p.set("p", one(m["p"]), MUL, p.lit(-(-(1 << bits - 1) // ch)), shift=bits - 1)
    p.op(f"delta_mean{layer}", one(m["q"]), ADD, one(m["p"] + BANK), vec(p.out_at["delta_mean"] + layer))


def block(p: Builder, layer: int) -> None:
    """One SA-SSM block on the residual stream; DELTA of the result."""
    p.section(f"SSM: block {layer}")
    m, s = p.m, p.sizes
    ch, st, width = s.channels, s.states, s.d
    past, hidden = m[f"past{layer}"], m[f"hidden{layer}"]
    vx, vy, wy, z, u = m["vx"], m["vy"], m["wy"], m["z"], m["u"]

    def scalar(index: int) -> At:
        return p.const("block", layer, index)

    def shift(index: int) -> None:
        p.load_shift(at.BLOCK_SCALARS[index], scalar(index))

    def channel(index: int) -> At:
        return p.const("channel", layer, index, so=1)

    layer_norm(p, f"ln{layer}", "ln", (layer,), scalar(at.LN_SHIFT), vec(m["norm_out"]))
    p.rows(f"inner{layer}", "in_proj", (layer,), ch, m["norm_out"], vec(past + 2 * ch), "s16")
    p.rows(f"z{layer}", "in_proj", (layer, ch), ch, m["norm_out"], vec(z), "s24")
    shift(at.CONV_SHIFT)
    p.op(
        "taps",
        vec(past, si=ch, so=1 - 2 * ch),
        MUL,
        p.const("conv", layer, 0, si=ch, so=1 - 2 * ch),
        vec(vy),
        n=ch,
        inner=3,
        sh_en=1,
    )
    p.op(f"conv{layer}", vec(vy), ADD, p.const("conv", layer, 3, so=1), vec(m["conv"]), n=ch, sat="s24")
    p.op("past", vec(past + ch), ADD, ZERO, vec(past), n=ch)
    p.op("past", vec(past + 2 * ch), ADD, ZERO, vec(past + ch), n=ch)
    shift(at.U_SHIFT)
    p.op(f"u{layer}", vec(m["conv"]), MUL, SAME, vec(u), n=ch, func=SIGMA, swap=1, sh_en=1, sat="s16")
    proj, mod = m["proj"], m["modulation"]
    p.rows(f"proj{layer}", "x_proj", (layer,), st + 1, u, vec(proj), "s24")
    p.code[-1].d_both = 1
    p.rows(f"read{layer}", "x_proj", (layer, st + 1), st, u, vec(proj + st + 1), "s16")
    p.code[-1].d_both = 1
    p.rows("snr_row", "snr_proj", (layer,), st + 1, m["snr"], vec(vy))
    bias = p.const("snr_bias", layer, so=1)
    p.op(f"modulation{layer}", vec(vy), ADD, bias, vec(mod), n=st + 1, sat="s24")
    p.op("factor", vec(mod + 1), MUL, scalar(at.GATE_SLOPE), vec(vy), n=st, func=SIGMA, shift=16)
    p.op("factor", vec(vy), ADD, scalar(at.GATE_BASE), vec(vy), n=st, sat="s18")
    shift(at.B_SHIFT)
    p.op(f"b{layer}", vec(proj + 1), MUL, vec(vy), vec(m["gated"]), n=st, sh_en=1, sat="s16")
    # Step size
    p.set("phi", one(m["snr_sum"]), MUL, scalar(at.PHI_SLOPE), shift=19)
    p.set("phi", one(m["phi"]), ADD, scalar(at.PHI_LEAST))
    p.set("p", one(proj), ADD, one(mod), sat="s24")
    shift(at.DT_SHIFT)
    p.op("dt", one(m["p"]), MUL, channel(at.DT_WEIGHT), vec(vx), n=ch, sh_en=1)
    p.op("dt", vec(vx), ADD, channel(at.DT_BIAS), vec(vx), n=ch, sat="s24")
    delta = m["delta"]
    p.op(f"delta{layer}", vec(vx), ADD, one(m["phi"] + BANK), vec(delta), n=ch, func=SOFTPLUS, shift=5, sat="u16")
    p.op("out_delta", vec(delta), ADD, ZERO, vec(p.out_at["delta"] + layer * ch), n=ch)
    _delta_mean(p, layer)
    # Scan
    p.set("eps", one(m["snr_sum"]), MUL, scalar(at.EPS_SLOPE), shift=21)
    p.set("eps", one(m["eps"]), RSUB, scalar(at.EPS_MOST))
    decay, size = m["decay"], st * ch
    for n in range(st):
        p.load_shift("decay_shift", p.const("decay_shift", layer, n))
        rate = p.const("decay", layer, n, so=1)
        p.op("fall", vec(delta), MUL, rate, vec(decay + n * ch), n=ch, sh_en=1, sat="u24")
    p.op("fall", vec(decay), RSUB, p.lit(0), vec(decay), n=size)
    p.op(f"decay{layer}", vec(decay), ADD, ZERO, vec(decay), n=size, func=EXP, shift=16, ip_en=1, sat="u16")
    shift(at.DRIVE_B_SHIFT)
    grid = {"n": st, "inner": ch, "each": 1}
    p.op("drive", vec(delta, si=1, so=1 - ch), MUL, vec(m["gated"]), vec(vx), sh_en=1, **grid)
    p.op("drive", vec(vx), ADD, one(m["eps"] + BANK), vec(wy), n=size, sat="s25")
    shift(at.DRIVE_SHIFT)
    # b runs over the channels again for every state
    p.op("drive", vec(wy, si=1), MUL, vec(u, si=1, so=1 - ch), vec(vx), sh_en=1, sat="s32", **grid)
    p.op("keep", vec(hidden), MUL, vec(decay), vec(wy), n=size, shift=16)
    p.op(f"hidden{layer}", vec(vx), ADD, vec(wy), vec(hidden), n=size, sat="s24")
    shift(at.Y_SHIFT)
    p.op(
        "read",
        vec(hidden, si=ch, so=1 - (st - 1) * ch),
        MUL,
        vec(proj + BANK + st + 1, si=1, so=1 - st),
        vec(vx),
        n=ch,
        inner=st,
        sh_en=1,
    )
    shift(at.SKIP_SHIFT)
    p.op("skip", vec(u), MUL, channel(at.SKIP), vec(vy), n=ch, sh_en=1)
    p.op(f"y{layer}", vec(vx), ADD, vec(vy), vec(m["y"]), n=ch, sat="s24")
    # Gate and residual
    shift(at.SZ_SHIFT)
    p.op(f"sz{layer}", vec(z), MUL, SAME, vec(vy), n=ch, func=SIGMA, swap=1, sh_en=1, sat="s16")
    shift(at.V_SHIFT)
    p.op(f"v{layer}", vec(m["y"]), MUL, vec(vy), vec(m["v"]), n=ch, sh_en=1, sat="s20")
    p.rows("change", "out_proj", (layer,), width, m["v"], vec(vy))
    p.op(f"x{layer + 1}", vec(m["stream"]), ADD, vec(vy), vec(m["stream"]), n=width, sat="s24")

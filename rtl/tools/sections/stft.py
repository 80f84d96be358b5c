"""STFT: window, FFT-512, magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kwscore.constants import N_FREQ, WINDOW
from rtl.tools import isa
from rtl.tools.asm import SAME, ZERO, At, one, vec
from rtl.tools.isa import (
    ADD,
    BANK,
    BITS,
    EXP,
    LOG2,
    LOWER,
    MAXABS,
    MIN,
    MUL,
    NORM,
    PASS,
    REVERSED,
    RSUB,
    SUB,
    UPPER,
    WRAP,
)

if TYPE_CHECKING:
    from rtl.tools.program import Builder

STAGES = 9
"""Of the FFT."""


def spectrum(p: Builder) -> None:
    """Block gain, window, and the FFT in place: real parts in X, imaginary parts in Y."""
    p.section("STFT")
    m = p.m
    pcm = vec(m["pcm"], mode=WRAP)
    n = WINDOW
    p.op("peak", pcm._replace(si=1), MAXABS, ZERO, vec(m["p"]), inner=n, acc_max=1)
    p.set("fall", one(m["p"]), MIN, p.lit(15), func=BITS, sh_we=1)
    p.set("gain", one(m["fall"]), RSUB, p.lit(15))
    p.op("windowed", pcm, MUL, At(isa.B_WINDOW, 0, 0, 1), vec(m["re"], mode=REVERSED), n=n, sh_en=1, sat="s18")
    p.fill("im", m["im"], n)
    re, im, half = m["re"], m["im"], n // 2
    for stage in range(STAGES):
        low = {"inner": 2, "n": half, "aux": stage, "shift": 16}
        wing = At(isa.B_DATA, re, BANK, 1 - BANK, LOWER)
        p.op("tr", wing, MUL, At(isa.B_TWIDDLE, 0, 256, 1 - 256), vec(m["tr"]), acc_neg=1, **low)
        p.op("ti", wing, MUL, At(isa.B_TWIDDLE, 256, -256, 1 + 256), vec(m["ti"]), **low)
        for part, t, name in ((re, m["tr"], "re"), (im, m["ti"], "im")):
            for alu, mode in ((SUB, LOWER), (ADD, UPPER)):
                # Mode of d: UPPER and LOWER as for a.
                p.op(name, vec(part, mode=UPPER), alu, vec(t), vec(part, mode=mode), n=half, aux=stage, sat="s25")


def magnitude(p: Builder) -> None:
    """Magnitudes of the bins: normalised to 16 bits, squared, and the root by halving the logarithm."""
    p.section("STFT: magnitude")
    m, re, im = p.m, p.m["re"], p.m["im"]
    b = m["bin"]
    mx, my = m["ti"], m["low1"]  # free after the FFT
    p.op("largest", vec(re), MAXABS, vec(im), vec(mx), n=N_FREQ)
    p.op("fall_bin", vec(mx), ADD, ZERO, vec(b), n=N_FREQ, func=NORM, d_both=1)
    p.op("x", vec(re), PASS, vec(b + BANK), vec(re), n=N_FREQ, b_en=1)
    p.op("y", vec(im), PASS, vec(b), vec(im), n=N_FREQ, b_en=1)
    p.op("power", At(isa.B_DATA, re, BANK, 1 - BANK), MUL, SAME, vec(my), n=N_FREQ, inner=2)
    p.op("half", vec(my), ADD, ZERO, vec(mx), n=N_FREQ, func=LOG2, shift=1)
    # 2^(half + s - g): shift 32 - ip - s + g
    p.load_shift("gain", one(m["gain"]))
    p.op(
        "magnitude",
        vec(mx),
        PASS,
        vec(b + BANK),
        vec(m["mag"]),
        n=N_FREQ,
        func=EXP,
        shift=32,
        ip_en=1,
        b_en=1,
        sh_en=1,
        sat="u24",
    )

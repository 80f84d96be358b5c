"""Window, FFT and magnitude of one frame (docs/fixed_point.md, section 3)."""

from __future__ import annotations

import numpy as np

from kwscore.constants import N_FREQ, WINDOW
from kwscore.fixed.arith import bit_length, rsh, sat, usat
from kwscore.fixed.functions import ONE, exp2, log2
from kwscore.fixed.jit import kernel

STAGES = 9
"""Radix-2 stages of 512 points."""


@kernel
def window(pcm, shape, gain, out):
    """x w 2^(1 + g) with the largest g of 0..15 at which no spectrum of such samples can overflow; g into ``gain``."""
    peak = np.int64(0)
    for i in range(WINDOW):
        peak = max(peak, abs(np.int64(pcm[i])))
    gain[0] = max(15 - bit_length(peak), 0)
    for i in range(WINDOW):
        out[i] = rsh(np.int64(pcm[i]) * shape[i], 15 - gain[0])


@kernel
def fft(twiddle, samples, re, im):
    """512-point decimation in time, radix 2, in place, unscaled, 25 bits; real input in bit-reversed order."""
    for i in range(WINDOW):
        j = 0
        for bit in range(STAGES):
            j |= ((i >> bit) & 1) << (STAGES - 1 - bit)
        re[j] = samples[i]
        im[j] = 0
    for stage in range(STAGES):
        half = 1 << stage
        for j in range(half):
            c = twiddle[0, j << (STAGES - 1 - stage)]
            s = twiddle[1, j << (STAGES - 1 - stage)]
            for a in range(j, WINDOW, 2 * half):
                b = a + half
                t_re = rsh(re[b] * c - im[b] * s, 16)
                t_im = rsh(re[b] * s + im[b] * c, 16)
                re[b] = sat(re[a] - t_re, 25)
                im[b] = sat(im[a] - t_im, 25)
                re[a] = sat(re[a] + t_re, 25)
                im[a] = sat(im[a] + t_im, 25)


@kernel
def magnitude(table, gain, re, im, out):
    """|X| of bins 0..256 through log2 and exp2 of the normalised power, u24."""
    for f in range(N_FREQ):
        s = max(bit_length(max(abs(re[f]), abs(im[f]))) - 16, 0)
        x = rsh(re[f], s)
        y = rsh(im[f], s)
        half_log = rsh(log2(table, x * x + y * y), 1) + (s - gain) * ONE
        out[f] = usat(exp2(table, half_log, 0, 25), 24)

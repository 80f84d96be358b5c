"""Noise anchor and floor, SNR, mel (docs/fixed_point.md, section 4). ``t`` is the frame index since reset."""

from __future__ import annotations

from kwscore.constants import N_FREQ, N_MELS
from kwscore.fixed.arith import rsh, sat, usat
from kwscore.fixed.functions import exp2, log2, reciprocal, sigmoid
from kwscore.fixed.jit import kernel
from kwscore.fixed.layout import NO_MINIMUM
from kwscore.models import constants as c

_ANCHOR_FRAMES = c.ANCHOR_FRAMES
_ANCHOR_BLOCK = c.ANCHOR_BLOCK
ANCHOR_LEAST = 168  # 1e-5 in units of 2^-24
_FLOOR_LOG2 = 8 << 16  # the floor has 8 fraction bits more than the magnitude
SNR_GAIN = 26214  # 0.2 in u0.17: tanh(x / 10) = 2 sigmoid(x / 5) - 1


@kernel
def noise_anchor(table, t, ring, minimum, out):
    """Smallest sum of five magnitudes in the current and previous block over five; the cumulative mean at first."""
    count = min(t + 1, _ANCHOR_FRAMES)
    mantissa, e = reciprocal(table, count)
    for f in range(N_FREQ):
        if t > 0 and t % _ANCHOR_BLOCK == 0:
            minimum[1, f] = minimum[0, f]
            minimum[0, f] = NO_MINIMUM
        total = ring[0, f] + ring[1, f] + ring[2, f] + ring[3, f] + ring[4, f]
        if t >= _ANCHOR_FRAMES - 1:
            minimum[0, f] = min(minimum[0, f], total)
        if t >= _ANCHOR_FRAMES:
            total = min(minimum[0, f], minimum[1, f])
        out[f] = max(usat(rsh((total << 9) * mantissa, 17 + e), 32), ANCHOR_LEAST)


@kernel
def noise_floor(t, follow, below, above, magnitude, anchor, floor):
    """Pull the floor to the magnitude, never below half the anchor; without ``follow`` (log) it is the anchor."""
    for f in range(N_FREQ):
        if not follow or t < _ANCHOR_FRAMES:
            floor[f] = anchor[f]
            continue
        d = (magnitude[f] << 8) - floor[f]
        rate = above if d > 0 else below
        floor[f] = max(floor[f] + rsh(d * rate, 17), rsh(anchor[f], 1))


@kernel
def floor_ratio(table, log2_scale, magnitude, floor, out):
    """Magnitude over scaled noise floor, u8.15."""
    for f in range(N_FREQ):
        x = log2(table, magnitude[f]) - (log2(table, floor[f]) - _FLOOR_LOG2) - log2_scale
        out[f] = exp2(table, x, 15, 23)


@kernel
def mel_pair(start, count, weight, magnitude, ratio, mel, mel_ratio):
    """The sparse mel filterbank on magnitudes (u10.22) and ratios (Q.12)."""
    for m in range(N_MELS):
        a = 0
        b = 0
        for j in range(count[m]):
            a += weight[m, j] * magnitude[start[m] + j]
            b += weight[m, j] * ratio[start[m] + j]
        mel[m] = usat(rsh(a, 10), 32)
        mel_ratio[m] = sat(rsh(b, 19), 25)


@kernel
def squash_snr(table, mel_ratio, snr):
    """tanh(x / 10), u0.15."""
    for m in range(N_MELS):
        snr[m] = usat(sigmoid(table, rsh(mel_ratio[m] * SNR_GAIN, 17)) - 32768, 15)

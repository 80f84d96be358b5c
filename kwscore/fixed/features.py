"""PCEN, routing, log features and running norm (docs/fixed_point.md, section 5)."""

from __future__ import annotations

from kwscore.constants import N_MELS
from kwscore.fixed import layout as at
from kwscore.fixed.arith import rsh, sat, usat
from kwscore.fixed.functions import ONE, exp2, exp2_mantissa, log2, reciprocal, sigmoid
from kwscore.fixed.jit import kernel

ENERGY_LOG2 = 22 << 16  # energies have 22 fraction bits
_GAIN_LOG2 = 24 << 16
ENVELOPE_EPS = 4  # 1e-6 in units of 2^-22
LOG_LEAST = -1741647  # log2(1e-8), Q.16
LN2 = 90852  # ln 2, u0.17
MEAN_40 = 104858  # 2^22 / 40
LOG2_40 = 348778  # log2(40), Q.16
LOG2_14_13 = 7007  # log2(14 / 13), Q.16
TILT_LEAST = 39322  # 0.6, u0.16
NORM_EPS = 168  # 1e-5, u8.24
_VAR_LOG2 = 24 << 16
_LOW_END = 13
_HIGH_START = 26


@kernel
def log_energies(table, energy, out):
    """log2 of the integer energies, Q.16."""
    for m in range(N_MELS):
        out[m] = log2(table, energy[m])


@kernel
def log_words(table, mel, out):
    """log2 of the mel magnitudes as a RESULT sends it, s5.10; -32768 for 0."""
    for m in range(N_MELS):
        out[m] = sat(rsh(log2(table, mel[m]) - ENERGY_LOG2, 6), 16)


@kernel
def route(table, gate_temp, energy, log_energy, out):
    """Flatness, tilt, indicator and the stationary expert's weight of the floored mel energies, u0.16."""
    logs = 0
    total = 0
    low = 0
    high = 0
    for m in range(N_MELS):
        logs += log_energy[m]
        total += energy[m]
        if m < _LOW_END:
            low += energy[m]
        elif m >= _HIGH_START:
            high += energy[m]
    flatness = exp2(table, min(rsh(logs * MEAN_40, 22) - log2(table, total) + LOG2_40, 0), 16, 17)
    balance = log2(table, low) - log2(table, high) + LOG2_14_13
    tilt = sigmoid(table, rsh(balance * LN2, 21))
    indicator = flatness + rsh((ONE - flatness) * max(tilt - TILT_LEAST, 0), 16)
    out[0] = flatness
    out[1] = tilt
    out[2] = indicator
    out[3] = sigmoid(table, rsh(gate_temp * (indicator - 32768), 16))


@kernel
def pcen(table, t, coefficient, energy, log_energy, envelope, out):
    """One PCEN expert, s5.19."""
    for m in range(N_MELS):
        e = energy[m]
        if t == 0:
            envelope[m] = e
        else:
            envelope[m] = usat(envelope[m] + rsh((e - envelope[m]) * coefficient[at.PCEN_S, m], 17), 32)
        level = log2(table, usat(envelope[m] + ENVELOPE_EPS, 32)) - ENERGY_LOG2
        x = log_energy[m] - ENERGY_LOG2 - rsh(level * coefficient[at.PCEN_ALPHA, m], 17)
        gain = usat(exp2(table, x, 24, 32) + coefficient[at.PCEN_DELTA, m], 32)
        root = rsh((log2(table, gain) - _GAIN_LOG2) * coefficient[at.PCEN_R, m], 17)
        out[m] = sat(exp2(table, root, 19, 24) - coefficient[at.PCEN_OFFSET, m], 24)


@kernel
def mix(gate, expert, out):
    """Non-stationary expert plus gate times the difference to the stationary one."""
    for m in range(N_MELS):
        out[m] = expert[0, m] + rsh(gate * (expert[1, m] - expert[0, m]), 16)


@kernel
def log_features(log_energy, out):
    """ln of the energies, not below ln 1e-8, s5.19."""
    for m in range(N_MELS):
        out[m] = sat(rsh(max(log_energy[m] - ENERGY_LOG2, LOG_LEAST) * LN2, 14), 25)


@kernel
def running_norm(table, k, xn_shift, feature, mean, var, out):
    """Update running mean and variance per band with weight 1/k (k >= 2), then normalise by them, s16."""
    mantissa, e = reciprocal(table, k)
    for m in range(N_MELS):
        d = sat(feature[m] - rsh(mean[m], 7), 25)
        mean[m] = sat(mean[m] + rsh(d * mantissa, 9 + e), 32)
        square = rsh(d * mantissa, 17) * sat(rsh(d, 7), 18)
        grown = usat(var[m] + rsh(square, 6 + e), 32)
        var[m] = usat(grown - rsh(grown * mantissa, 16 + e), 31)
        x = rsh(_VAR_LOG2 - log2(table, var[m] + NORM_EPS), 1)
        d = sat(feature[m] - rsh(mean[m], 7), 25)
        out[m] = sat(rsh(d * exp2_mantissa(table, x), xn_shift - (x >> 16)), 16)

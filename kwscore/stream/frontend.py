"""Front-end kernels: noise anchor and floor, SNR, mel, gate, TinyConv, PCEN, running normalisation.

One frame per call, in the stream schedule (docs/stream_schedule.md); ``t`` is the frame index since reset.
"""

from __future__ import annotations

import math

import numpy as np

from kwscore.constants import N_FREQ, N_MELS
from kwscore.models import constants as c
from kwscore.stream import layout as at
from kwscore.stream.jit import fused_kernel, kernel
from kwscore.stream.mathf import ONE, ZERO, clip, sigmoid

_ANCHOR_FRAMES = c.ANCHOR_FRAMES
_ANCHOR_BLOCK = c.ANCHOR_BLOCK
_ANCHOR_MIN = np.float32(c.ANCHOR_MIN)
_SNR_GAIN = np.float32(c.SNR_GAIN)
_SNR_EPS = np.float32(c.SNR_EPS)
_PCEN_EPS = c.PCEN_EPS
_LOG_EPS = c.LOG_EPS
_NORM_EPS = c.NORM_EPS
_LEAST_VAR = 1e-30
_HALF = np.float32(0.5)


@kernel
def noise_anchor(t, ring, minimum, anchor):
    """Smallest 5-frame mean of the current and the previous 75 frames; the cumulative mean before frame 5."""
    count = min(t + 1, _ANCHOR_FRAMES)
    scale = ONE / np.float32(count)
    if t > 0 and t % _ANCHOR_BLOCK == 0:
        for f in range(N_FREQ):
            minimum[1, f] = minimum[0, f]
            minimum[0, f] = np.inf
    for f in range(N_FREQ):
        # empty slots of the ring are zero, so that all five can always be added
        anchor[f] = (ring[0, f] + ring[1, f] + ring[2, f] + ring[3, f] + ring[4, f]) * scale
    if t >= _ANCHOR_FRAMES - 1:
        for f in range(N_FREQ):
            minimum[0, f] = min(minimum[0, f], anchor[f])
    if t >= _ANCHOR_FRAMES:
        for f in range(N_FREQ):
            anchor[f] = min(minimum[0, f], minimum[1, f])
    for f in range(N_FREQ):
        anchor[f] = max(anchor[f], _ANCHOR_MIN)


@kernel
def noise_floor(t, follow, below, above, magnitude, anchor, floor):
    """Pull the floor to the magnitude, never below half the anchor; without ``follow`` (log) it is the anchor."""
    if not follow or t < _ANCHOR_FRAMES:
        for f in range(N_FREQ):
            floor[f] = anchor[f]
        return
    for f in range(N_FREQ):
        m = magnitude[f]
        n = floor[f]
        rate = above if m > n else below
        floor[f] = max((ONE - rate) * n + rate * m, _HALF * anchor[f])


@kernel
def floor_ratio(scale, magnitude, floor, ratio):
    """Magnitude over scaled noise floor, per bin."""
    for f in range(N_FREQ):
        ratio[f] = magnitude[f] / (scale * floor[f] + _SNR_EPS)


@fused_kernel
def mel_pair(start, count, weight, a, b, mel_a, mel_b):
    """Apply the sparse mel filterbank to two spectra at once."""
    for m in range(N_MELS):
        first = start[m]
        sum_a = ZERO
        sum_b = ZERO
        for j in range(count[m]):
            sum_a += weight[m, j] * a[first + j]
            sum_b += weight[m, j] * b[first + j]
        mel_a[m] = sum_a
        mel_b[m] = sum_b


@kernel
def squash_snr(ratio, snr):
    """s = tanh(ratio / 10)."""
    for m in range(N_MELS):
        snr[m] = math.tanh(_SNR_GAIN * ratio[m])


@kernel
def spectral_gate(band, snr, energy):
    """Learned spectral gate (LSG)."""
    for m in range(N_MELS):
        k = sigmoid(band[at.BAND_LSG_SCALE, m] * snr[m] + band[at.BAND_LSG_BIAS, m])
        phi = band[at.BAND_LSG_FLOOR, m]
        energy[m] *= k * (ONE - phi) + phi


@kernel
def tiny_conv(taps, bias, previous, energy, out):
    """e + ReLU(3x3 convolution), its future column folded onto the present frame; keeps the frame in ``previous``."""
    for m in range(N_MELS):
        total = bias[0]
        for j in range(3):
            row = m + j - 1
            if 0 <= row < N_MELS:
                total += taps[j, 0] * previous[row] + taps[j, 1] * energy[row]
        out[m] = energy[m] + max(total, ZERO)
    for m in range(N_MELS):
        previous[m] = energy[m]
        energy[m] = out[m]


@kernel
def band_floor(floor, energy):
    """Frequency-dependent floor."""
    for m in range(N_MELS):
        energy[m] = max(energy[m], floor[m])


@kernel
def log_features(energy, out):
    """ln(e + 1e-8)."""
    for m in range(N_MELS):
        out[m] = math.log(np.float64(energy[m]) + _LOG_EPS)


@kernel
def pcen(t, adaptive, coefficient, snr, energy, envelope, out):
    """One PCEN expert; ``adaptive``: low SNR raises its exponent and speeds its envelope (version 2)."""
    for m in range(N_MELS):
        s = coefficient[0, m]
        alpha = coefficient[1, m]
        delta = coefficient[2, m]
        r = coefficient[3, m]
        if adaptive:
            lack = 1.0 - np.float64(snr[m])
            r = clip(r * (1.0 + 0.5 * lack), 0.05, 0.40)
            s = clip(s * (1.0 + 0.3 * lack), 0.05, 0.40)
        e = np.float64(energy[m])
        before = e if t == 0 else envelope[m]
        env = (1.0 - s) * before + s * e
        envelope[m] = env
        gain = min(math.exp(-alpha * math.log(_PCEN_EPS + max(env, 1e-5))), 1e5)
        value = math.exp(r * math.log(e * gain + delta)) - math.exp(r * math.log(delta))
        out[m] = 0.0 if math.isnan(value) else value


@kernel
def mix(experts, routing, expert, out):
    """Sum of the experts' features weighted by the routing."""
    for m in range(N_MELS):
        out[m] = 0.0
    for e in range(experts):
        weight = routing[e]
        for m in range(N_MELS):
            out[m] += weight * expert[e, m]


@kernel
def window_length(t, prior, horizon):
    """Frames that running statistics average at frame t."""
    return min(t + 1.0 + prior, horizon)


@kernel
def running_norm(k, stats, feature, out):
    """Update running mean and variance per band (horizon ``k`` frames), then normalise by them."""
    for m in range(N_MELS):
        d = feature[m] - stats[0, m]
        mean = stats[0, m] + d / k
        var = (1.0 - 1.0 / k) * (stats[1, m] + d * d / k)
        stats[0, m] = mean
        # minutes of digital silence would take it to subnormal numbers, which are slow
        stats[1, m] = var if var > _LEAST_VAR else 0.0
        value = (feature[m] - mean) / math.sqrt(var + _NORM_EPS)
        out[m] = ZERO if math.isnan(value) else np.float32(value)


@kernel
def flatness_hint(k, scale, bias, normed, mean):
    """NASG: tanh of the running flatness of the normalised features; ``mean`` is (2,) State.mean."""
    log_sum = 0.0
    total = 0.0
    for m in range(N_MELS):
        p = max(np.float64(normed[m]), 1e-6)
        log_sum += math.log(p)
        total += p
    flatness = math.exp(log_sum / N_MELS) / (total / N_MELS + 1e-8)
    mean[at.MEAN_HINT] += (flatness - mean[at.MEAN_HINT]) / k
    return np.float32(math.tanh(scale * mean[at.MEAN_HINT] + bias))

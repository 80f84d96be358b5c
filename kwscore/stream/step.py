"""The fused step: samples in, one row of telemetry per finished frame out, state updated in place."""

from __future__ import annotations

import math

import numpy as np

from kwscore.audio.level import FLOOR_DBFS
from kwscore.constants import HOP, N_MELS, WINDOW
from kwscore.models.constants import ANCHOR_FRAMES
from kwscore.stream import backend as back
from kwscore.stream import frontend as front
from kwscore.stream import layout as at
from kwscore.stream.fft import magnitude_spectrum
from kwscore.stream.framing import fill_window, power_of_new, slide
from kwscore.stream.jit import entry, inlined_kernel, kernel
from kwscore.stream.layout import Bundle
from kwscore.stream.mathf import ZERO
from kwscore.stream.routing import route

_FULL_SCALE = 32768.0 * 32768.0


@kernel
def level_dbfs(power, count):
    """RMS level in dB re full scale of ``count`` int16 samples whose squares sum to ``power``."""
    if power == 0:
        return FLOOR_DBFS
    return 10.0 * math.log10(power / (count * _FULL_SCALE))


@inlined_kernel
def features(shape, weights, state, scratch, t, snr, mel, routing):
    """Front end of frame ``t`` from state.pcm to scratch.normed; returns gate and NASG hint."""
    scalar = weights.scalar
    magnitude = state.magnitude[t % ANCHOR_FRAMES]
    anchor, ratio = scratch.spectrum[0], scratch.spectrum[1]
    magnitude_spectrum(state.pcm, weights.window, weights.twiddle, weights.split, scratch.fft, magnitude)
    front.noise_anchor(t, state.magnitude, state.minimum, anchor)
    below, above = np.float32(scalar[at.RATE_BELOW]), np.float32(scalar[at.RATE_ABOVE])
    front.noise_floor(t, shape.front != at.FRONT_LOG, below, above, magnitude, anchor, state.floor)
    front.floor_ratio(np.float32(scalar[at.NOISE_SCALE]), magnitude, state.floor, ratio)
    front.mel_pair(weights.mel_start, weights.mel_count, weights.mel_weight, magnitude, ratio, mel, scratch.ratio)
    front.squash_snr(scratch.ratio, snr)

    energy = scratch.energy
    energy[:] = mel
    if shape.lsg:
        front.spectral_gate(weights.band, snr, energy)
    if shape.tiny_conv:
        front.tiny_conv(weights.tiny_conv, weights.tiny_bias, state.previous_mel, energy, scratch.ratio)

    k = front.window_length(t, scalar[at.NORM_PRIOR], scalar[at.NORM_HORIZON])
    gate = ZERO
    if shape.front == at.FRONT_LOG:
        front.log_features(energy, scratch.feature)
    else:
        front.band_floor(weights.band[at.BAND_FLOOR], energy)
        total = 0.0
        for m in range(N_MELS):
            total += snr[m]
        state.mean[at.MEAN_KAPPA] += (total / N_MELS - state.mean[at.MEAN_KAPPA]) / k
        gate = route(shape, t, scalar, state.mean[at.MEAN_KAPPA], energy, state.routing, routing)
        for e in range(shape.experts):
            front.pcen(t, shape.front_v2, weights.pcen[e], snr, energy, state.envelope[e], scratch.expert[e])
        front.mix(shape.experts, routing, scratch.expert, scratch.feature)
    front.running_norm(k, state.norm, scratch.feature, scratch.normed)
    hint = ZERO
    if shape.nasg:
        hint = front.flatness_hint(k, scalar[at.HINT_SCALE], scalar[at.HINT_BIAS], scratch.normed, state.mean)
    return gate, hint


@inlined_kernel
def frame(shape, weights, state, scratch, t, row):
    """Everything of one frame; telemetry into ``row`` (see ``layout.output_columns``)."""
    mel, snr = row[at.OUT_MEL : at.OUT_SNR], row[at.OUT_SNR : at.OUT_PCEN]
    end = at.OUT_ROUTING + shape.experts
    gate, hint = features(shape, weights, state, scratch, t, snr, mel, row[at.OUT_ROUTING : end])
    row[at.OUT_PCEN : at.OUT_ROUTING] = scratch.feature
    channels, states = shape.channels, shape.states
    if shape.ssm == at.SSM_TCN:
        channels = states = 0
    begin = end + shape.layers * channels
    scratch.x[:] = weights.project_bias
    back.project(weights.project, scratch.normed, scratch.x)
    for layer in range(shape.layers):
        delta, opening = row[end : end + channels], row[begin : begin + states]
        back.block(shape, t, weights, layer, gate, hint, snr, state, scratch, delta, opening)
        end += channels
        begin += states
    back.head(t, weights, state, scratch, row[begin:])


@entry
def bundle(shape, weights, state, scratch):
    """Put the four behind one pointer; the arrays stay shared with the caller."""
    return Bundle(shape, weights, state, scratch)


@entry
def run(bundled, samples, out):
    """Push int16 ``samples``; returns the number of frames written to the rows of ``out`` (T, width)."""
    shape, weights, state, scratch = bundled.shape, bundled.weights, bundled.state, bundled.scratch
    taken = 0
    rows = 0
    pcm = state.pcm
    fill = state.counter[at.FILL]
    while True:
        part = fill_window(pcm, fill, samples, taken)
        fill += part
        taken += part
        if fill < WINDOW:
            break
        t = state.counter[at.FRAME]
        out[rows, at.OUT_LEVEL] = level_dbfs(power_of_new(pcm, t), WINDOW if t == 0 else HOP)
        frame(shape, weights, state, scratch, t, out[rows])
        state.counter[at.FRAME] = t + 1
        rows += 1
        fill = slide(pcm)
    state.counter[at.FILL] = fill
    return rows

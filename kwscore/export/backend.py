"""The blocks of one frame as ONNX nodes: norm, gated projection, convolution, SA-SSM in its versions.

``w`` are the effective parameters that ``kwscore.stream.weights.pack`` makes for the float engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_MELS
from kwscore.export.frontend import Clock
from kwscore.export.graph import Graph, Value
from kwscore.stream import layout as at

_NORM_EPS = 1e-5
_STATE_LIMIT = 1e4  # of version 2 and NC
_STATIONARY_DISCOUNT = 0.4  # likewise


@dataclass(frozen=True)
class Given:
    """What modulates the blocks: SNR (B, 40), gate and NASG hint (B, 1) or None."""

    clock: Clock
    snr: Value
    gate: Value | None
    hint: Value | None


def layer_norm(g: Graph, affine: NDArray[np.float32], x: Value) -> Value:
    """Norm over the last axis; ``affine`` (2, d) weight and bias."""
    return g.op("LayerNormalization", x, affine[0], affine[1], axis=-1, epsilon=_NORM_EPS)


def blocks(g: Graph, shape: at.Shape, w: at.Weights, given: Given, normed: Value) -> tuple[Value, Value | None]:
    """Normalised feature (B, 40) -> output of the final norm (B, d), step sizes (B, blocks, D) or None.

    States ``conv_i`` and, but for TCN, ``ssm_i`` (NC: also ``sub_band_i``) of each block i.
    """
    x = normed @ w.project + w.project_bias
    deltas = []
    for i in range(shape.layers):
        u, z = g.split(layer_norm(g, w.norm_affine[i], x) @ w.in_proj[i], shape.channels, shape.channels)
        y = _conv(g, w, i, u)
        if shape.ssm != at.SSM_TCN:
            y, delta = _ssm(g, shape, w, i, given, y)
            deltas.append(g.insert(delta, 1))
        x = x + (y * g.silu(z)) @ w.out_proj[i]
    return layer_norm(g, w.final_affine, x), g.concat(*deltas, axis=1) if deltas else None


def classify(w: at.Weights, pooled: Value) -> Value:
    """Logits (B, 12) of the pooled final norm (B, d)."""
    return pooled @ w.classifier.T + w.classifier_bias


def _conv(g: Graph, w: at.Weights, i: int, u: Value) -> Value:
    """SiLU of the causal depthwise convolution."""
    dilation = int(w.dilation[i])
    rows = g.append(f"conv_{i}", u, 2 * dilation + 1, (w.conv.shape[2],))
    taps = rows if dilation == 1 else g.op("Gather", rows, g.integers(0, dilation, 2 * dilation), axis=1)
    return g.silu(g.total(taps * w.conv[i, :3], 1) + w.conv[i, 3])


def _ssm(g: Graph, shape: at.Shape, w: at.Weights, i: int, given: Given, u: Value) -> tuple[Value, Value]:
    """Output and step size, each (B, D), of the convolved input u (B, D)."""
    b, n = w.block[i], shape.states
    source = u
    if shape.nasg:
        assert given.hint is not None
        scale, bias = b[at.NASG_SCALE].clip(2.0, 10.0), b[at.NASG_BIAS].clip(-2.0, 2.0)
        source = u * g.op("Sigmoid", given.hint * scale + bias)
    dt, weight, read = g.split(source @ w.x_proj[i].T, 1, n, n)
    shift, opening = g.split(given.snr @ w.snr_proj[i].T + w.snr_bias[i], 1, n)
    if shape.ssm == at.SSM_NC:
        level, bands = _levels(g, shape, w, i, given)
        dt, weight, read = _select(g, w, i, given, level, bands, (dt, weight, read))
    else:
        level = g.mean(given.snr if shape.ssm == at.SSM_V1 else _saturated(g, w, i, given.snr))
    delta = _step_size(g, shape, w, i, given, level, dt + shift if shape.use_shift else dt)
    if shape.use_gate:
        alpha, floor = b[at.ALPHA], b[at.GATE_FLOOR]
        weight = weight * ((g.op("Sigmoid", opening) * (1.0 - floor) + floor) * alpha + (1.0 - alpha))
    drive = g.insert(delta, 1) * g.insert(weight, -1) + g.insert(_between(b, at.EPSILON_MAX, at.EPSILON_MIN, level), -1)
    if shape.nasg:
        assert given.hint is not None
        scale, bias = b[at.MASK_SCALE].clip(1.0, 8.0), b[at.MASK_BIAS].clip(-2.0, 2.0)
        drive = drive * g.insert(g.op("Sigmoid", given.hint * scale + (w.state_row[i, at.MASK_PENALTY] + bias)), -1)
    decay = g.op("Exp", g.insert(delta, 1) * w.decay[i])
    hidden = decay * g.state(f"ssm_{i}", (n, shape.channels)) + drive * g.insert(u, 1)
    if shape.ssm != at.SSM_V1:
        hidden = g.clip(hidden, -_STATE_LIMIT, _STATE_LIMIT)
    g.keep(f"ssm_{i}", hidden)
    return g.total(hidden * g.insert(read, -1), 1) + u * w.channel[i, 2], delta


def _between(b: NDArray[np.float32], start: int, end: int, position: Value) -> Value:
    return position * (b[end] - b[start]) + b[start]


def _step_size(g: Graph, shape: at.Shape, w: at.Weights, i: int, given: Given, level: Value, step: Value) -> Value:
    b = w.block[i]
    delta = g.op("Softplus", step * w.channel[i, 0] + w.channel[i, 1])
    least = _between(b, at.DELTA_MIN, at.DELTA_MAX, level)
    if shape.ssm != at.SSM_V1:
        delta = g.op("Min", delta, 1.0)
        if given.gate is not None:
            least = least * (1.0 - given.gate * _STATIONARY_DISCOUNT)
            if shape.ssm == at.SSM_NC:
                least = least * (given.gate * b[at.STATION_ALPHA].clip(-1.0, 1.0) + 1.0)
    return delta + least


def _saturated(g: Graph, w: at.Weights, i: int, snr: Value) -> Value:
    """Michaelis-Menten response (B, 40) of the SNR."""
    bounded = g.clip(snr, 0.0, 1.0)
    return bounded / (bounded + w.block[i, at.HALF_SAT])


def _levels(g: Graph, shape: at.Shape, w: at.Weights, i: int, given: Given) -> tuple[Value, Value]:
    """NC: saturated SNR as a whole (B, 1) and of the sub-bands (B, N), each the mean of three frames."""
    pool = np.zeros((N_MELS, shape.states), np.float32)
    for n, (begin, end) in enumerate(w.sub_band):
        pool[begin:end, n] = 1.0 / (end - begin)
    bands = _saturated(g, w, i, given.snr) @ pool
    now = g.insert(g.concat(bands, g.mean(bands)), 1)
    before = g.state(f"sub_band_{i}", (2, shape.states + 1))
    three = g.concat(g.op("Where", g.insert(given.clock.first, -1), now, before), now, axis=1)
    g.keep(f"sub_band_{i}", g.part(three, 1, 3, axis=1))
    bands, level = g.split(g.total(three, 1) / 3.0, shape.states, 1)
    return level, bands


def _select(
    g: Graph, w: at.Weights, i: int, given: Given, level: Value, bands: Value, free: tuple[Value, Value, Value]
) -> tuple[Value, Value, Value]:
    """NC: dt, B and C blended with their learned constants where the sub-bands hold noise."""
    b, rows = w.block[i], w.state_row[i]
    trust_dt = g.op("Sigmoid", level * b[at.SEL_SCALE] + b[at.SEL_BIAS])
    trust = g.op("Sigmoid", bands * rows[at.SEL_SUB_SCALE] + rows[at.SEL_BIAS_BC])
    if given.gate is not None:
        keep = 1.0 - given.gate * b[at.PCEN_MOD].clip(0.0, 1.0)
        trust_dt, trust = trust_dt * keep, trust * keep
    mean = g.mean(bands)
    d = bands - mean
    spread = g.op("Sqrt", g.mean(d * d) + 1e-6) / (g.op("Abs", mean) + 1e-4)
    broadband = 1.0 - g.clip(spread, 0.0, 1.0)
    base_b = (broadband * rows[at.B_SF_SCALE].clip(-5.0, 5.0) + 1.0) * rows[at.B_BASE]
    dt, weight, read = free
    return (
        (dt - b[at.DT_BASE]) * trust_dt + b[at.DT_BASE],
        (weight - base_b) * trust + base_b,
        (read - rows[at.C_BASE]) * trust + rows[at.C_BASE],
    )

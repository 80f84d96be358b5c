"""Back-end kernels: layer norm, projections, the SA-SSM block in its versions, pooling and classifier."""

from __future__ import annotations

import math

import numpy as np

from kwscore.constants import CLIP_FRAMES, N_CLASSES, N_MELS
from kwscore.stream import layout as at
from kwscore.stream.jit import fused_kernel, inlined_kernel, kernel
from kwscore.stream.mathf import ONE, ZERO, clip, exp, finite, sigmoid, silu, softplus

_EPS = 1e-5
_LIMIT = np.float32(1e4)
_STATION = np.float32(0.4)
_THIRD = np.float32(1.0 / 3.0)


@kernel
def layer_norm(affine, x, out):
    """Normalise over the model width; ``affine`` (2, d) weight and bias."""
    n = x.shape[0]
    total = 0.0
    for i in range(n):
        total += x[i]
    mean = total / n
    square = 0.0
    for i in range(n):
        square += (x[i] - mean) * (x[i] - mean)
    scale = 1.0 / math.sqrt(square / n + _EPS)
    for i in range(n):
        out[i] = np.float32((x[i] - mean) * scale) * affine[0, i] + affine[1, i]


@fused_kernel
def project(matrix, x, out):
    """out += x @ matrix, matrix (in, out)."""
    rows, columns = matrix.shape
    for i in range(rows):
        value = x[i]
        for j in range(columns):
            out[j] += value * matrix[i, j]


@fused_kernel
def project_rows(matrix, x, out):
    """out += matrix @ x, matrix (out, in): for few outputs, where sums over inputs vectorise better."""
    rows, columns = matrix.shape
    for i in range(rows):
        total = ZERO
        for j in range(columns):
            total += matrix[i, j] * x[j]
        out[i] += total


@fused_kernel
def ring_mean(ring, count, out):
    """Mean of the first ``count`` rows of ``ring``, summed afresh so that it cannot drift."""
    width = out.shape[0]
    for j in range(width):
        out[j] = ZERO
    whole = count - count % 4
    for i in range(0, whole, 4):
        for j in range(width):
            out[j] += (ring[i, j] + ring[i + 1, j]) + (ring[i + 2, j] + ring[i + 3, j])
    for i in range(whole, count):
        for j in range(width):
            out[j] += ring[i, j]
    scale = ONE / np.float32(count)
    for j in range(width):
        out[j] *= scale


@kernel
def causal_conv(t, dilation, conv, history, u):
    """Depthwise width-3 convolution of ``u`` (D,) in place, then SiLU; ``history`` (reach, D): past inputs."""
    reach = 2 * dilation
    oldest = t % reach
    middle = (t + dilation) % reach  # the slot written at t - dilation
    for c in range(conv.shape[1]):
        value = u[c]
        total = conv[3, c] + conv[0, c] * history[oldest, c] + conv[1, c] * history[middle, c] + conv[2, c] * value
        history[oldest, c] = value
        u[c] = silu(total)


@kernel
def saturation(half, snr, sub_band, out):
    """Michaelis-Menten saturation of the SNR, averaged over each sub-band into ``out`` (N,); returns their mean."""
    states = sub_band.shape[0]
    total = ZERO
    for m in range(N_MELS):
        s = clip(snr[m], ZERO, ONE)
        total += s / (s + half)
    for n in range(states):
        part = ZERO
        for m in range(sub_band[n, 0], sub_band[n, 1]):
            s = clip(snr[m], ZERO, ONE)
            part += s / (s + half)
        out[n] = part / np.float32(sub_band[n, 1] - sub_band[n, 0])
    return total / np.float32(N_MELS)


@kernel
def _smooth(t, history, now):
    """Replace ``now`` by its mean over three frames (the first frame held before the start); ``history`` (2, n)."""
    for i in range(now.shape[0]):
        value = now[i]
        if t == 0:
            history[0, i] = value
            history[1, i] = value
        now[i] = (history[0, i] + history[1, i] + value) * _THIRD
        history[t % 2, i] = value


@kernel
def select(t, b, rows, gate, snr, sub_band, history, proj, selection):
    """NC selection: blend dt, B and C with their learned bases by sub-band SNR. Returns the smoothed mean L."""
    states = rows.shape[1]
    smooth = selection[0]
    saturation(b[at.HALF_SAT], snr, sub_band, smooth[:states])
    total = ZERO
    for n in range(states):
        total += smooth[n]
    smooth[states] = total / np.float32(states)
    _smooth(t, history, smooth)
    level = smooth[states]
    damp = ONE - clip(b[at.PCEN_MOD], ZERO, ONE) * gate

    mean = 0.0
    for n in range(states):
        mean += smooth[n]
    mean /= states
    square = 0.0
    for n in range(states):
        square += (smooth[n] - mean) * (smooth[n] - mean)
    spread = math.sqrt(square / states + 1e-6) / (abs(mean) + 1e-4)
    broadband = np.float32(1.0 - clip(spread, 0.0, 1.0))

    keep = sigmoid(b[at.SEL_SCALE] * level + b[at.SEL_BIAS]) * damp
    proj[0] = keep * proj[0] + (ONE - keep) * b[at.DT_BASE]
    for n in range(states):
        keep = sigmoid(rows[at.SEL_SUB_SCALE, n] * smooth[n] + rows[at.SEL_BIAS_BC, n]) * damp
        lift = ONE + clip(rows[at.B_SF_SCALE, n], np.float32(-5.0), np.float32(5.0)) * broadband
        proj[1 + n] = keep * proj[1 + n] + (ONE - keep) * rows[at.B_BASE, n] * lift
        proj[1 + states + n] = keep * proj[1 + states + n] + (ONE - keep) * rows[at.C_BASE, n]
    return level


@kernel
def scan_step(limit, mask, decay, skip, eps, delta, proj, u, hidden, out):
    """One step of the state space: update ``hidden`` (N, D), write the read-out into ``out`` (D,)."""
    states, channels = hidden.shape
    for c in range(channels):
        out[c] = skip[c] * u[c]
    for n in range(states):
        b = proj[1 + n]
        read = proj[1 + states + n]
        weight = mask[n]
        for c in range(channels):
            drive = (delta[c] * b + eps) * u[c] * weight
            h = exp(delta[c] * decay[n, c]) * hidden[n, c] + drive
            if limit:
                h = clip(h, -_LIMIT, _LIMIT)
            hidden[n, c] = h
            out[c] += read * h
    if limit:
        for c in range(channels):
            out[c] = finite(out[c], _LIMIT)


@inlined_kernel
def ssm(shape, t, b, rows, weights, layer, gate, hint, snr, state, scratch, delta, opening):
    """SA-SSM (v1, v2, NC) of the convolved input scratch.inner[:D] into scratch.scan[1].

    Writes the step sizes into ``delta`` (D,) and what the SNR gate multiplies B by into ``opening`` (N,).
    """
    states, channels = shape.states, shape.channels
    u = scratch.inner[:channels]
    proj = scratch.proj
    source = u
    if shape.nasg:
        factor = sigmoid(
            clip(b[at.NASG_SCALE], np.float32(2.0), np.float32(10.0)) * hint
            + clip(b[at.NASG_BIAS], np.float32(-2.0), np.float32(2.0))
        )
        source = scratch.scan[2]
        for c in range(channels):
            source[c] = factor * u[c]
    proj[:] = ZERO
    project_rows(weights.x_proj[layer], source, proj)
    modulation = scratch.modulation
    modulation[:] = weights.snr_bias[layer]
    project_rows(weights.snr_proj[layer], snr, modulation)

    station = ONE
    if shape.ssm == at.SSM_NC:
        level = select(t, b, rows, gate, snr, weights.sub_band, state.sub_band[layer], proj, scratch.selection)
        station = (ONE - _STATION * gate) * (ONE + clip(b[at.STATION_ALPHA], -ONE, ONE) * gate)
    elif shape.ssm == at.SSM_V2:
        level = saturation(b[at.HALF_SAT], snr, weights.sub_band, scratch.selection[0])
        station = ONE - _STATION * gate
    else:
        level = ZERO
        for m in range(N_MELS):
            level += snr[m]
        level /= np.float32(N_MELS)

    least = (b[at.DELTA_MIN] + (b[at.DELTA_MAX] - b[at.DELTA_MIN]) * level) * station
    eps = b[at.EPSILON_MAX] - (b[at.EPSILON_MAX] - b[at.EPSILON_MIN]) * level
    shift = modulation[0] if shape.use_shift else ZERO
    step = proj[0] + shift
    for c in range(channels):
        d = softplus(weights.channel[layer, 0, c] * step + weights.channel[layer, 1, c])
        if shape.ssm != at.SSM_V1:
            d = min(d, ONE)
        delta[c] = d + least
    opening[:] = ONE
    if shape.use_gate:
        alpha = b[at.ALPHA]
        floor = b[at.GATE_FLOOR]
        for n in range(states):
            open_ = sigmoid(modulation[1 + n]) * (ONE - floor) + floor
            opening[n] = ONE - alpha + alpha * open_
            proj[1 + n] *= opening[n]
    mask = scratch.selection[1]
    for n in range(states):
        mask[n] = ONE
        if shape.nasg:
            mask[n] = sigmoid(
                clip(b[at.MASK_SCALE], ONE, np.float32(8.0)) * hint
                + clip(b[at.MASK_BIAS], np.float32(-2.0), np.float32(2.0))
                + rows[at.MASK_PENALTY, n]
            )
    scan_step(
        shape.ssm != at.SSM_V1, mask, weights.decay[layer], weights.channel[layer, 2], eps, delta, proj, u,
        state.hidden[layer], scratch.scan[1],
    )  # fmt: skip


@inlined_kernel
def block(shape, t, weights, layer, gate, hint, snr, state, scratch, delta, opening):
    """One block with its residual, on scratch.x in place."""
    channels = shape.channels
    x, inner = scratch.x, scratch.inner
    layer_norm(weights.norm_affine[layer], x, scratch.y)
    inner[:] = ZERO
    project(weights.in_proj[layer], scratch.y, inner)
    causal_conv(t, weights.dilation[layer], weights.conv[layer], state.conv[layer], inner[:channels])
    result = scratch.scan[1]
    if shape.ssm == at.SSM_TCN:
        result[:] = inner[:channels]
    else:
        b, rows = weights.block[layer], weights.state_row[layer]
        ssm(shape, t, b, rows, weights, layer, gate, hint, snr, state, scratch, delta, opening)
    for c in range(channels):
        result[c] *= silu(inner[channels + c])
    project(weights.out_proj[layer], result, x)
    for i in range(x.shape[0]):
        x[i] = finite(x[i], _LIMIT)


@inlined_kernel
def head(t, weights, state, scratch, logits):
    """Final norm, mean of the last 97 outputs, classifier."""
    slot = t % CLIP_FRAMES
    layer_norm(weights.final_affine, scratch.x, state.pool[slot])
    count = min(t + 1, CLIP_FRAMES)
    ring_mean(state.pool, count, scratch.y)
    for k in range(N_CLASSES):
        logits[k] = weights.classifier_bias[k]
    project_rows(weights.classifier, scratch.y, logits)

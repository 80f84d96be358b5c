"""Layer norm, projections and the SA-SSM block (docs/fixed_point.md, section 6)."""

from __future__ import annotations

import numpy as np

from kwscore.constants import N_MELS
from kwscore.fixed import layout as at
from kwscore.fixed.arith import bit_length, rsh, sat, usat
from kwscore.fixed.functions import exp2, exp2_mantissa, log2, sigmoid, softplus
from kwscore.fixed.jit import kernel


@kernel
def row(weight, shift, x):
    """One matrix row: 32-bit saturated accumulator shifted right."""
    total = np.int64(0)
    for i in range(weight.shape[0]):
        total += weight[i] * x[i]
    return rsh(sat(total, 32), shift)


@kernel
def layer_norm(table, scalar, affine, shift, x, out):
    """Normalise over the model width: block-normalised differences, rsqrt through log2 and exp2; s16."""
    total = np.int64(0)
    for i in range(x.shape[0]):
        total += x[i]
    mean = rsh(total * scalar[at.WIDTH_MANTISSA], scalar[at.WIDTH_SHIFT])
    largest = np.int64(0)
    for i in range(x.shape[0]):
        largest = max(largest, abs(sat(x[i] - mean, 25)))
    s = max(bit_length(largest) - 16, 0)
    square = np.int64(0)
    for i in range(x.shape[0]):
        d = rsh(sat(x[i] - mean, 25), s)
        square += d * d
    power = square + rsh(scalar[at.LN_EPS], 2 * s)
    inverse = rsh(scalar[at.WIDTH_LOG2] - log2(table, power), 1)
    mantissa = exp2_mantissa(table, inverse)
    fall = 2 - (inverse >> 16)
    for i in range(x.shape[0]):
        d = rsh(sat(x[i] - mean, 25), s)
        n = sat(rsh(d * mantissa, fall), 18)
        out[i] = sat(rsh(n * affine[0, i], shift) + affine[1, i], 16)


@kernel
def convolve(table, t, b, conv, history, fresh, linear, out):
    """Depthwise width-3 convolution (``linear``, Q.12) and SiLU; ``history`` holds the two inputs before ``fresh``."""
    slot = t % 2
    for c in range(conv.shape[1]):
        value = fresh[c]
        total = conv[0, c] * history[slot, c] + conv[1, c] * history[1 - slot, c] + conv[2, c] * value
        history[slot, c] = value
        x = sat(rsh(total, b[at.CONV_SHIFT]) + conv[3, c], 24)
        linear[c] = x
        out[c] = sat(rsh(x * sigmoid(table, x), b[at.U_SHIFT]), 16)


@kernel
def gate_factor(table, b, logit):
    """What the SNR gate multiplies one entry of B by, s5.13."""
    return sat(b[at.GATE_BASE] + rsh(b[at.GATE_SLOPE] * sigmoid(table, logit), 16), 18)


@kernel
def gate_factors(table, blocks, modulation, out):
    """The factors (L, N) of all blocks again, for telemetry, from ``modulation`` (L, N+1)."""
    layers, states = out.shape
    for layer in range(layers):
        for n in range(states):
            out[layer, n] = gate_factor(table, blocks[layer], modulation[layer, 1 + n])


@kernel
def modulate(table, b, weight, shift, bias, snr, snr_sum, proj, modulation, gated):
    """SNR projection (shift of the step, gate logits) and B times its gate."""
    states = gated.shape[0]
    for n in range(states + 1):
        modulation[n] = sat(row(weight[n], shift[n], snr) + bias[n], 24)
    total = np.int64(0)
    for m in range(N_MELS):
        total += snr[m]
    snr_sum[0] = total
    for n in range(states):
        factor = gate_factor(table, b, modulation[1 + n])
        gated[n] = sat(rsh(proj[1 + n] * factor, b[at.B_SHIFT]), 16)


@kernel
def step_size(table, b, channel, snr_sum, dt, shift, out):
    """Delta per channel, u5.11."""
    least = b[at.PHI_LEAST] + rsh(b[at.PHI_SLOPE] * snr_sum, 19)
    step = sat(dt + shift, 24)
    for c in range(out.shape[0]):
        x = sat(rsh(step * channel[at.DT_WEIGHT, c], b[at.DT_SHIFT]) + channel[at.DT_BIAS, c], 24)
        out[c] = usat(rsh(softplus(table, x) + least, 5), 16)


@kernel
def scan(table, b, channel, decay, decay_shift, snr_sum, delta, gated, read, u, dying, hidden, out):
    """One step of the state space: ``hidden`` (N, D) s24, read-out ``out`` (D,) s24, decays into ``dying``."""
    states, channels = hidden.shape
    eps = b[at.EPS_MOST] - rsh(b[at.EPS_SLOPE] * snr_sum, 21)
    for c in range(channels):
        total = np.int64(0)
        for n in range(states):
            fall = usat(rsh(delta[c] * decay[n, c], decay_shift[n]), 24)
            keep = exp2(table, -fall, 16, 16)
            gain = sat(rsh(delta[c] * gated[n], b[at.DRIVE_B_SHIFT]) + eps, 25)
            drive = sat(rsh(gain * u[c], b[at.DRIVE_SHIFT]), 32)
            h = sat(rsh(hidden[n, c] * keep, 16) + drive, 24)
            dying[n, c] = keep
            hidden[n, c] = h
            total += read[n] * h
        skip = rsh(channel[at.SKIP, c] * u[c], b[at.SKIP_SHIFT])
        out[c] = sat(rsh(total, b[at.Y_SHIFT]) + skip, 24)


@kernel
def block(table, t, net, state, trace, layer):
    """One block with its residual: trace.x[layer] to trace.x[layer + 1]."""
    weight, shift, const = net.weight, net.shift, net.const
    b = const.block[layer]
    x, inner = trace.x[layer], trace.inner[layer]
    channels = trace.u.shape[1]
    states = trace.b.shape[1]
    layer_norm(table, const.scalar, const.ln[layer], b[at.LN_SHIFT], x, trace.ln[layer])
    for c in range(2 * channels):
        bits = 16 if c < channels else 24
        inner[c] = sat(row(weight.in_proj[layer, c], shift.in_proj[layer, c], trace.ln[layer]), bits)
    u = trace.u[layer]
    convolve(table, t, b, const.conv[layer], state.conv[layer], inner[:channels], trace.conv[layer], u)
    proj, modulation = trace.proj[layer], trace.modulation[layer]
    for n in range(2 * states + 1):
        bits = 24 if n <= states else 16
        proj[n] = sat(row(weight.x_proj[layer, n], shift.x_proj[layer, n], u), bits)
    gated, delta = trace.b[layer], trace.delta[layer]
    modulate(
        table, b, weight.snr_proj[layer], shift.snr_proj[layer], const.snr_bias[layer], trace.snr, trace.snr_sum,
        proj, modulation, gated,
    )  # fmt: skip
    snr_sum = trace.snr_sum[0]
    step_size(table, b, const.channel[layer], snr_sum, proj[0], modulation[0], delta)
    scan(
        table, b, const.channel[layer], const.decay[layer], const.decay_shift[layer], snr_sum, delta, gated,
        proj[1 + states :], u, trace.decay[layer], state.hidden[layer], trace.y[layer],
    )  # fmt: skip
    trace.hidden[layer] = state.hidden[layer]
    for c in range(channels):
        z = inner[channels + c]
        trace.sz[layer, c] = sat(rsh(z * sigmoid(table, z), b[at.SZ_SHIFT]), 16)
        trace.v[layer, c] = sat(rsh(trace.y[layer, c] * trace.sz[layer, c], b[at.V_SHIFT]), 20)
    for i in range(x.shape[0]):
        change = row(weight.out_proj[layer, i], shift.out_proj[layer, i], trace.v[layer])
        trace.x[layer + 1, i] = sat(x[i] + change, 24)

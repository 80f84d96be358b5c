"""The whole datapath: 16-bit samples in, one row of integers per finished frame out, state updated in place."""

from __future__ import annotations

from kwscore.constants import N_MELS, WINDOW
from kwscore.fixed import features as feat
from kwscore.fixed import frontend as front
from kwscore.fixed import layout as at
from kwscore.fixed import spectrum as spec
from kwscore.fixed.arith import sat
from kwscore.fixed.block import block, gate_factors, layer_norm, row
from kwscore.fixed.head import head
from kwscore.fixed.jit import entry, kernel
from kwscore.models.constants import ANCHOR_FRAMES
from kwscore.stream.framing import fill_window, power_of_new, slide


@kernel
def spectral(sizes, rom, net, state, trace, t):
    """Samples to magnitude, noise floor, mel and SNR."""
    scalar, table = net.const.scalar, rom.func
    spec.window(state.pcm, rom.window, trace.gain, trace.windowed)
    spec.fft(rom.twiddle, trace.windowed, trace.spectrum[0], trace.spectrum[1])
    spec.magnitude(table, trace.gain[0], trace.spectrum[0], trace.spectrum[1], trace.magnitude)
    state.ring[t % ANCHOR_FRAMES] = trace.magnitude
    front.noise_anchor(table, t, state.ring, state.minimum, trace.anchor)
    front.noise_floor(
        t, sizes.front != at.FRONT_LOG, scalar[at.RATE_BELOW], scalar[at.RATE_ABOVE], trace.magnitude, trace.anchor,
        state.floor,
    )  # fmt: skip
    trace.floor[:] = state.floor
    front.floor_ratio(table, scalar[at.LOG2_NOISE_SCALE], trace.magnitude, state.floor, trace.ratio)
    front.mel_pair(
        rom.mel_start, rom.mel_count, rom.mel_weight, trace.magnitude, trace.ratio, trace.mel, trace.mel_ratio
    )
    front.squash_snr(table, trace.mel_ratio, trace.snr)


@kernel
def normalised(sizes, rom, net, state, trace, t):
    """Mel and SNR to the normalised features."""
    const, table = net.const, rom.func
    if sizes.front == at.FRONT_LOG:
        trace.energy[:] = trace.mel
        feat.log_energies(table, trace.energy, trace.log_energy)
        feat.log_features(trace.log_energy, trace.feature)
    else:
        for m in range(N_MELS):
            trace.energy[m] = max(trace.mel[m], const.band_floor[m])
        feat.log_energies(table, trace.energy, trace.log_energy)
        feat.route(table, const.scalar[at.GATE_TEMP], trace.energy, trace.log_energy, trace.routing)
        for e in range(2):
            feat.pcen(
                table, t, const.pcen[e], trace.energy, trace.log_energy, state.envelope[e], trace.expert[e]
            )  # fmt: skip
        trace.envelope[:] = state.envelope
        feat.mix(trace.routing[3], trace.expert, trace.feature)
    k = min(t + 1 + const.scalar[at.NORM_PRIOR], const.scalar[at.NORM_HORIZON])
    feat.running_norm(table, k, const.scalar[at.XN_SHIFT], trace.feature, state.mean, state.var, trace.normed)
    trace.mean[:] = state.mean
    trace.var[:] = state.var


@kernel
def network(sizes, rom, net, state, trace, t):
    """Normalised features and SNR to logits."""
    const, table = net.const, rom.func
    for i in range(sizes.d):
        trace.x[0, i] = sat(row(net.weight.project[i], net.shift.project[i], trace.normed) + const.project_bias[i], 24)
    for layer in range(sizes.layers):
        block(table, t, net, state, trace, layer)
    layer_norm(table, const.scalar, const.final, const.scalar[at.FINAL_SHIFT], trace.x[sizes.layers], trace.final)
    head(table, t, net, state, trace)


@kernel
def tell(rom, net, trace, out, i):
    """The newest frame as row ``i`` of the telemetry."""
    out.mel[i] = trace.mel
    feat.log_words(rom.func, trace.mel, out.log_mel[i])
    out.snr[i] = trace.snr
    out.gate[i] = trace.routing[3]
    out.delta[i] = trace.delta
    out.logits[i] = trace.logits
    out.pcen[i] = trace.feature
    gate_factors(rom.func, net.const.block, trace.modulation, out.factor[i])


@entry
def run(sizes, rom, net, state, trace, lead, given, samples, out):
    """Run the network alone on ``given`` (n, 2, 40), normalised features and SNR, then push int16 ``samples``; returns
    the number of frames written to ``out``, which must have room for them. ``lead``: such given frames before."""
    rows = 0
    for i in range(given.shape[0]):
        trace.normed[:] = given[i, 0]
        trace.snr[:] = given[i, 1]
        network(sizes, rom, net, state, trace, state.counter[at.FRAME] + lead)
        tell(rom, net, trace, out, rows)
        lead += 1
        rows += 1
    taken = 0
    pcm = state.pcm
    fill = state.counter[at.FILL]
    while True:
        part = fill_window(pcm, fill, samples, taken)
        fill += part
        taken += part
        if fill < WINDOW:
            break
        t = state.counter[at.FRAME]
        spectral(sizes, rom, net, state, trace, t)
        normalised(sizes, rom, net, state, trace, t)
        network(sizes, rom, net, state, trace, t + lead)
        out.power[rows] = power_of_new(pcm, t)
        tell(rom, net, trace, out, rows)
        state.counter[at.FRAME] = t + 1
        rows += 1
        fill = slide(pcm)
    state.counter[at.FILL] = fill
    return rows

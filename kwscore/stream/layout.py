"""What the kernels are given: sizes and switches, packed weights, the state of one stream, scratch space.

All are named tuples of plain numpy arrays and integers, so that one compiled kernel serves every network: a part that
a network lacks is an array of length 0. Letters: E experts, L blocks, d model width, D SSM channels, N SSM states.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.experimental import structref
from numpy.typing import NDArray

from kwscore.constants import CLIP_FRAMES, N_CLASSES, N_FREQ, N_MELS, WINDOW
from kwscore.models.constants import ANCHOR_FRAMES

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I2 = NDArray[np.int16]
I8 = NDArray[np.int64]

FRONT_LOG, FRONT_PCEN, FRONT_DUAL, FRONT_TRI = 0, 1, 2, 3
SSM_V1, SSM_V2, SSM_NC, SSM_TCN = 0, 1, 2, 3
SMOOTH = 7
"""Frames of the causal average in version 2 routing."""

# rows of Weights.band
BAND_FLOOR, BAND_LSG_SCALE, BAND_LSG_BIAS, BAND_LSG_FLOOR = 0, 1, 2, 3
# entries of Weights.scalar
NOISE_SCALE, RATE_BELOW, RATE_ABOVE, GATE_TEMP, GATE_TEMP2, NORM_PRIOR, NORM_HORIZON = 0, 1, 2, 3, 4, 5, 6
KAPPA_MEAN, HINT_SCALE, HINT_BIAS, HINT_MEAN = 7, 8, 9, 10
N_SCALARS = 11
# entries of Weights.block, one row per block
DELTA_MIN, DELTA_MAX, EPSILON_MIN, EPSILON_MAX, GATE_FLOOR, ALPHA, HALF_SAT = 0, 1, 2, 3, 4, 5, 6
DT_BASE, SEL_SCALE, SEL_BIAS, PCEN_MOD, STATION_ALPHA = 7, 8, 9, 10, 11
NASG_SCALE, NASG_BIAS, MASK_SCALE, MASK_BIAS = 12, 13, 14, 15
N_BLOCK_SCALARS = 16
# rows of Weights.state_row, one (rows, N) per block
B_BASE, C_BASE, SEL_BIAS_BC, SEL_SUB_SCALE, B_SF_SCALE, MASK_PENALTY = 0, 1, 2, 3, 4, 5
N_STATE_ROWS = 6
# entries of State.counter
FILL, FRAME = 0, 1
# entries of State.mean
MEAN_KAPPA, MEAN_HINT = 0, 1


class Shape(NamedTuple):
    """Sizes and switches of one network."""

    front: int
    front_v2: int
    lsg: int
    tiny_conv: int
    tilt: int
    ssm: int
    nasg: int
    use_shift: int  # the SNR shifts delta (ablation modes switch it off)
    use_gate: int  # the SNR gates B
    experts: int
    d: int
    channels: int
    states: int
    layers: int


class Weights(NamedTuple):
    """Packed parameters; wide matrices are stored (in, out), so that inner loops run over outputs, others (out, in)."""

    window: F8  # (512,)
    twiddle: F8  # (2, 256)
    split: F8  # (2, 257)
    mel_start: I8  # (40,) first bin of each band
    mel_count: I8  # (40,) bins of each band
    mel_weight: F4  # (40, widest)
    scalar: F8  # (N_SCALARS,)
    band: F4  # (4, 40)
    tiny_conv: F4  # (3, 2) kernel over bands x (previous, present) frame; then bias in tiny_bias
    tiny_bias: F4  # (1,)
    pcen: F8  # (E, 4, 40) effective s, alpha, delta, r
    norm: F8  # (2, 40) corpus mean and variance
    project: F4  # (40, d)
    project_bias: F4  # (d,)
    block: F4  # (L, N_BLOCK_SCALARS)
    state_row: F4  # (L, N_STATE_ROWS, N)
    sub_band: I8  # (N, 2) first and last+1 band of each sub-band
    norm_affine: F4  # (L, 2, d)
    in_proj: F4  # (L, d, 2D)
    conv: F4  # (L, 4, D) taps t-2, t-1, t, then bias
    dilation: I8  # (L,)
    x_proj: F4  # (L, 2N+1, D)
    snr_proj: F4  # (L, N+1, 40)
    snr_bias: F4  # (L, N+1)
    channel: F4  # (L, 3, D) dt_proj weight, dt_proj bias, D
    decay: F4  # (L, N, D) A = -exp(A_log)
    out_proj: F4  # (L, D, d)
    final_affine: F4  # (2, d)
    classifier: F4  # (12, d)
    classifier_bias: F4  # (12,)


class State(NamedTuple):
    """Everything one stream remembers. Equal states and equal samples give equal results, bit for bit."""

    counter: I8  # (2,) samples waiting in pcm, frames done
    pcm: I2  # (512,) the newest samples
    magnitude: F4  # (5, 257) the last five magnitude frames, slot t % 5
    minimum: F4  # (2, 257) smallest 5-frame mean of the current and the previous block
    floor: F4  # (257,) running noise floor
    envelope: F8  # (E, 40)
    routing: F8  # (4, 7) last seven F, E, E^2, cv/2, slot t % 7
    norm: F8  # (2, 40) running mean and variance
    mean: F8  # (2,) running means: band mean of the SNR, flatness of the normalised features
    previous_mel: F4  # (40,) for TinyConv
    conv: F4  # (L, 2 max dilation, D) past inputs of the depthwise convolution
    sub_band: F4  # (L, 2, N+1) last two sub-band saturations and their mean
    hidden: F4  # (L, N, D) SSM state
    pool: F4  # (97, d) last outputs of the final norm, slot t % 97


class Scratch(NamedTuple):
    """Space the kernels write before they read; no memory of a stream."""

    fft: F8  # (4, 256)
    spectrum: F4  # (2, 257) anchor, ratio to the floor
    energy: F4  # (40,) mel magnitudes on their way through gate and floor
    ratio: F4  # (40,) mel-weighted ratios
    feature: F8  # (40,)
    expert: F8  # (E, 40)
    normed: F4  # (40,)
    x: F4  # (d,)
    y: F4  # (d,)
    inner: F4  # (2D,) u and z
    scan: F4  # (3, D) conv output, scan output, masked input
    proj: F4  # (2N+1,) dt, B, C
    modulation: F4  # (N+1,) SNR shift and gate logits
    selection: F4  # (2, N+1) smoothed saturations; selection weights


@structref.register
class BundleType(types.StructRef):
    """numba's type of a :class:`Bundle`."""

    def preprocess_fields(self, fields: Any) -> Any:
        return tuple((name, types.unliteral(kind)) for name, kind in fields)


class Bundle(structref.StructRefProxy):
    """Shape, weights, state and scratch of one engine behind one pointer.

    Handing numba four named tuples of sixty arrays costs as much as the whole network; this costs nothing.
    """


structref.define_proxy(Bundle, BundleType, ["shape", "weights", "state", "scratch"])


# a row of output: level, mel, snr, pcen, routing, delta, gate, logits, one after the other
OUT_LEVEL, OUT_MEL, OUT_SNR, OUT_PCEN, OUT_ROUTING = 0, 1, 1 + N_MELS, 1 + 2 * N_MELS, 1 + 3 * N_MELS


class Columns(NamedTuple):
    """Where the fields of one frame's telemetry lie in its row of output."""

    mel: slice
    snr: slice
    pcen: slice
    routing: slice
    delta: slice
    gate: slice
    logits: slice
    width: int
    delta_shape: tuple[int, int]
    gate_shape: tuple[int, int]


def output_columns(shape: Shape) -> Columns:
    """Columns of the output rows of a network; the kernels count in the same order."""
    scans = shape.ssm != SSM_TCN
    delta_shape = (shape.layers, shape.channels if scans else 0)
    gate_shape = (shape.layers, shape.states if scans else 0)
    delta = OUT_ROUTING + shape.experts
    gate = delta + delta_shape[0] * delta_shape[1]
    logits = gate + gate_shape[0] * gate_shape[1]
    return Columns(
        mel=slice(OUT_MEL, OUT_SNR),
        snr=slice(OUT_SNR, OUT_PCEN),
        pcen=slice(OUT_PCEN, OUT_ROUTING),
        routing=slice(OUT_ROUTING, delta),
        delta=slice(delta, gate),
        gate=slice(gate, logits),
        logits=slice(logits, logits + N_CLASSES),
        width=logits + N_CLASSES,
        delta_shape=delta_shape,
        gate_shape=gate_shape,
    )


def new_state(shape: Shape, weights: Weights) -> State:
    """State before the first sample."""
    f4, f8 = np.float32, np.float64
    layers, channels = shape.layers, shape.channels
    reach = 2 * int(weights.dilation.max(initial=1))
    mean = np.array([weights.scalar[KAPPA_MEAN], weights.scalar[HINT_MEAN]], f8)
    return State(
        counter=np.zeros(2, np.int64),
        pcm=np.zeros(WINDOW, np.int16),
        magnitude=np.zeros((ANCHOR_FRAMES, N_FREQ), f4),
        minimum=np.full((2, N_FREQ), np.inf, f4),
        floor=np.zeros(N_FREQ, f4),
        envelope=np.zeros((shape.experts, N_MELS), f8),
        routing=np.zeros((4, SMOOTH), f8),
        norm=weights.norm.copy(),
        mean=mean,
        previous_mel=np.zeros(N_MELS, f4),
        conv=np.zeros((layers, reach, channels), f4),
        sub_band=np.zeros((layers, 2, shape.states + 1), f4),
        hidden=np.zeros((layers, shape.states, channels), f4),
        pool=np.zeros((CLIP_FRAMES, shape.d), f4),
    )


def copy_state(state: State) -> State:
    """An independent copy."""
    return State._make(array.copy() for array in state)


def new_scratch(shape: Shape) -> Scratch:
    """Scratch space for one engine."""
    f4, f8 = np.float32, np.float64
    return Scratch(
        fft=np.zeros((4, WINDOW // 2), f8),
        spectrum=np.zeros((2, N_FREQ), f4),
        energy=np.zeros(N_MELS, f4),
        ratio=np.zeros(N_MELS, f4),
        feature=np.zeros(N_MELS, f8),
        expert=np.zeros((shape.experts, N_MELS), f8),
        normed=np.zeros(N_MELS, f4),
        x=np.zeros(shape.d, f4),
        y=np.zeros(shape.d, f4),
        inner=np.zeros(2 * shape.channels, f4),
        scan=np.zeros((3, shape.channels), f4),
        proj=np.zeros(2 * shape.states + 1, f4),
        modulation=np.zeros(shape.states + 1, f4),
        selection=np.zeros((2, shape.states + 1), f4),
    )

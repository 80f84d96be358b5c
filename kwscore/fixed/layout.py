"""What the integer kernels are given: sizes, network constants, the state of one stream, and every stage's result.

All named tuples of int64 arrays. The number formats are those of docs/fixed_point.md. Letters: E experts, L blocks,
d model width, D SSM channels, N SSM states.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_FRAMES, N_CLASSES, N_FREQ, N_MELS, WINDOW
from kwscore.models.constants import ANCHOR_FRAMES

I8 = NDArray[np.int64]

FRONT_LOG, FRONT_DUAL = 0, 1
NO_MINIMUM = (1 << 27) - 1
"""A minimum that has not been taken yet; larger than any sum of five magnitudes."""

NOTHING_GIVEN: I8 = np.zeros((0, 2, N_MELS), np.int64)
"""No frames whose normalised features and SNR come from elsewhere."""

SCALARS = (
    "RATE_BELOW", "RATE_ABOVE", "LOG2_NOISE_SCALE", "GATE_TEMP", "NORM_PRIOR", "NORM_HORIZON", "XN_SHIFT",
    "WIDTH_MANTISSA", "WIDTH_SHIFT", "WIDTH_LOG2", "LN_EPS", "FINAL_SHIFT", "POOL_SHIFT",
)  # fmt: skip
(
    RATE_BELOW, RATE_ABOVE, LOG2_NOISE_SCALE, GATE_TEMP, NORM_PRIOR, NORM_HORIZON, XN_SHIFT,
    WIDTH_MANTISSA, WIDTH_SHIFT, WIDTH_LOG2, LN_EPS, FINAL_SHIFT, POOL_SHIFT,
) = range(len(SCALARS))  # fmt: skip

BLOCK_SCALARS = (
    "LN_SHIFT", "CONV_SHIFT", "U_SHIFT", "SZ_SHIFT", "DT_SHIFT", "PHI_LEAST", "PHI_SLOPE", "EPS_MOST", "EPS_SLOPE",
    "GATE_BASE", "GATE_SLOPE", "B_SHIFT", "DRIVE_B_SHIFT", "DRIVE_SHIFT", "Y_SHIFT", "SKIP_SHIFT", "V_SHIFT",
)  # fmt: skip
(
    LN_SHIFT, CONV_SHIFT, U_SHIFT, SZ_SHIFT, DT_SHIFT, PHI_LEAST, PHI_SLOPE, EPS_MOST, EPS_SLOPE,
    GATE_BASE, GATE_SLOPE, B_SHIFT, DRIVE_B_SHIFT, DRIVE_SHIFT, Y_SHIFT, SKIP_SHIFT, V_SHIFT,
) = range(len(BLOCK_SCALARS))  # fmt: skip

PCEN_S, PCEN_ALPHA, PCEN_DELTA, PCEN_R, PCEN_OFFSET = 0, 1, 2, 3, 4
DT_WEIGHT, DT_BIAS, SKIP = 0, 1, 2
FILL, FRAME = 0, 1
REAL, IMAGINARY = 0, 1


class Sizes(NamedTuple):
    """Sizes and the one switch of a network."""

    front: int
    d: int
    channels: int
    states: int
    layers: int

    @property
    def experts(self) -> int:
        """PCEN experts."""
        return 2 if self.front == FRONT_DUAL else 0


class Matrices(NamedTuple):
    """int8 weights (out, in), in the order of the image; each row has a right shift of its own."""

    project: I8  # (d, 40)
    in_proj: I8  # (L, 2D, d)
    x_proj: I8  # (L, 2N+1, D)
    snr_proj: I8  # (L, N+1, 40)
    out_proj: I8  # (L, d, D)
    classifier: I8  # (12, d)


class Shifts(NamedTuple):
    """Right shift of each matrix row's accumulator: 0..40."""

    project: I8
    in_proj: I8
    x_proj: I8
    snr_proj: I8
    out_proj: I8
    classifier: I8


class Constants(NamedTuple):
    """32-bit constants, in the order of the image."""

    scalar: I8  # (13,) SCALARS
    band_floor: I8  # (40,) u10.22
    pcen: I8  # (E, 5, 40) s u0.17, alpha u0.17, delta u8.24, r u0.17, delta^r s5.19; experts as Telemetry.routing
    norm: I8  # (2, 40) corpus mean s5.26, variance u8.24
    project_bias: I8  # (d,)
    block: I8  # (L, 17) BLOCK_SCALARS
    ln: I8  # (L, 2, d) weight s18, bias
    conv: I8  # (L, 4, D) taps t-2, t-1, t as s18, bias Q.12
    channel: I8  # (L, 3, D) dt weight s18, dt bias Q.12, skip s18
    decay: I8  # (L, N, D) exp(A_log) log2(e), u17
    decay_shift: I8  # (L, N)
    snr_bias: I8  # (L, N+1) Q.12
    final: I8  # (2, d) weight s18, bias
    class_bias: I8  # (12,) Q.9


class Net(NamedTuple):
    """One network as the kernels read it."""

    weight: Matrices
    shift: Shifts
    const: Constants


class State(NamedTuple):
    """Everything one stream remembers."""

    counter: I8  # (2,) samples waiting in pcm, frames done
    pcm: NDArray[np.int16]  # (512,)
    ring: I8  # (5, 257) last five magnitudes, slot t % 5
    minimum: I8  # (2, 257) smallest 5-frame sum of the current and the previous block, u27
    floor: I8  # (257,) noise floor u24.8
    envelope: I8  # (E, 40) u10.22
    mean: I8  # (40,) s5.26
    var: I8  # (40,) u8.24
    conv: I8  # (L, 2, D) last two inputs of the convolution, slot t % 2
    hidden: I8  # (L, N, D) s24
    pool: I8  # (97, d) last outputs of the final norm, slot t % 97
    pool_sum: I8  # (d,) their sum


class Trace(NamedTuple):
    """Every intermediate result of the newest frame: what the RTL is compared with, stage by stage."""

    gain: I8  # (1,) left shift g of the frame, 0..15
    windowed: I8  # (512,) s18, unit 1/65536 / 2^g
    spectrum: I8  # (2, 512) real and imaginary part, s25, same unit
    magnitude: I8  # (257,) u24, unit 1/65536
    anchor: I8  # (257,) u24.8
    floor: I8  # (257,) u24.8
    ratio: I8  # (257,) u8.15
    mel: I8  # (40,) u10.22
    mel_ratio: I8  # (40,) Q.12
    snr: I8  # (40,) u0.15
    energy: I8  # (40,) floored mel, u10.22
    log_energy: I8  # (40,) log2 of the integer energy, Q.16
    routing: I8  # (4,) flatness, tilt, indicator, gate, u0.16
    envelope: I8  # (E, 40) u10.22
    expert: I8  # (E, 40) s5.19
    feature: I8  # (40,) s5.19
    mean: I8  # (40,) s5.26
    var: I8  # (40,) u8.24
    normed: I8  # (40,) s16
    x: I8  # (L+1, d) residual stream before the first and after each block, s24
    ln: I8  # (L, d) s16
    inner: I8  # (L, 2D) in_proj: convolution input s16, then z Q.12 s24
    conv: I8  # (L, D) convolution output Q.12 s24
    u: I8  # (L, D) s16
    sz: I8  # (L, D) SiLU(z) s16
    proj: I8  # (L, 2N+1) dt Q.12, B Q.12 before its gate, C s16
    modulation: I8  # (L, N+1) SNR shift and gate logits Q.12
    snr_sum: I8  # (1,) sum of the SNR over the bands, Q.15
    b: I8  # (L, N) gated B s16
    delta: I8  # (L, D) u5.11
    decay: I8  # (L, N, D) u0.16
    hidden: I8  # (L, N, D) s24
    y: I8  # (L, D) s24
    v: I8  # (L, D) s20
    final: I8  # (d,) s16
    pool_sum: I8  # (d,) s24
    pooled: I8  # (d,) s16
    logits: I8  # (12,) s16 Q.9


class Outputs(NamedTuple):
    """Telemetry of T frames, one row each."""

    power: I8  # (T,) sum of squares of the frame's new samples
    mel: I8  # (T, 40)
    log_mel: I8  # (T, 40) log2 of mel, s5.10; -32768 for 0
    snr: I8  # (T, 40)
    gate: I8  # (T,)
    delta: I8  # (T, L, D)
    logits: I8  # (T, 12)
    pcen: I8  # (T, 40) s5.19
    factor: I8  # (T, L, N) what the SNR gate multiplies B by, s5.13


def matrix_shapes(s: Sizes) -> dict[str, tuple[int, ...]]:
    """Shapes of ``Matrices``; the row shifts have them without the last axis."""
    return {
        "project": (s.d, N_MELS),
        "in_proj": (s.layers, 2 * s.channels, s.d),
        "x_proj": (s.layers, 2 * s.states + 1, s.channels),
        "snr_proj": (s.layers, s.states + 1, N_MELS),
        "out_proj": (s.layers, s.d, s.channels),
        "classifier": (N_CLASSES, s.d),
    }


def constant_shapes(s: Sizes) -> dict[str, tuple[int, ...]]:
    """Shapes of ``Constants``."""
    layers, channels, states = s.layers, s.channels, s.states
    return {
        "scalar": (len(SCALARS),),
        "band_floor": (N_MELS,),
        "pcen": (s.experts, 5, N_MELS),
        "norm": (2, N_MELS),
        "project_bias": (s.d,),
        "block": (layers, len(BLOCK_SCALARS)),
        "ln": (layers, 2, s.d),
        "conv": (layers, 4, channels),
        "channel": (layers, 3, channels),
        "decay": (layers, states, channels),
        "decay_shift": (layers, states),
        "snr_bias": (layers, states + 1),
        "final": (2, s.d),
        "class_bias": (N_CLASSES,),
    }


def trace_shapes(s: Sizes) -> dict[str, tuple[int, ...]]:
    """Shapes of ``Trace``."""
    layers, d, channels, states = s.layers, s.d, s.channels, s.states
    bins, bands = (N_FREQ,), (N_MELS,)
    return {
        "gain": (1,), "windowed": (WINDOW,), "spectrum": (2, WINDOW), "magnitude": bins, "anchor": bins, "floor": bins,
        "ratio": bins, "mel": bands, "mel_ratio": bands, "snr": bands, "energy": bands, "log_energy": bands,
        "routing": (4,), "envelope": (s.experts, N_MELS), "expert": (s.experts, N_MELS), "feature": bands,
        "mean": bands, "var": bands, "normed": bands, "x": (layers + 1, d), "ln": (layers, d),
        "inner": (layers, 2 * channels), "conv": (layers, channels), "u": (layers, channels),
        "sz": (layers, channels), "proj": (layers, 2 * states + 1), "modulation": (layers, states + 1),
        "snr_sum": (1,), "b": (layers, states), "delta": (layers, channels), "decay": (layers, states, channels),
        "hidden": (layers, states, channels), "y": (layers, channels), "v": (layers, channels), "final": (d,),
        "pool_sum": (d,), "pooled": (d,), "logits": (N_CLASSES,),
    }  # fmt: skip


def new_trace(sizes: Sizes) -> Trace:
    """Zeros."""
    shapes = trace_shapes(sizes)
    return Trace(*(np.zeros(shapes[name], np.int64) for name in Trace._fields))


def new_state(sizes: Sizes, const: Constants) -> State:
    """State before the first sample."""
    layers, channels = sizes.layers, sizes.channels
    return State(
        counter=np.zeros(2, np.int64),
        pcm=np.zeros(WINDOW, np.int16),
        ring=np.zeros((ANCHOR_FRAMES, N_FREQ), np.int64),
        minimum=np.full((2, N_FREQ), NO_MINIMUM, np.int64),
        floor=np.zeros(N_FREQ, np.int64),
        envelope=np.zeros((sizes.experts, N_MELS), np.int64),
        mean=const.norm[0].copy(),
        var=const.norm[1].copy(),
        conv=np.zeros((layers, 2, channels), np.int64),
        hidden=np.zeros((layers, sizes.states, channels), np.int64),
        pool=np.zeros((CLIP_FRAMES, sizes.d), np.int64),
        pool_sum=np.zeros(sizes.d, np.int64),
    )


def new_outputs(sizes: Sizes, frames: int) -> Outputs:
    """Zeros for ``frames`` frames."""
    return Outputs(
        power=np.zeros(frames, np.int64),
        mel=np.zeros((frames, N_MELS), np.int64),
        log_mel=np.zeros((frames, N_MELS), np.int64),
        snr=np.zeros((frames, N_MELS), np.int64),
        gate=np.zeros(frames, np.int64),
        delta=np.zeros((frames, sizes.layers, sizes.channels), np.int64),
        logits=np.zeros((frames, N_CLASSES), np.int64),
        pcen=np.zeros((frames, N_MELS), np.int64),
        factor=np.zeros((frames, sizes.layers, sizes.states), np.int64),
    )

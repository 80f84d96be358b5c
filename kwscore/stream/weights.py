"""Packs a network's named arrays into what the kernels read. Strict: a missing or misshapen tensor is an error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_CLASSES, N_FREQ, N_MELS
from kwscore.errors import KWScopeError
from kwscore.models.config import NetworkConfig
from kwscore.stream import layout as at
from kwscore.stream.fft import tables

Arrays = Mapping[str, NDArray[np.generic]]

_FRONTS = {"log": at.FRONT_LOG, "pcen": at.FRONT_PCEN, "dual": at.FRONT_DUAL, "tri": at.FRONT_TRI}
_SSMS = {"v1": at.SSM_V1, "v2": at.SSM_V2, "nc": at.SSM_NC, "tcn": at.SSM_TCN}
_PCEN_PREFIXES = {
    "log": (),
    "pcen": ("pcen",),
    "dual": ("dual_pcen.pcen_nonstat", "dual_pcen.pcen_stat"),
    "tri": ("multi_pcen.experts.0", "multi_pcen.experts.1", "multi_pcen.experts.2"),
}
_ROUTER = {"dual": "dual_pcen", "tri": "multi_pcen"}
_DELTA_RANGE = {"stationary": (0.001, 0.1), "coloured": (0.05, 1.0)}  # of the expert's delta; non-stationary: config
KAPPA_START = 0.5
"""Corpus mean of the band-mean SNR when the file has none."""


class _Reader:
    """Looks tensors up by name, checking shape and finiteness."""

    def __init__(self, name: str, arrays: Arrays) -> None:
        self.name = name
        self.arrays = arrays

    def get(self, key: str, *shape: int) -> NDArray[np.float64]:
        if key not in self.arrays:
            raise KWScopeError(f"The weights of {self.name} lack the tensor {key!r}: use a file of this network.")
        array = np.asarray(self.arrays[key], np.float64)
        if array.size != int(np.prod(shape)):
            raise KWScopeError(
                f"The tensor {key!r} of {self.name} has shape {array.shape}, not {shape}: use a file of this network."
            )
        if not np.isfinite(array).all():
            raise KWScopeError(f"The tensor {key!r} of {self.name} holds NaN or infinity: the file is damaged.")
        return array.reshape(shape)

    def scalar(self, key: str) -> float:
        return float(self.get(key, 1)[0])

    def optional(self, key: str, default: float) -> float:
        return self.scalar(key) if key in self.arrays else default


def make_shape(config: NetworkConfig) -> at.Shape:
    """Sizes and switches from the configuration."""
    return at.Shape(
        front=_FRONTS[config.frontend],
        front_v2=int(config.frontend_version == 2),
        lsg=int(config.lsg),
        tiny_conv=int(config.tiny_conv),
        tilt=int(config.tilt),
        ssm=_SSMS[config.ssm],
        nasg=int(config.nasg),
        use_shift=int(config.mode in ("full", "dt_only")),
        use_gate=int(config.mode in ("full", "b_only")),
        experts=len(config.expert_names),
        d=config.d_model,
        channels=config.d_inner,
        states=config.d_state,
        layers=config.layers,
    )


def pack(config: NetworkConfig, arrays: Arrays) -> at.Weights:
    """The kernels' view of the tensors ``arrays`` of a network ``config``.

    Raises KWScopeError for a tensor that is missing, of another size, or not finite.
    """
    read = _Reader(config.name, arrays)
    window, twiddle, split = tables()
    start, count, mel = _sparse_mel(read.get("mel_fb", N_MELS, N_FREQ))
    d, n_layers = config.d_model, config.layers
    conv_weight, conv_bias = np.zeros((3, 2)), np.zeros(1)
    if config.tiny_conv:
        prefix = next((k[: -len(".weight")] for k in arrays if arrays[k].shape == (1, 1, 3, 3)), "tiny_conv")
        kernel = read.get(f"{prefix}.weight", 3, 3)
        conv_weight = np.stack([kernel[:, 0], kernel[:, 1] + kernel[:, 2]], 1)
        conv_bias = read.get(f"{prefix}.bias", 1)
    norm = np.stack([read.get("stream_norm.mean", N_MELS), read.get("stream_norm.var", N_MELS)])
    blocks = [_block(config, read, layer) for layer in range(n_layers)]

    def stacked(key: str) -> NDArray[np.float32]:
        return _f4(np.stack([block[key] for block in blocks]))

    return at.Weights(
        window=window,
        twiddle=twiddle,
        split=split,
        mel_start=start,
        mel_count=count,
        mel_weight=mel,
        scalar=_scalars(config, read),
        band=_bands(config, read),
        tiny_conv=_f4(conv_weight),
        tiny_bias=_f4(conv_bias),
        pcen=_experts(config, read),
        norm=np.ascontiguousarray(norm),
        project=_f4(read.get("patch_proj.weight", d, N_MELS).T),
        project_bias=_f4(read.get("patch_proj.bias", d)),
        block=stacked("scalars"),
        state_row=stacked("rows"),
        sub_band=_sub_bands(config.d_state),
        norm_affine=stacked("norm"),
        in_proj=stacked("in_proj"),
        conv=stacked("conv"),
        dilation=np.array([2**layer if config.ssm == "tcn" else 1 for layer in range(n_layers)], np.int64),
        x_proj=stacked("x_proj"),
        snr_proj=stacked("snr_proj"),
        snr_bias=stacked("snr_bias"),
        channel=stacked("channel"),
        decay=stacked("decay"),
        out_proj=stacked("out_proj"),
        final_affine=_f4(np.stack([read.get("final_norm.weight", d), read.get("final_norm.bias", d)])),
        classifier=_f4(read.get("classifier.weight", N_CLASSES, d)),
        classifier_bias=_f4(read.get("classifier.bias", N_CLASSES)),
    )


def _f4(array: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))


def _sparse_mel(bank: NDArray[np.float64]) -> tuple[at.I8, at.I8, at.F4]:
    nonzero = bank != 0
    start = np.where(nonzero.any(1), nonzero.argmax(1), 0).astype(np.int64)
    end = np.where(nonzero.any(1), N_FREQ - nonzero[:, ::-1].argmax(1), 0)
    count = (end - start).astype(np.int64)
    weight = np.zeros((N_MELS, max(1, int(count.max()))), np.float32)
    for m in range(N_MELS):
        weight[m, : count[m]] = bank[m, start[m] : start[m] + count[m]]
    return start, count, weight


def _sub_bands(states: int) -> at.I8:
    """Windows of adaptive average pooling from 40 bands to N."""
    n = np.arange(states)
    return np.stack([N_MELS * n // states, -(-N_MELS * (n + 1) // states)], 1).astype(np.int64)


def _scalars(config: NetworkConfig, read: _Reader) -> at.F8:
    scalar = np.zeros(at.N_SCALARS)
    scalar[at.NOISE_SCALE] = abs(read.scalar("snr_estimator.noise_scale"))
    if config.running_floor:
        scalar[at.RATE_BELOW] = _sigmoid(read.get("snr_estimator.raw_beta", 1))[0]
        scalar[at.RATE_ABOVE] = _sigmoid(read.get("snr_estimator.raw_gamma", 1))[0]
    if config.frontend in _ROUTER:
        scalar[at.GATE_TEMP] = read.scalar(f"{_ROUTER[config.frontend]}.gate_temp")
    if config.frontend == "tri":
        scalar[at.GATE_TEMP2] = read.scalar("multi_pcen.gate_temp2")
    scalar[at.NORM_PRIOR] = config.norm_prior
    scalar[at.NORM_HORIZON] = config.norm_horizon
    scalar[at.KAPPA_MEAN] = read.optional("stream_kappa.mean", KAPPA_START)
    if config.nasg:
        scalar[at.HINT_SCALE] = read.scalar("sf_to_snr_scale")
        scalar[at.HINT_BIAS] = read.scalar("sf_to_snr_bias")
        scalar[at.HINT_MEAN] = read.optional("stream_hint.mean", 0.0)
    return scalar


def _bands(config: NetworkConfig, read: _Reader) -> at.F4:
    band = np.zeros((4, N_MELS))
    if config.frontend != "log":
        band[at.BAND_FLOOR] = read.get("freq_dep_floor.freq_floor", N_MELS)
    if config.lsg:
        band[at.BAND_LSG_SCALE] = read.get("spectral_gate.w", N_MELS)
        band[at.BAND_LSG_BIAS] = read.get("spectral_gate.b", N_MELS)
        band[at.BAND_LSG_FLOOR] = _sigmoid(read.get("spectral_gate.floor_raw", N_MELS))
    return _f4(band)


def _experts(config: NetworkConfig, read: _Reader) -> at.F8:
    out = np.zeros((len(config.expert_names), 4, N_MELS))
    for i, (kind, prefix) in enumerate(zip(config.expert_names, _PCEN_PREFIXES[config.frontend], strict=True)):
        low, high = _DELTA_RANGE.get(kind, config.nonstationary_delta)
        out[i, 0] = _sigmoid(read.get(f"{prefix}.log_s", N_MELS)).clip(0.05, 0.3)
        out[i, 1] = _sigmoid(read.get(f"{prefix}.log_alpha", N_MELS)).clip(0.9, 0.999)
        out[i, 2] = np.exp(read.get(f"{prefix}.log_delta", N_MELS)).clip(low, high)
        out[i, 3] = _sigmoid(read.get(f"{prefix}.log_r", N_MELS)).clip(0.05, 0.25)
    return out


def _block(config: NetworkConfig, read: _Reader, layer: int) -> dict[str, NDArray[np.float64]]:
    d, channels, states = config.d_model, config.d_inner, config.d_state
    here = f"blocks.{layer}."
    conv = here + ("dwconv" if config.ssm == "tcn" else "conv1d")
    out = {
        "norm": np.stack([read.get(here + "norm.weight", d), read.get(here + "norm.bias", d)]),
        "in_proj": read.get(here + "in_proj.weight", 2 * channels, d).T,
        "conv": np.vstack([read.get(conv + ".weight", channels, 3).T, read.get(conv + ".bias", channels)]),
        "out_proj": read.get(here + "out_proj.weight", d, channels).T,
        "scalars": np.zeros(at.N_BLOCK_SCALARS),
        "rows": np.zeros((at.N_STATE_ROWS, states)),
    }
    if config.ssm == "tcn":
        out |= {
            "x_proj": np.zeros((2 * states + 1, channels)),
            "snr_proj": np.zeros((states + 1, N_MELS)),
            "snr_bias": np.zeros(states + 1),
            "channel": np.zeros((3, channels)),
            "decay": np.zeros((states, channels)),
        }
        return out
    here += "sa_ssm."
    out |= {
        "x_proj": read.get(here + "x_proj.weight", 2 * states + 1, channels),
        "snr_proj": read.get(here + "snr_proj.weight", states + 1, N_MELS),
        "snr_bias": read.get(here + "snr_proj.bias", states + 1),
        "channel": np.stack(
            [read.get(here + key, channels) for key in ("dt_proj.weight", "dt_proj.bias", "D")],
        ),
        "decay": -np.exp(read.get(here + "A_log", channels, states).T),
    }
    _modulation(config, read, here, out["scalars"], out["rows"])
    return out


def _modulation(config: NetworkConfig, read: _Reader, here: str, b: at.F8, rows: at.F8) -> None:
    """Scalars and per-state vectors of one SA-SSM."""
    states = config.d_state
    keys = {
        at.DELTA_MIN: "delta_floor_min",
        at.DELTA_MAX: "delta_floor_max",
        at.EPSILON_MIN: "epsilon_min",
        at.EPSILON_MAX: "epsilon_max",
        at.GATE_FLOOR: "bgate_floor",
        at.ALPHA: "alpha",
    }
    if config.ssm in ("v2", "nc"):
        keys[at.HALF_SAT] = "snr_half_sat"
    if config.ssm == "nc":
        keys |= {
            at.DT_BASE: "dt_base",
            at.SEL_SCALE: "sel_scale",
            at.SEL_BIAS: "sel_bias_dt",
            at.PCEN_MOD: "sigma_pcen_mod",
            at.STATION_ALPHA: "dt_station_alpha",
        }
        rows[at.B_BASE] = read.get(here + "B_base", states)
        rows[at.C_BASE] = read.get(here + "C_base", states)
        rows[at.SEL_BIAS_BC] = read.get(here + "sel_bias_BC", states)
        rows[at.SEL_SUB_SCALE] = read.get(here + "sel_sub_scale", states)
        rows[at.B_SF_SCALE] = read.get(here + "B_sf_scale", states)
    if config.nasg:
        keys |= {
            at.NASG_SCALE: "nasg_scale",
            at.NASG_BIAS: "nasg_bias",
            at.MASK_SCALE: "state_mask_scale",
            at.MASK_BIAS: "state_mask_bias",
        }
        rows[at.MASK_PENALTY] = np.linspace(0.0, -2.0, states)
    for index, key in keys.items():
        b[index] = read.scalar(here + key)

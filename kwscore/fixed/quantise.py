"""From float weights to the integers of the image, for given activation formats (see ``calibrate``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_CLASSES, N_MELS
from kwscore.errors import KWScopeError
from kwscore.fixed import layout as at
from kwscore.fixed.image import MAX_SHIFT, Image, check_ranges, check_sizes
from kwscore.fixed.tables import rom
from kwscore.models.checkpoint import model_hash
from kwscore.models.config import NetworkConfig
from kwscore.models.constants import NORM_EPS
from kwscore.stream import layout as flt
from kwscore.stream.weights import Arrays, pack

Formats = Mapping[str, tuple[int, ...]]
Moments = Mapping[str, NDArray[np.float64]]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

LOGIT_BITS = 9
"""Fraction bits of the logits."""
Q = 12
"""Fraction bits of everything that enters the sigmoid."""
_DRIVE = 14  # fraction bits of delta B + eps
_SLOPE = 20  # fraction bits of what multiplies the SNR sum
_WIDE = 1 << 17
_DAMPING = 0.1  # of the mean second moment: calibration audio is not all audio


def sizes_of(config: NetworkConfig) -> at.Sizes:
    """Sizes of a network; raises KWScopeError for one that the integer datapath does not cover."""
    reasons = {
        "schedule": config.schedule == "stream",
        "frontend": config.frontend in ("log", "dual"),
        "frontend_version": config.frontend_version == 1,
        "ssm": config.ssm == "v1",
        "lsg": not config.lsg,
        "tiny_conv": not config.tiny_conv,
        "nasg": not config.nasg,
        "mode": config.mode == "full",
        "tilt": config.tilt or config.frontend == "log",
    }
    wrong = [f"{field}={getattr(config, field)!r}" for field, fine in reasons.items() if not fine]
    if wrong:
        raise KWScopeError(
            f"{config.name} ({', '.join(wrong)}) does not fit the integer datapath: it runs stream networks with log "
            "or DualPCEN front end and SA-SSM of version 1, such as NanoMamba-Tiny-DualPCEN."
        )
    if config.norm_prior < 1:
        raise KWScopeError(f"{config.name} has norm_prior=0; the integer datapath needs at least 1 frame.")
    front = at.FRONT_DUAL if config.frontend == "dual" else at.FRONT_LOG
    sizes = at.Sizes(front, config.d_model, config.d_inner, config.d_state, config.layers)
    check_sizes(sizes, config.name)
    return sizes


def normed_format(horizon: int) -> int:
    """Fraction bits of the normalised features: |x| < sqrt(horizon) by construction, so that 16 bits never clip."""
    return 15 - max(1, math.ceil(math.log2(math.sqrt(horizon))))


def _whole(x: F8 | float, fraction: int) -> I8:
    """x as a whole number with ``fraction`` fraction bits, halves up."""
    return np.floor(np.asarray(x, np.float64) * 2.0**fraction + 0.5).astype(np.int64)


def _fraction(x: F8, limit: int = _WIDE - 1, most: int = 17) -> int:
    """Most fraction bits with which every |x| stays within ``limit``."""
    peak = float(np.abs(x).max(initial=0.0))
    f = most
    while f > 0 and peak * 2.0**f + 0.5 > limit:
        f -= 1
    return f


def _rounded(row: F8, s: int, root: F8) -> I8:
    """Whole numbers for ``row`` 2^s: each weight's rounding error is made good by the weights that follow it.

    ``root``: upper triangular factor of the inverse of the inputs' second moments (Frantar et al., GPTQ, 2022).
    """
    rest, out = row.copy(), np.zeros(len(row), np.int64)
    for i in range(len(row)):
        out[i] = np.clip(_whole(rest[i], s), -127, 127)
        rest[i + 1 :] -= (rest[i] - out[i] / 2.0**s) / root[i, i] * root[i, i + 1 :]
    return out


class _Rows:
    """Makes int8 matrices with their row shifts."""

    def __init__(self, name: str, moments: Moments) -> None:
        self.name, self.moments = name, moments

    def matrix(self, what: str, w: F8, before: int, after: list[int]) -> tuple[I8, I8]:
        """int8 rows of ``w`` (out, in), shifts from ``before`` fraction bits of the input to ``after`` per row."""
        width = w.shape[1]
        moment = np.asarray(self.moments.get(what, np.eye(width)), np.float64)
        scale = float(np.trace(moment)) / width
        moment = moment / scale + _DAMPING * np.eye(width) if scale > 0 else np.eye(width)
        root = np.linalg.cholesky(np.linalg.inv(moment)).T
        weights, shifts = np.zeros(w.shape, np.int64), np.zeros(len(w), np.int64)
        for i, row in enumerate(w):
            best: tuple[float, int] | None = None
            top = _fraction(row, 127, 20)
            for s in (top, top + 1):  # one step finer clips the largest weight: sometimes the smaller error
                if not 0 <= before + s - after[i] <= MAX_SHIFT:
                    continue
                candidate = _rounded(row, s, root)
                error = candidate / 2.0**s - row
                cost = float(error @ moment @ error)
                if best is None or cost < best[0]:
                    best = (cost, s)
                    weights[i], shifts[i] = candidate, before + s - after[i]
            if best is None:
                raise KWScopeError(
                    f"Row {i} of {what} of {self.name} needs a shift of {before + top - after[i]} bits, which the "
                    "datapath does not have: calibrate with other audio."
                )
        return weights, shifts


def build_image(config: NetworkConfig, arrays: Arrays, formats: Formats, moments: Moments | None = None) -> Image:
    """Quantise a network for given activation formats.

    ``formats``: fraction bits by name, GLOBAL_FORMATS (one number) and BLOCK_FORMATS (one per block).
    ``moments``: second moments (in, in) of the inputs of matrices by tensor name; with them weights are rounded so that
    the outputs, not the weights, are closest.
    Raises KWScopeError for a network that the datapath does not cover, or parameters too extreme for their fields.
    """
    sizes = sizes_of(config)
    w = pack(config, arrays)
    _check_bank(config.name, w)
    rows = _Rows(config.name, moments or {})
    blocks = [_block(rows, sizes, arrays, w, formats, layer) for layer in range(sizes.layers)]

    def stacked(key: str) -> I8:
        return np.ascontiguousarray(np.stack([block[key] for block in blocks]))

    x, final, pooled, normed = (formats[key][0] for key in ("x", "final", "pooled", "normed"))
    project = rows.matrix("patch_proj", _matrix(arrays, "patch_proj"), normed, [x] * sizes.d)
    classifier = rows.matrix("classifier", _matrix(arrays, "classifier"), pooled, [LOGIT_BITS] * N_CLASSES)
    affine, affine_shift = _affine(w.final_affine.astype(float), final)
    matrices = at.Matrices(
        project[0], stacked("in_proj"), stacked("x_proj"), stacked("snr_proj"), stacked("out_proj"), classifier[0]
    )
    shifts = at.Shifts(
        project[1], stacked("in_proj_shift"), stacked("x_proj_shift"), stacked("snr_proj_shift"),
        stacked("out_proj_shift"), classifier[1],
    )  # fmt: skip
    constants = at.Constants(
        scalar=_scalars(config, sizes, w, formats, affine_shift),
        band_floor=_whole(w.band[flt.BAND_FLOOR].astype(float), 22),
        pcen=_pcen(sizes, w),
        norm=np.stack([_whole(w.norm[0], 26), _whole(w.norm[1], 24)]),
        project_bias=_whole(w.project_bias.astype(float), x),
        block=stacked("scalars"),
        ln=stacked("ln"),
        conv=stacked("conv"),
        channel=stacked("channel"),
        decay=stacked("decay"),
        decay_shift=stacked("decay_shift"),
        snr_bias=stacked("snr_bias"),
        final=affine,
        class_bias=_whole(w.classifier_bias.astype(float), LOGIT_BITS),
    )
    image = Image(config.name, model_hash(arrays), sizes, matrices, shifts, constants, dict(formats))
    check_ranges(image, config.name)
    return image


def _check_bank(name: str, w: flt.Weights) -> None:
    """The filterbank is in read-only memory: a network trained with another one cannot run."""
    table = rom()
    same = np.array_equal(w.mel_start, table.mel_start) and np.array_equal(w.mel_count, table.mel_count)
    if not same or np.abs(w.mel_weight - table.mel_weight / 65536.0).max() > 1e-4:
        raise KWScopeError(f"{name} has a mel filterbank of its own; the integer datapath has the published one only.")


def _affine(affine: F8, out: int) -> tuple[I8, int]:
    """Weight and bias of a layer norm whose normalised values have 14 fraction bits; and its shift."""
    f = max(_fraction(affine[0]), out - 14)
    return np.stack([_whole(affine[0], f), _whole(affine[1], out)]), 14 + f - out


def _scalars(config: NetworkConfig, sizes: at.Sizes, w: flt.Weights, formats: Formats, final_shift: int) -> I8:
    x, d = formats["x"][0], sizes.d
    e = (d - 1).bit_length()
    values: dict[int, Any] = {
        at.RATE_BELOW: _whole(w.scalar[flt.RATE_BELOW], 17),
        at.RATE_ABOVE: _whole(w.scalar[flt.RATE_ABOVE], 17),
        at.LOG2_NOISE_SCALE: _whole(math.log2(max(float(w.scalar[flt.NOISE_SCALE]), 1e-6)), 16),
        at.GATE_TEMP: _whole(w.scalar[flt.GATE_TEMP], Q),
        at.NORM_PRIOR: config.norm_prior,
        at.NORM_HORIZON: config.norm_horizon,
        at.XN_SHIFT: 35 - formats["normed"][0],
        at.WIDTH_MANTISSA: _whole(1.0 / d, 16 + e),
        at.WIDTH_SHIFT: 16 + e,
        at.WIDTH_LOG2: _whole(math.log2(d), 16),
        at.LN_EPS: max(1, int(_whole(NORM_EPS * d, 2 * x))),
        at.FINAL_SHIFT: final_shift,
        at.POOL_SHIFT: 16 + formats["final"][0] - formats["pooled"][0],
    }
    return np.array([int(values[i]) for i in range(len(at.SCALARS))], np.int64)


def _pcen(sizes: at.Sizes, w: flt.Weights) -> I8:
    out = np.zeros((sizes.experts, 5, N_MELS), np.int64)
    for e in range(sizes.experts):
        s, alpha, delta, r = w.pcen[e]
        out[e] = [_whole(s, 17), _whole(alpha, 17), _whole(delta, 24), _whole(r, 17), _whole(delta**r, 19)]
    return out


def _matrix(arrays: Arrays, name: str) -> F8:
    """A weight matrix (out, in), whose shape ``pack`` has checked."""
    return np.asarray(arrays[name + ".weight"], np.float64)


def weight_bits(arrays: Arrays, name: str) -> int:
    """Fraction bits of the coarsest row of an int8 matrix."""
    return min(_fraction(row, 127, 20) for row in _matrix(arrays, name))


def _block(rows: _Rows, sizes: at.Sizes, arrays: Arrays, w: flt.Weights, formats: Formats, layer: int) -> dict[str, I8]:
    """Everything of one block."""
    channels, states = sizes.channels, sizes.states
    ln, up, u, sz, c, b, h, y, v = (formats[k][layer] for k in ("ln", "up", "u", "sz", "c", "b", "h", "y", "v"))
    x = formats["x"][0]
    here = f"blocks.{layer}."
    out: dict[str, I8] = {}
    for key, before, after in (
        ("in_proj", ln, [up] * channels + [Q] * channels),
        ("x_proj", u, [Q] * (states + 1) + [c] * states),
        ("snr_proj", 15, [Q] * (states + 1)),
        ("out_proj", v, [x] * sizes.d),
    ):
        name = here + ("" if key in ("in_proj", "out_proj") else "sa_ssm.") + key
        out[key], out[key + "_shift"] = rows.matrix(name, _matrix(arrays, name), before, after)

    out["ln"], ln_shift = _affine(w.norm_affine[layer].astype(float), ln)
    conv, channel = w.conv[layer].astype(float), w.channel[layer].astype(float)
    tap = _fraction(conv[:3])
    out["conv"] = np.concatenate([_whole(conv[:3], tap), _whole(conv[3:], Q)])
    dt, skip = _fraction(channel[0]), _fraction(channel[2])
    out["channel"] = np.stack([_whole(channel[0], dt), _whole(channel[1], Q), _whole(channel[2], skip)])
    decay = -w.decay[layer].astype(float) * math.log2(math.e)
    places = [max(_fraction(row), 5) for row in decay]
    out["decay"] = np.stack([_whole(row, f) for row, f in zip(decay, places, strict=True)])
    out["decay_shift"] = np.array(places, np.int64) - 5
    out["snr_bias"] = _whole(w.snr_bias[layer].astype(float), Q)

    s = w.block[layer].astype(float)
    alpha, floor = s[flt.ALPHA], s[flt.GATE_FLOOR]
    values: dict[int, Any] = {
        at.LN_SHIFT: ln_shift,
        at.CONV_SHIFT: tap + up - Q,
        at.U_SHIFT: 16 + Q - u,
        at.SZ_SHIFT: 16 + Q - sz,
        at.DT_SHIFT: dt,
        at.PHI_LEAST: _whole(s[flt.DELTA_MIN], 16),
        at.PHI_SLOPE: _whole((s[flt.DELTA_MAX] - s[flt.DELTA_MIN]) / N_MELS, _SLOPE),
        at.EPS_MOST: _whole(s[flt.EPSILON_MAX], _DRIVE),
        at.EPS_SLOPE: _whole((s[flt.EPSILON_MAX] - s[flt.EPSILON_MIN]) / N_MELS, _SLOPE),
        at.GATE_BASE: _whole(1.0 - alpha + alpha * floor, 13),
        at.GATE_SLOPE: _whole(alpha * (1.0 - floor), 13),
        at.B_SHIFT: 13 + Q - b,
        at.DRIVE_B_SHIFT: 11 + b - _DRIVE,
        at.DRIVE_SHIFT: _DRIVE + u - h,
        at.Y_SHIFT: c + h - y,
        at.SKIP_SHIFT: skip + u - y,
        at.V_SHIFT: y + sz - v,
    }
    out["scalars"] = np.array([int(values[i]) for i in range(len(at.BLOCK_SCALARS))], np.int64)
    return out

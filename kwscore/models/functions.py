"""Differentiable torch operations around the compiled kernels.

Each class runs on CPU tensors of float32 or float64, contiguous (B, T, C), and has an exact hand-written backward; the
tests compare every one with a plain torch loop and with finite differences. The functions of the same names take a
tensor of any device: off the CPU they compute with ``device_ops``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kwscore.models import device_ops, kernels_backend, kernels_frontend
from kwscore.models.constants import NORM_EPS, PCEN_EPS


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _like(array: np.ndarray, reference: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(reference.dtype)


class NoiseFloor(torch.autograd.Function):
    """Running noise floor; differentiable in its two rates, not in the magnitudes."""

    @staticmethod
    def forward(
        ctx: Any, magnitude: Tensor, anchor: Tensor, beta: Tensor, gamma: Tensor, start: int, share: float
    ) -> Tensor:
        m, a = _array(magnitude), _array(anchor)
        kind = m.dtype.type
        rule = kind(beta.item()), kind(gamma.item()), start, kind(share)
        floor = torch.from_numpy(kernels_frontend.noise_floor(m, a, *rule))
        ctx.save_for_backward(magnitude, anchor, floor)
        ctx.rule = rule
        return floor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (grad,) = grads
        magnitude, anchor, floor = ctx.saved_tensors
        beta, gamma = kernels_frontend.noise_floor_backward(
            _array(grad), _array(magnitude), _array(anchor), _array(floor), *ctx.rule
        )
        return None, None, grad.new_tensor(beta), grad.new_tensor(gamma), None, None


class Pcen(torch.autograd.Function):
    """p = (e (1e-6 + env)^-alpha + delta)^r - delta^r with constant per-band alpha, delta, r and smoothing s."""

    @staticmethod
    def forward(ctx: Any, energy: Tensor, s: Tensor, alpha: Tensor, delta: Tensor, r: Tensor) -> Tensor:
        env = torch.from_numpy(kernels_frontend.envelope(_array(energy), _array(s)))
        shifted = env + PCEN_EPS
        log_env = shifted.log()
        scaled = (log_env * -alpha).exp_().mul_(energy)
        base = scaled + delta
        log_base = base.log()
        power = (log_base * r).exp_()
        ctx.save_for_backward(energy, s, alpha, delta, r, env, shifted, log_env, scaled, base, log_base, power)
        return power - delta**r

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        energy, s, alpha, delta, r, env, shifted, log_env, scaled, base, log_base, power = ctx.saved_tensors
        want_energy = ctx.needs_input_grad[0]
        grad_base, grad_env, grad_alpha, grad_r, total, grad_delta = kernels_frontend.pcen_backward(
            _array(grads[0]), _array(power), _array(base), _array(scaled), _array(log_base), _array(log_env),
            _array(shifted), _array(alpha), _array(r),
        )  # fmt: skip
        grad_energy, grad_s = kernels_frontend.envelope_backward(
            grad_env, _array(energy), _array(env), _array(s), want_energy
        )
        total_ = _like(total, delta)
        constant = delta**r
        to_delta = _like(grad_delta, delta) - total_ * r * constant / delta
        to_r = _like(grad_r, r) - total_ * constant * delta.log()
        to_energy = None
        if want_energy:
            to_energy = torch.from_numpy(grad_energy).addcdiv_(torch.from_numpy(grad_base) * scaled, energy)
        return to_energy, _like(grad_s, s), _like(grad_alpha, alpha), to_delta, to_r


class AdaptiveEnvelope(torch.autograd.Function):
    """PCEN envelope whose smoothing (B, T, C) changes from frame to frame."""

    @staticmethod
    def forward(ctx: Any, energy: Tensor, s: Tensor) -> Tensor:
        env = torch.from_numpy(kernels_frontend.envelope_adaptive(_array(energy), _array(s)))
        ctx.save_for_backward(energy, s, env)
        return env

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        energy, s, env = ctx.saved_tensors
        want = ctx.needs_input_grad[0]
        grad_energy, grad_s = kernels_frontend.envelope_adaptive_backward(
            _array(grads[0]), _array(energy), _array(env), _array(s), want
        )
        return (torch.from_numpy(grad_energy) if want else None), torch.from_numpy(grad_s)


class RunningNorm(torch.autograd.Function):
    """Causal normalisation by running statistics, exactly differentiated through mean and variance."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, var: Tensor, prior: int, horizon: int, eps: float) -> Tensor:
        start = _array(mean.to(x.dtype))
        out, means, scale = kernels_frontend.running_norm(
            _array(x), start, _array(var.to(x.dtype)), prior, horizon, eps
        )
        ctx.save_for_backward(x, torch.from_numpy(means), torch.from_numpy(scale), torch.from_numpy(start))
        ctx.rule = prior, horizon
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, means, scale, start = ctx.saved_tensors
        grad_x = kernels_frontend.running_norm_backward(
            _array(grads[0]), _array(x), _array(means), _array(scale), _array(start), *ctx.rule
        )
        return torch.from_numpy(grad_x), None, None, None, None, None


class ConvSiLU(torch.autograd.Function):
    """SiLU of a causal depthwise convolution: x (B, T, D), weight (D, 1, W), bias (D,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        taps = np.ascontiguousarray(_array(weight)[:, 0].T)
        conv = torch.from_numpy(kernels_backend.depthwise(_array(x), taps, _array(bias), dilation))
        gate = torch.sigmoid(conv)
        ctx.save_for_backward(x, weight, conv, gate)
        ctx.dilation = dilation
        return conv * gate

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight, conv, _ = ctx.saved_tensors
        taps = np.ascontiguousarray(_array(weight)[:, 0].T)
        grad_conv = torch.ops.aten.silu_backward(grads[0].contiguous(), conv)
        grad_x, grad_weight, grad_bias = kernels_backend.depthwise_backward(
            _array(grad_conv), _array(x), taps, ctx.dilation
        )
        return torch.from_numpy(grad_x), _like(grad_weight.T[:, None], x), _like(grad_bias, x), None


class SelectiveScan(torch.autograd.Function):
    """h = exp(delta A) h + (delta B + eps) u, y = C h + D u; the state starts at 0 and is clipped to +-limit.

    u, delta (B, T, D); a (D, N) negative; b_in, c_out, eps (B, T, N); skip (D,). Returns y (B, T, D).
    """

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, delta: Tensor, a: Tensor, b_in: Tensor, c_out: Tensor, skip: Tensor,
        eps: Tensor, limit: float,
    ) -> Tensor:  # fmt: skip
        a_rows = a.t().contiguous()
        decay = (delta.unsqueeze(2) * a_rows).exp_()
        arrays = [_array(x) for x in (u, delta, decay, b_in, c_out, skip, eps)]
        y, h = kernels_backend.scan(*arrays, arrays[0].dtype.type(limit))
        ctx.save_for_backward(u, delta, decay, a_rows, b_in, c_out, skip, eps, torch.from_numpy(h))
        ctx.limit = limit
        return torch.from_numpy(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        arrays = [_array(x) for x in ctx.saved_tensors]
        limit = arrays[0].dtype.type(ctx.limit)
        grad_u, grad_delta, grad_a, grad_b, grad_c, grad_skip, grad_eps = kernels_backend.scan_backward(
            _array(grads[0]), *arrays, limit, ctx.needs_input_grad[6]
        )
        u = ctx.saved_tensors[0]
        out = (torch.from_numpy(x) for x in (grad_u, grad_delta))
        rest = (torch.from_numpy(x) for x in (grad_b, grad_c))
        return *out, _like(grad_a.T, u), *rest, _like(grad_skip, u), torch.from_numpy(grad_eps), None


class WindowedMean(torch.autograd.Function):
    """Mean of the last min(t + 1, window) frames of x (B, T, C) at the frames t = ends (B, K) -> (B, K, C)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ends: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(ends)
        ctx.rule = window, x.shape[1]
        return torch.from_numpy(kernels_backend.windowed_mean(_array(x), _array(ends), window))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (ends,) = ctx.saved_tensors
        grad_x = kernels_backend.windowed_mean_backward(_array(grads[0]), _array(ends), *ctx.rule)
        return torch.from_numpy(grad_x), None, None


def compiled(tensor: Tensor) -> bool:
    """Whether the compiled kernels reach a tensor."""
    return tensor.device.type == "cpu"


def pcen(energy: Tensor, s: Tensor, alpha: Tensor, delta: Tensor, r: Tensor) -> Tensor:
    """PCEN of energy (B, T, C) with constants (C,)."""
    out: Tensor = (Pcen.apply if compiled(energy) else device_ops.pcen)(energy, s, alpha, delta, r)
    return out


def adaptive_envelope(energy: Tensor, s: Tensor) -> Tensor:
    """PCEN envelope of energy (B, T, C) with a smoothing (B, T, C)."""
    out: Tensor = (AdaptiveEnvelope.apply if compiled(energy) else device_ops.envelope)(energy, s)
    return out


def running_norm(x: Tensor, mean: Tensor, var: Tensor, prior: int, horizon: int, eps: float) -> Tensor:
    """Causal normalisation of x (B, T, C) from corpus statistics (C,)."""
    kind = RunningNorm.apply if compiled(x) else device_ops.running_norm
    out: Tensor = kind(x, mean, var, prior, horizon, eps)
    return out


@torch.no_grad()
def running_mean(x: Tensor, start: Tensor, prior: int, horizon: int) -> Tensor:
    """Running means of x (B, T, C) from ``start`` (C,); no gradient."""
    if not compiled(x):
        return device_ops.running_mean(x, start, prior, horizon)
    first = _array(start.to(x.dtype))
    return torch.from_numpy(kernels_frontend.running_norm(_array(x), first, first, prior, horizon, NORM_EPS)[1])


@torch.no_grad()
def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population variance (C,) over all frames of x (B, T, C), in float64; no gradient."""
    if not compiled(x):
        return device_ops.moments(x)
    mean, var = kernels_frontend.moments(_array(x))
    return torch.from_numpy(mean), torch.from_numpy(var)


def conv_silu(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """SiLU of a causal depthwise convolution of x (B, T, D)."""
    out: Tensor = (ConvSiLU.apply if compiled(x) else device_ops.conv_silu)(x, weight, bias, dilation)
    return out


def selective_scan(
    u: Tensor, delta: Tensor, a: Tensor, b_in: Tensor, c_out: Tensor, skip: Tensor, eps: Tensor, limit: float
) -> Tensor:
    """The state-space recurrence; shapes as in ``SelectiveScan``."""
    kind = SelectiveScan.apply if compiled(u) else device_ops.selective_scan
    out: Tensor = kind(u, delta, a, b_in, c_out, skip, eps, limit)
    return out


def windowed_mean(x: Tensor, ends: Tensor, window: int) -> Tensor:
    """Mean of the last min(t + 1, window) frames of x (B, T, C) at t = ends (B, K) -> (B, K, C)."""
    out: Tensor = (WindowedMean.apply if compiled(x) else device_ops.windowed_mean)(x, ends, window)
    return out

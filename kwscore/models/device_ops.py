"""The operations of ``functions`` in plain torch, for devices that the compiled CPU kernels do not reach.

Everything that goes from frame to frame here is a first-order linear recurrence. Where its coefficients depend on
the frame alone (running statistics) it is a product with a small triangular matrix; otherwise (scan, envelopes) it is
cut into chunks of about sqrt(T) frames that are walked side by side, so that a second of frames takes some 30 kernel
launches instead of hundreds. Same results as the compiled kernels up to rounding; autograd does the rest.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from kwscore.models.constants import PCEN_EPS


def _recurrence(decay: Tensor, x: Tensor) -> Tensor:
    """h[t] = decay[t] h[t-1] + x[t] with h[-1] = 0, over dimension 1 of (B, T, ...), chunk by chunk side by side."""
    batch, frames, *rest = x.shape
    length = max(1, math.isqrt(frames))
    chunks = -(-frames // length)
    if missing := chunks * length - frames:
        tail = x.new_zeros((batch, missing, *rest))
        x, decay = torch.cat((x, tail), 1), torch.cat((decay, tail), 1)
    h = x.reshape(batch, chunks, length, *rest).clone()
    reach = decay.reshape(batch, chunks, length, *rest).clone()  # product of decays since the chunk's start
    for t in range(1, length):
        h[:, :, t].addcmul_(reach[:, :, t], h[:, :, t - 1])
        reach[:, :, t].mul_(reach[:, :, t - 1])
    for chunk in range(1, chunks):
        h[:, chunk].addcmul_(reach[:, chunk], h[:, chunk - 1, -1:])
    return h.reshape(batch, chunks * length, *rest)[:, :frames]


class LinearRecurrence(torch.autograd.Function):
    """h[t] = decay[t] h[t-1] + x[t], h[-1] = 0; decay and x (B, T, ...) of one shape.

    The backward pass is the same recurrence in reversed time, so only ``decay`` and ``h`` are kept.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor, x: Tensor) -> Tensor:
        h = _recurrence(decay, x)
        ctx.save_for_backward(decay, h)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        decay, h = ctx.saved_tensors
        following = torch.cat((decay[:, 1:], torch.zeros_like(decay[:, :1])), 1)
        total = _recurrence(following.flip(1), grads[0].flip(1)).flip(1)
        before = torch.cat((torch.zeros_like(h[:, :1]), h[:, :-1]), 1)
        return total * before, total


def linear_recurrence(decay: Tensor, x: Tensor) -> Tensor:
    """h[t] = decay[t] h[t-1] + x[t], h[-1] = 0, over dimension 1 of (B, T, ...)."""
    out: Tensor = LinearRecurrence.apply(decay.expand_as(x), x)
    return out


def envelope(energy: Tensor, s: Tensor) -> Tensor:
    """PCEN envelope (B, T, C), started on the first frame; smoothing ``s`` (C,) or (B, T, C)."""
    s = s.expand_as(energy)
    start = torch.cat((energy[:, :1], s[:, 1:] * energy[:, 1:]), 1)
    return linear_recurrence(1.0 - s, start)


def pcen(energy: Tensor, s: Tensor, alpha: Tensor, delta: Tensor, r: Tensor) -> Tensor:
    """As ``functions.Pcen``."""
    scaled = energy * torch.exp(-alpha * torch.log(envelope(energy, s) + PCEN_EPS))
    return torch.exp(r * torch.log(scaled + delta)) - delta**r


@lru_cache(maxsize=8)
def _running_weights(frames: int, prior: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (T, 1 + T) of a running mean and variance on their start and on every frame's contribution.

    mean[t] = keep mean[t-1] + share x[t] and var[t] = keep (var[t-1] + share d[t]^2), share = 1 / k, keep = 1 - share.
    """
    mean, var = np.zeros((frames, 1 + frames)), np.zeros((frames, 1 + frames))
    row_mean, row_var = np.zeros(1 + frames), np.zeros(1 + frames)
    row_mean[0] = row_var[0] = 1.0
    for t in range(frames):
        share = 1.0 / min(t + 1 + prior, horizon)
        row_mean *= 1.0 - share
        row_mean[1 + t] = share
        row_var[1 + t] = share
        row_var *= 1.0 - share
        mean[t], var[t] = row_mean, row_var
    return mean, var


def running_mean(x: Tensor, start: Tensor, prior: int, horizon: int) -> Tensor:
    """Running means (B, T, C) of x (B, T, C) from ``start`` (C,): docs/stream_schedule.md, 5."""
    weights = torch.from_numpy(_running_weights(x.shape[1], prior, horizon)[0]).to(x)
    return torch.matmul(weights[:, 1:], x) + weights[:, :1] * start.to(x)


def running_norm(x: Tensor, mean: Tensor, var: Tensor, prior: int, horizon: int, eps: float) -> Tensor:
    """As ``functions.RunningNorm``."""
    means = running_mean(x, mean, prior, horizon)
    before = torch.cat((mean.to(x).expand_as(x[:, :1]), means[:, :-1]), 1)
    weights = torch.from_numpy(_running_weights(x.shape[1], prior, horizon)[1]).to(x)
    variances = torch.matmul(weights[:, 1:], (x - before).square()) + weights[:, :1] * var.to(x)
    return (x - means) * torch.rsqrt(variances + eps)


def conv_silu(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """As ``functions.ConvSiLU``."""
    padded = F.pad(x.transpose(1, 2), ((weight.shape[2] - 1) * dilation, 0))
    return F.silu(F.conv1d(padded, weight, bias, dilation=dilation, groups=len(weight))).transpose(1, 2)


def selective_scan(
    u: Tensor, delta: Tensor, a: Tensor, b_in: Tensor, c_out: Tensor, skip: Tensor, eps: Tensor, limit: float
) -> Tensor:
    """As ``functions.SelectiveScan``, but a state beyond the limit is clipped where it is read and not where it is
    carried on: only a training that has diverged gets there."""
    decay = torch.exp(delta.unsqueeze(2) * a.t())  # (B, T, N, D)
    drive = (delta.unsqueeze(2) * b_in.unsqueeze(3) + eps.unsqueeze(3)) * u.unsqueeze(2)
    h = linear_recurrence(decay, drive)
    if math.isfinite(limit):
        h = h.clamp(-limit, limit)
    return torch.einsum("btn,btnd->btd", c_out, h) + skip * u


def windowed_mean(x: Tensor, ends: Tensor, window: int) -> Tensor:
    """As ``functions.WindowedMean``: a product with a banded matrix (B, K, T)."""
    age = ends.unsqueeze(-1) - torch.arange(x.shape[1], device=x.device)
    inside = (age >= 0) & (age < window)
    weights = inside.to(x.dtype) / (ends.unsqueeze(-1) + 1).clamp_max(window).to(x.dtype)
    return torch.matmul(weights, x)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population variance (C,) over all frames of x (B, T, C), in float64."""
    wide = x.double()
    return wide.mean((0, 1)), wide.var((0, 1), correction=0)

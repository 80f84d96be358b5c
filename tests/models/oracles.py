"""Plain torch loops that say what the compiled kernels compute. Slow, obvious, differentiable by autograd."""

from __future__ import annotations

import torch
from torch import Tensor


def noise_anchor(magnitude: Tensor) -> Tensor:
    """Sections 2 of docs/stream_schedule.md, frame by frame, from the whole history."""
    frames = magnitude.shape[1]
    mean5 = torch.stack([magnitude[:, max(0, t - 4) : t + 1].mean(1) for t in range(frames)], 1)
    anchors = []
    for t in range(frames):
        if t < 5:
            anchor = mean5[:, t]
        else:
            block = t // 75
            first = max(4, 75 * (block - 1))
            anchor = mean5[:, first : t + 1].amin(1)
        anchors.append(anchor.clamp_min(1e-5))
    return torch.stack(anchors, 1)


def noise_floor(magnitude: Tensor, anchor: Tensor, beta: Tensor, gamma: Tensor, start: int, share: float) -> Tensor:
    floor = anchor[:, 0]
    out = []
    for t in range(magnitude.shape[1]):
        if t < start:
            floor = anchor[:, t]
        else:
            rate = torch.where(magnitude[:, t] > floor, gamma, beta)
            floor = torch.maximum((1 - rate) * floor + rate * magnitude[:, t], share * anchor[:, t])
        out.append(floor)
    return torch.stack(out, 1)


def envelope(energy: Tensor, s: Tensor) -> Tensor:
    s = s.expand_as(energy)
    env = energy[:, 0]
    out = []
    for t in range(energy.shape[1]):
        env = (1 - s[:, t]) * env + s[:, t] * energy[:, t]
        out.append(env)
    return torch.stack(out, 1)


def pcen(energy: Tensor, s: Tensor, alpha: Tensor, delta: Tensor, r: Tensor) -> Tensor:
    return (energy * (1e-6 + envelope(energy, s)) ** -alpha + delta) ** r - delta**r


def running_norm(x: Tensor, mean: Tensor, var: Tensor, prior: int, horizon: int, eps: float) -> Tensor:
    out = []
    for t in range(x.shape[1]):
        k = min(t + 1 + prior, horizon)
        d = x[:, t] - mean
        mean = mean + d / k
        var = (1 - 1 / k) * (var + d * d / k)
        out.append((x[:, t] - mean) / torch.sqrt(var + eps))
    return torch.stack(out, 1)


def conv_silu(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    pad = (weight.shape[2] - 1) * dilation
    padded = torch.nn.functional.pad(x.transpose(1, 2), (pad, 0))
    conv = torch.nn.functional.conv1d(padded, weight, bias, dilation=dilation, groups=weight.shape[0])
    return torch.nn.functional.silu(conv).transpose(1, 2)


def selective_scan(
    u: Tensor, delta: Tensor, a: Tensor, b_in: Tensor, c_out: Tensor, skip: Tensor, eps: Tensor, limit: float
) -> Tensor:
    h = u.new_zeros(u.shape[0], *a.shape)
    out = []
    for u_t, d_t, b_t, c_t, e_t in zip(*(x.unbind(1) for x in (u, delta, b_in, c_out, eps)), strict=True):
        h = torch.exp(d_t[:, :, None] * a) * h
        h = h + d_t[:, :, None] * b_t[:, None] * u_t[:, :, None] + e_t[:, None] * u_t[:, :, None]
        h = h.clamp(-limit, limit)
        out.append((h * c_t[:, None]).sum(-1) + skip * u_t)
    return torch.stack(out, 1)


def windowed_mean(x: Tensor, ends: Tensor, window: int) -> Tensor:
    rows = [[x[b, max(0, end + 1 - window) : end + 1].mean(0) for end in ends[b].tolist()] for b in range(len(x))]
    return torch.stack([torch.stack(row) for row in rows])

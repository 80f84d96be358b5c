"""Compiled loops of the front end: noise anchor and floor, PCEN envelope, running normalisation.

Arrays are C-contiguous (B, T, C), float32 or float64; every sum runs in the arrays' own precision. Transcendental
functions are left to torch, which has vector versions of them. ``nogil`` lets other threads run meanwhile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kwscore.models.constants import ANCHOR_BLOCK, ANCHOR_FRAMES, ANCHOR_MIN

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def noise_anchor(magnitude):
    """Causal minimum-statistics anchor (B, T, F) of magnitudes (B, T, F): docs/stream_schedule.md, 2."""
    batch, frames, bins = magnitude.shape
    anchor = np.empty_like(magnitude)
    current = np.empty(bins, magnitude.dtype)
    previous = np.empty(bins, magnitude.dtype)
    mean = np.empty(bins, magnitude.dtype)
    for b in range(batch):
        previous[:] = np.inf
        for t in range(frames):
            first = max(0, t - ANCHOR_FRAMES + 1)
            mean[:] = magnitude[b, first]
            for j in range(first + 1, t + 1):
                for f in range(bins):
                    mean[f] += magnitude[b, j, f]
            count = magnitude.dtype.type(t + 1 - first)
            for f in range(bins):
                mean[f] /= count
            if t == ANCHOR_FRAMES - 1:
                current[:] = mean
            elif t >= ANCHOR_FRAMES:
                if t % ANCHOR_BLOCK == 0:
                    previous[:] = current
                    current[:] = mean
                for f in range(bins):
                    current[f] = min(current[f], mean[f])
                for f in range(bins):
                    mean[f] = min(current[f], previous[f])
            for f in range(bins):
                anchor[b, t, f] = max(mean[f], magnitude.dtype.type(ANCHOR_MIN))
    return anchor


@njit(**_OPTIONS)
def noise_floor(magnitude, anchor, beta, gamma, start, share):
    """Running floor (B, T, F): equal to the anchor before frame ``start``, afterwards pulled to the magnitude
    at rate ``gamma`` when that lies above, ``beta`` otherwise, and never below ``share`` of the anchor."""
    batch, frames, bins = magnitude.shape
    floor = np.empty_like(magnitude)
    before = np.empty(bins, magnitude.dtype)
    for b in range(batch):
        before[:] = anchor[b, 0]
        for t in range(frames):
            if t < start:
                for f in range(bins):
                    before[f] = anchor[b, t, f]
            else:
                for f in range(bins):
                    m = magnitude[b, t, f]
                    n = before[f]
                    rate = gamma if m > n else beta
                    before[f] = max(n + rate * (m - n), share * anchor[b, t, f])
            floor[b, t] = before
    return floor


@njit(**_OPTIONS)
def noise_floor_backward(grad, magnitude, anchor, floor, beta, gamma, start, share):
    """Gradients of ``noise_floor`` with respect to (beta, gamma); the magnitudes need none."""
    batch, frames, bins = magnitude.shape
    zero = magnitude.dtype.type(0.0)
    one = magnitude.dtype.type(1.0)
    grad_beta = 0.0
    grad_gamma = 0.0
    carried = np.empty(bins, magnitude.dtype)
    for b in range(batch):
        carried[:] = 0.0
        for t in range(frames - 1, start - 1, -1):
            for f in range(bins):
                lam = grad[b, t, f] + carried[f]
                n = floor[b, t - 1, f] if t > 0 else anchor[b, 0, f]
                m = magnitude[b, t, f]
                above = m > n
                rate = gamma if above else beta
                if n + rate * (m - n) < share * anchor[b, t, f]:
                    lam = zero
                if above:
                    grad_gamma += lam * (m - n)
                else:
                    grad_beta += lam * (m - n)
                carried[f] = lam * (one - rate)
    return grad_beta, grad_gamma


@njit(**_OPTIONS)
def envelope(energy, s):
    """PCEN envelope (B, T, C) started on the first frame; ``s`` (C,) smoothing."""
    batch, frames, bands = energy.shape
    out = np.empty_like(energy)
    state = np.empty(bands, energy.dtype)
    for b in range(batch):
        state[:] = energy[b, 0]
        for t in range(frames):
            for c in range(bands):
                state[c] += s[c] * (energy[b, t, c] - state[c])
            out[b, t] = state
    return out


@njit(**_OPTIONS)
def envelope_adaptive(energy, s):
    """As ``envelope`` with a smoothing (B, T, C) for every frame."""
    batch, frames, bands = energy.shape
    out = np.empty_like(energy)
    state = np.empty(bands, energy.dtype)
    for b in range(batch):
        state[:] = energy[b, 0]
        for t in range(frames):
            for c in range(bands):
                state[c] += s[b, t, c] * (energy[b, t, c] - state[c])
            out[b, t] = state
    return out


@njit(**_OPTIONS)
def envelope_backward(grad, energy, env, s, want_energy):
    """Gradients of ``envelope``: (energy or an empty array, s (C,))."""
    batch, frames, bands = energy.shape
    one = energy.dtype.type(1.0)
    grad_energy = np.empty(energy.shape if want_energy else (0, 0, 0), energy.dtype)
    grad_s = np.zeros(bands, np.float64)
    clip_s = np.empty(bands, energy.dtype)
    lam = np.empty(bands, energy.dtype)
    for b in range(batch):
        lam[:] = 0.0
        clip_s[:] = 0.0
        for t in range(frames - 1, -1, -1):
            for c in range(bands):
                lam[c] = grad[b, t, c] + (one - s[c]) * lam[c]
            if t > 0:
                for c in range(bands):
                    clip_s[c] += lam[c] * (energy[b, t, c] - env[b, t - 1, c])
                if want_energy:
                    for c in range(bands):
                        grad_energy[b, t, c] = s[c] * lam[c]
            elif want_energy:
                grad_energy[b, 0] = lam
        for c in range(bands):
            grad_s[c] += clip_s[c]
    return grad_energy, grad_s


@njit(**_OPTIONS)
def envelope_adaptive_backward(grad, energy, env, s, want_energy):
    """Gradients of ``envelope_adaptive``: (energy or an empty array, s (B, T, C))."""
    batch, frames, bands = energy.shape
    one = energy.dtype.type(1.0)
    grad_energy = np.empty(energy.shape if want_energy else (0, 0, 0), energy.dtype)
    grad_s = np.zeros_like(energy)
    lam = np.empty(bands, energy.dtype)
    for b in range(batch):
        lam[:] = grad[b, frames - 1]
        for t in range(frames - 1, -1, -1):
            if t > 0:
                for c in range(bands):
                    grad_s[b, t, c] = lam[c] * (energy[b, t, c] - env[b, t - 1, c])
                if want_energy:
                    for c in range(bands):
                        grad_energy[b, t, c] = s[b, t, c] * lam[c]
                for c in range(bands):
                    lam[c] = grad[b, t - 1, c] + (one - s[b, t, c]) * lam[c]
            elif want_energy:
                grad_energy[b, 0] = lam
    return grad_energy, grad_s


@njit(**_OPTIONS)
def pcen_backward(grad, power, base, scaled, log_base, log_env, env, alpha, r):
    """Elementwise part of PCEN's backward in one pass.

    ``power`` = base^r, ``base`` = scaled + delta, ``scaled`` = energy * env^-alpha, ``env`` with its 1e-6 added.
    Returns gradients (base (B, T, C), env (B, T, C), alpha (C,), r (C,) without the delta^r term, sum of grad (C,),
    delta (C,) without the delta^r term).
    """
    batch, frames, bands = grad.shape
    grad_base = np.empty_like(grad)
    grad_env = np.empty_like(grad)
    sums = np.zeros((4, bands), np.float64)
    part = np.empty((4, bands), grad.dtype)
    for b in range(batch):
        part[:] = 0.0
        for t in range(frames):
            for c in range(bands):
                grad_base[b, t, c] = grad[b, t, c] * r[c] * power[b, t, c] / base[b, t, c]
            for c in range(bands):
                part[0, c] += grad_base[b, t, c] * scaled[b, t, c] * log_env[b, t, c]
            for c in range(bands):
                part[1, c] += grad[b, t, c] * power[b, t, c] * log_base[b, t, c]
            for c in range(bands):
                part[2, c] += grad[b, t, c]
            for c in range(bands):
                part[3, c] += grad_base[b, t, c]
            for c in range(bands):
                grad_env[b, t, c] = -alpha[c] * grad_base[b, t, c] * scaled[b, t, c] / env[b, t, c]
        for j in range(4):
            for c in range(bands):
                sums[j, c] += part[j, c]
    return grad_base, grad_env, -sums[0], sums[1], sums[2], sums[3]


@njit(**_OPTIONS)
def running_norm(x, mean0, var0, prior, horizon, eps):
    """Causal normalisation of x (B, T, C): docs/stream_schedule.md, 5. Returns (output, means, 1/deviation)."""
    batch, frames, bands = x.shape
    out = np.empty_like(x)
    means = np.empty_like(x)
    scale = np.empty_like(x)
    mean = np.empty(bands, x.dtype)
    var = np.empty(bands, x.dtype)
    one = x.dtype.type(1.0)
    epsilon = x.dtype.type(eps)
    for b in range(batch):
        mean[:] = mean0
        var[:] = var0
        for t in range(frames):
            share = one / x.dtype.type(min(t + 1 + prior, horizon))
            keep = one - share
            for c in range(bands):
                d = x[b, t, c] - mean[c]
                mean[c] += d * share
                var[c] = keep * (var[c] + d * d * share)
            for c in range(bands):
                scale[b, t, c] = one / np.sqrt(var[c] + epsilon)
            for c in range(bands):
                out[b, t, c] = (x[b, t, c] - mean[c]) * scale[b, t, c]
            means[b, t] = mean
    return out, means, scale


@njit(**_OPTIONS)
def running_norm_backward(grad, x, means, scale, mean0, prior, horizon):
    """Exact gradient of ``running_norm`` with respect to x, through the running mean and variance."""
    batch, frames, bands = x.shape
    grad_x = np.empty_like(x)
    to_mean = np.empty(bands, x.dtype)
    to_var = np.empty(bands, x.dtype)
    one = x.dtype.type(1.0)
    half = x.dtype.type(0.5)
    two = x.dtype.type(2.0)
    for b in range(batch):
        to_mean[:] = 0.0
        to_var[:] = 0.0
        for t in range(frames - 1, -1, -1):
            share = one / x.dtype.type(min(t + 1 + prior, horizon))
            keep = one - share
            before = means[b, t - 1] if t > 0 else mean0
            for c in range(bands):
                direct = grad[b, t, c] * scale[b, t, c]
                to_var[c] -= half * direct * (x[b, t, c] - means[b, t, c]) * scale[b, t, c] * scale[b, t, c]
                to_mean[c] -= direct
                to_var[c] *= keep
                step = share * (to_mean[c] + two * to_var[c] * (x[b, t, c] - before[c]))
                grad_x[b, t, c] = direct + step
                to_mean[c] -= step
    return grad_x


@njit(**_OPTIONS)
def moments(x):
    """Mean and population variance (C,) over all frames of x (B, T, C)."""
    batch, frames, channels = x.shape
    mean = np.zeros(channels, np.float64)
    square = np.zeros(channels, np.float64)
    part = np.empty((2, channels), x.dtype)
    for b in range(batch):
        centre = x[b, 0]
        part[:] = 0.0
        for t in range(frames):
            for c in range(channels):
                part[0, c] += x[b, t, c] - centre[c]
            for c in range(channels):
                part[1, c] += (x[b, t, c] - centre[c]) ** 2
        for c in range(channels):
            shift = part[0, c] / frames
            mean[c] += centre[c] + shift
            square[c] += part[1, c] / frames - shift**2 + (centre[c] + shift) ** 2
    mean /= batch
    return mean, np.maximum(square / batch - mean**2, 0.0)

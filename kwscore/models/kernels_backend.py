"""Compiled loops of the blocks: causal depthwise convolution, selective scan and pooling, with their gradients.

Arrays are C-contiguous (B, T, C), float32 or float64. The two backward kernels may reassociate sums over channels
(nothing else of fast math), so that these reductions use vector lanes; NaN and infinity keep their meaning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_REDUCING: dict[str, Any] = {**_OPTIONS, "fastmath": {"reassoc", "nsz", "contract"}}


@njit(**_OPTIONS)
def depthwise(x, weight, bias, dilation):
    """Causal depthwise convolution of x (B, T, D): taps (3, D), the last one on the current frame."""
    batch, frames, channels = x.shape
    taps = weight.shape[0]
    out = np.empty_like(x)
    for b in range(batch):
        for t in range(frames):
            for c in range(channels):
                out[b, t, c] = bias[c]
            for j in range(taps):
                past = t - (taps - 1 - j) * dilation
                if past >= 0:
                    for c in range(channels):
                        out[b, t, c] += weight[j, c] * x[b, past, c]
    return out


@njit(**_OPTIONS)
def depthwise_backward(grad, x, weight, dilation):
    """Gradients of ``depthwise``: (x, taps (3, D), bias (D,))."""
    batch, frames, channels = x.shape
    taps = weight.shape[0]
    grad_x = np.empty_like(x)
    grad_weight = np.zeros((taps, channels), np.float64)
    grad_bias = np.zeros(channels, np.float64)
    part = np.empty((taps + 1, channels), x.dtype)
    for b in range(batch):
        part[:] = 0.0
        for t in range(frames):
            for c in range(channels):
                part[taps, c] += grad[b, t, c]
            grad_x[b, t] = 0.0
            for j in range(taps):
                lag = (taps - 1 - j) * dilation
                if t + lag < frames:
                    for c in range(channels):
                        grad_x[b, t, c] += weight[j, c] * grad[b, t + lag, c]
                    for c in range(channels):
                        part[j, c] += grad[b, t + lag, c] * x[b, t, c]
        for j in range(taps):
            for c in range(channels):
                grad_weight[j, c] += part[j, c]
        for c in range(channels):
            grad_bias[c] += part[taps, c]
    return grad_x, grad_weight, grad_bias


@njit(**_OPTIONS)
def scan(u, delta, decay, b_in, c_out, skip, eps, limit):
    """Selective scan.

    u, delta (B, T, D); decay = exp(delta A) (B, T, N, D); b_in, c_out, eps (B, T, N); skip (D,); ``limit`` bounds
    the state. h = decay h + (delta b + eps) u, y = sum_n c h + skip u. Returns y (B, T, D), h (B, T, N, D).
    """
    batch, frames, channels = u.shape
    states = b_in.shape[2]
    y = np.empty_like(u)
    h = np.empty_like(decay)
    state = np.empty((states, channels), u.dtype)
    for b in range(batch):
        state[:] = 0.0
        for t in range(frames):
            for c in range(channels):
                y[b, t, c] = skip[c] * u[b, t, c]
            for n in range(states):
                bn = b_in[b, t, n]
                cn = c_out[b, t, n]
                e = eps[b, t, n]
                for c in range(channels):
                    value = decay[b, t, n, c] * state[n, c] + (delta[b, t, c] * bn + e) * u[b, t, c]
                    state[n, c] = min(max(value, -limit), limit)
                for c in range(channels):
                    y[b, t, c] += cn * state[n, c]
                for c in range(channels):
                    h[b, t, n, c] = state[n, c]
    return y, h


@njit(**_REDUCING)
def scan_backward(grad, u, delta, decay, a, b_in, c_out, skip, eps, h, limit, want_eps):
    """Gradients of ``scan`` with respect to (u, delta, a (N, D), b_in, c_out, skip, eps or zeros)."""
    batch, frames, channels = u.shape
    states = b_in.shape[2]
    grad_u = np.empty_like(u)
    grad_delta = np.empty_like(u)
    grad_b = np.empty_like(b_in)
    grad_c = np.empty_like(c_out)
    grad_eps = np.zeros_like(eps)
    grad_a = np.zeros((states, channels), np.float64)
    grad_skip = np.zeros(channels, np.float64)
    part_a = np.empty((states, channels), u.dtype)
    part_skip = np.empty(channels, u.dtype)
    carried = np.empty((states, channels), u.dtype)
    g = np.empty(channels, u.dtype)
    gb = np.empty(channels, u.dtype)
    total = np.empty(channels, u.dtype)
    q = np.empty(channels, u.dtype)
    zero_state = np.zeros(channels, u.dtype)
    zero = u.dtype.type(0.0)
    for b in range(batch):
        carried[:] = 0.0
        part_a[:] = 0.0
        part_skip[:] = 0.0
        for t in range(frames - 1, -1, -1):
            gb[:] = 0.0
            total[:] = 0.0
            grad_delta[b, t] = 0.0
            for n in range(states):
                bn = b_in[b, t, n]
                cn = c_out[b, t, n]
                before = h[b, t - 1, n] if t > 0 else zero_state
                sum_c = zero
                for c in range(channels):
                    sum_c += h[b, t, n, c] * grad[b, t, c]
                grad_c[b, t, n] = sum_c
                for c in range(channels):
                    value = cn * grad[b, t, c] + carried[n, c]
                    g[c] = value if abs(h[b, t, n, c]) < limit else zero
                for c in range(channels):
                    carried[n, c] = g[c] * decay[b, t, n, c]
                for c in range(channels):
                    q[c] = carried[n, c] * before[c]
                for c in range(channels):
                    part_a[n, c] += q[c] * delta[b, t, c]
                for c in range(channels):
                    grad_delta[b, t, c] += q[c] * a[n, c]
                for c in range(channels):
                    gb[c] += g[c] * bn
                e = eps[b, t, n]
                for c in range(channels):
                    total[c] += g[c] * e
                sum_b = zero
                for c in range(channels):
                    sum_b += g[c] * delta[b, t, c] * u[b, t, c]
                grad_b[b, t, n] = sum_b
                if want_eps:
                    sum_e = zero
                    for c in range(channels):
                        sum_e += g[c] * u[b, t, c]
                    grad_eps[b, t, n] = sum_e
            for c in range(channels):
                grad_delta[b, t, c] += gb[c] * u[b, t, c]
            for c in range(channels):
                grad_u[b, t, c] = gb[c] * delta[b, t, c] + total[c] + skip[c] * grad[b, t, c]
            for c in range(channels):
                part_skip[c] += grad[b, t, c] * u[b, t, c]
        for n in range(states):
            for c in range(channels):
                grad_a[n, c] += part_a[n, c]
        for c in range(channels):
            grad_skip[c] += part_skip[c]
    return grad_u, grad_delta, grad_a, grad_b, grad_c, grad_skip, grad_eps


@njit(**_OPTIONS)
def windowed_mean(x, ends, window):
    """Means (B, K, C) of the last min(t + 1, window) frames of x (B, T, C) at the frames t = ends (B, K)."""
    batch, _, channels = x.shape
    count = ends.shape[1]
    out = np.zeros((batch, count, channels), x.dtype)
    for b in range(batch):
        for k in range(count):
            last = ends[b, k] + 1
            first = max(0, last - window)
            for t in range(first, last):
                for c in range(channels):
                    out[b, k, c] += x[b, t, c]
            share = x.dtype.type(1.0 / (last - first))
            for c in range(channels):
                out[b, k, c] *= share
    return out


@njit(**_OPTIONS)
def windowed_mean_backward(grad, ends, window, frames):
    """Gradient (B, T, C) of ``windowed_mean``."""
    batch, count, channels = grad.shape
    out = np.zeros((batch, frames, channels), grad.dtype)
    row = np.empty(channels, grad.dtype)
    for b in range(batch):
        for k in range(count):
            last = ends[b, k] + 1
            first = max(0, last - window)
            share = grad.dtype.type(1.0 / (last - first))
            for c in range(channels):
                row[c] = grad[b, k, c] * share
            for t in range(first, last):
                for c in range(channels):
                    out[b, t, c] += row[c]
    return out

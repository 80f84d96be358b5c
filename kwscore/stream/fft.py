"""Magnitude spectrum of one 512-sample frame: periodic Hann window and a real FFT of our own.

A real FFT of 512 points is a complex FFT of 256 = 4^4 points on even and odd samples (Stockham radix 4, self-sorting,
no bit reversal) and one split pass. All in float64: the input is 16-bit, so bins far below the strongest stay exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_FREQ, WINDOW
from kwscore.stream.jit import kernel

POINTS = WINDOW // 2
_QUARTER = POINTS // 4


def tables() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Window (512,) scaled for int16 input, FFT twiddles (2, 256) as cos and -sin, split twiddles (2, 257)."""
    k = np.arange(WINDOW)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * k / WINDOW)) / 32768.0
    angle = 2 * np.pi * np.arange(POINTS) / POINTS
    split = 2 * np.pi * np.arange(N_FREQ) / WINDOW
    return window, np.stack([np.cos(angle), -np.sin(angle)]), np.stack([np.cos(split), -np.sin(split)])


@kernel
def _first_stage(pcm, window, twiddle, y_re, y_im):
    """Radix-4 stage of 256 points straight from the windowed int16 samples."""
    for p in range(_QUARTER):
        i0 = 2 * p
        i1 = i0 + 2 * _QUARTER
        i2 = i1 + 2 * _QUARTER
        i3 = i2 + 2 * _QUARTER
        a_re = pcm[i0] * window[i0]
        a_im = pcm[i0 + 1] * window[i0 + 1]
        b_re = pcm[i1] * window[i1]
        b_im = pcm[i1 + 1] * window[i1 + 1]
        c_re = pcm[i2] * window[i2]
        c_im = pcm[i2 + 1] * window[i2 + 1]
        d_re = pcm[i3] * window[i3]
        d_im = pcm[i3 + 1] * window[i3 + 1]
        s_re = a_re + c_re
        s_im = a_im + c_im
        t_re = a_re - c_re
        t_im = a_im - c_im
        u_re = b_re + d_re
        u_im = b_im + d_im
        v_re = d_im - b_im  # j (b - d)
        v_im = b_re - d_re
        y_re[4 * p] = s_re + u_re
        y_im[4 * p] = s_im + u_im
        r = t_re - v_re
        i = t_im - v_im
        y_re[4 * p + 1] = twiddle[0, p] * r - twiddle[1, p] * i
        y_im[4 * p + 1] = twiddle[0, p] * i + twiddle[1, p] * r
        r = s_re - u_re
        i = s_im - u_im
        y_re[4 * p + 2] = twiddle[0, 2 * p] * r - twiddle[1, 2 * p] * i
        y_im[4 * p + 2] = twiddle[0, 2 * p] * i + twiddle[1, 2 * p] * r
        r = t_re + v_re
        i = t_im + v_im
        y_re[4 * p + 3] = twiddle[0, 3 * p] * r - twiddle[1, 3 * p] * i
        y_im[4 * p + 3] = twiddle[0, 3 * p] * i + twiddle[1, 3 * p] * r


@kernel
def _stage(points, stride, twiddle, x_re, x_im, y_re, y_im):
    """One later radix-4 stage: ``points`` per transform, ``stride`` transforms side by side (the vectorised loop)."""
    m = points // 4
    for p in range(m):
        k = p * stride
        w1_re = twiddle[0, k]
        w1_im = twiddle[1, k]
        w2_re = twiddle[0, 2 * k]
        w2_im = twiddle[1, 2 * k]
        w3_re = twiddle[0, 3 * k]
        w3_im = twiddle[1, 3 * k]
        base = stride * p
        step = stride * m
        out = 4 * base
        for q in range(stride):
            a_re = x_re[base + q]
            a_im = x_im[base + q]
            b_re = x_re[base + step + q]
            b_im = x_im[base + step + q]
            c_re = x_re[base + 2 * step + q]
            c_im = x_im[base + 2 * step + q]
            d_re = x_re[base + 3 * step + q]
            d_im = x_im[base + 3 * step + q]
            s_re = a_re + c_re
            s_im = a_im + c_im
            t_re = a_re - c_re
            t_im = a_im - c_im
            u_re = b_re + d_re
            u_im = b_im + d_im
            v_re = d_im - b_im
            v_im = b_re - d_re
            y_re[out + q] = s_re + u_re
            y_im[out + q] = s_im + u_im
            r = t_re - v_re
            i = t_im - v_im
            y_re[out + stride + q] = w1_re * r - w1_im * i
            y_im[out + stride + q] = w1_re * i + w1_im * r
            r = s_re - u_re
            i = s_im - u_im
            y_re[out + 2 * stride + q] = w2_re * r - w2_im * i
            y_im[out + 2 * stride + q] = w2_re * i + w2_im * r
            r = t_re + v_re
            i = t_im + v_im
            y_re[out + 3 * stride + q] = w3_re * r - w3_im * i
            y_im[out + 3 * stride + q] = w3_re * i + w3_im * r


@kernel
def magnitude_spectrum(pcm, window, twiddle, split, work, magnitude):
    """|FFT| of the 512 int16 samples ``pcm`` into ``magnitude`` (257,); ``work``: (4, 256) float64 scratch."""
    a_re, a_im, b_re, b_im = work[0], work[1], work[2], work[3]
    _first_stage(pcm, window, twiddle, b_re, b_im)
    _stage(64, 4, twiddle, b_re, b_im, a_re, a_im)
    _stage(16, 16, twiddle, a_re, a_im, b_re, b_im)
    _stage(4, 64, twiddle, b_re, b_im, a_re, a_im)
    magnitude[0] = np.float32(abs(a_re[0] + a_im[0]))
    magnitude[POINTS] = np.float32(abs(a_re[0] - a_im[0]))
    for k in range(1, POINTS):
        j = POINTS - k
        even_re = 0.5 * (a_re[k] + a_re[j])
        even_im = 0.5 * (a_im[k] - a_im[j])
        odd_re = 0.5 * (a_im[k] + a_im[j])
        odd_im = 0.5 * (a_re[j] - a_re[k])
        re = even_re + split[0, k] * odd_re - split[1, k] * odd_im
        im = even_im + split[0, k] * odd_im + split[1, k] * odd_re
        magnitude[k] = np.float32(math.sqrt(re * re + im * im))

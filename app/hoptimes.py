"""What the Timing panel computes from the engine's times of single hops; microseconds throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwscore.constants import HOP, SAMPLE_RATE, WINDOW

LIMIT_US = 1e6 * HOP / SAMPLE_RATE
"""A hop that takes longer than it lasts cannot be kept up with."""
RUNNING = 200
"""Hops (2 s) behind each point of the running median and p99."""
STEP = 10  # hops between two such points
BINS_PER_DECADE = 24
SHORTEST, LONGEST = 0.1, 1e6
LEVELS = np.array([0.1, 0.3, 1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7])

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Figures:
    """``load``: share of real time, 0..1."""

    median: float
    p99: float
    worst: float
    load: float


def figures(hops: Array) -> Figures | None:
    """Summary of the hops; None without any."""
    if not len(hops):
        return None
    median, p99 = np.percentile(hops, (50, 99))
    return Figures(float(median), float(p99), float(hops.max()), float(hops.mean()) / LIMIT_US)


def seconds(columns: ArrayLike) -> Array:
    """When each column's frame ends, in seconds of sound: the clock of the time panels."""
    return (np.asarray(columns) * HOP + WINDOW) / SAMPLE_RATE


def column_at(second: float) -> float:
    """Inverse of ``seconds``."""
    return (second * SAMPLE_RATE - WINDOW) / HOP


def running(hops: Array, start: int, points: int = 200) -> tuple[NDArray[np.int64], Array, Array]:
    """Columns, medians and p99s over the ``RUNNING`` hops up to each of these columns; ``hops[0]`` is ``start``'s.

    The columns lie on a grid that does not depend on where the span begins (so the lines stand still while the plot
    moves on), finer than ``points`` only where the span is short. Columns with fewer hops before them are left out.
    """
    step = STEP * max(1, -(-len(hops) // (points * STEP)))
    first = -(-(start + RUNNING - 1) // step) * step
    columns = np.arange(first, start + len(hops), step)
    if not len(columns):
        return columns, np.zeros(0), np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(hops, RUNNING)[first - start - RUNNING + 1 :: step]
    middle, high = RUNNING // 2, round(0.99 * (RUNNING - 1))
    ordered = np.partition(windows, (middle, high), axis=1)
    return columns, ordered[:, middle], ordered[:, high]


def histogram(hops: Array) -> tuple[Array, NDArray[np.int64]]:
    """Edges (m + 1,), equally wide on a logarithmic scale and always the same ones, and counts (m,)."""
    edges = np.logspace(
        np.log10(SHORTEST), np.log10(LONGEST), round(np.log10(LONGEST / SHORTEST) * BINS_PER_DECADE) + 1
    )
    counts, _ = np.histogram(np.clip(hops, SHORTEST, LONGEST), edges)
    used = np.flatnonzero(counts)
    if not len(used):
        return edges[:1], counts[:0]
    return edges[used[0] : used[-1] + 2], counts[used[0] : used[-1] + 1]


def scale(hops: Array) -> tuple[float, float]:
    """A range that holds the hops and changes in steps of a half decade, at least one decade wide."""
    low = LEVELS[max(0, int(np.searchsorted(LEVELS, hops.min() * 0.9, "right")) - 1)]
    high = LEVELS[min(len(LEVELS) - 1, int(np.searchsorted(LEVELS, hops.max() * 1.1, "left")))]
    if high < 9 * low:
        high = LEVELS[min(len(LEVELS) - 1, int(np.searchsorted(LEVELS, low * 9, "left")))]
    return float(low), float(high)


def thinned(x: Array, y: Array, most: int = 4000) -> tuple[Array, Array]:
    """At most about ``most`` points that look the same: of each group its smallest and its largest value."""
    size = -(-2 * len(x) // most)
    if size <= 2:
        return x, y
    groups = len(x) // size
    body = y[: groups * size].reshape(groups, size)
    pairs = np.sort(np.stack([body.argmin(1), body.argmax(1)], axis=1), axis=1)
    kept = np.append((pairs + size * np.arange(groups)[:, None]).ravel(), np.arange(groups * size, len(x)))
    return x[kept], y[kept]


def spoken(us: float) -> str:
    """A time as people read it: 23.4 µs, 812 µs, 1.24 ms."""
    if us < 1000:
        return f"{us:.1f} µs" if us < 99.95 else f"{us:.0f} µs"
    return f"{us / 1000:.2f} ms" if us < 99_950 else f"{us / 1000:.0f} ms"

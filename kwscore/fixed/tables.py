"""Read-only memories of the datapath: function tables, window, twiddles, mel filterbank. Generated, never typed in."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import N_FREQ, N_MELS, WINDOW
from kwscore.models.melbank import mel_filterbank

I8 = NDArray[np.int64]
SEGMENTS = 256
_ONE = 65536


class Rom(NamedTuple):
    """Everything that is the same for all networks."""

    func: I8  # (4, 256, 2) base (u17) and slope (s13) of each segment: LOG2, EXP2, SIGMOID, SOFTPLUS
    window: I8  # (512,) periodic Hann, u1.16
    twiddle: I8  # (2, 256) cos and -sin of 2 pi i / 512, s1.16 in 18 bits
    mel_start: I8  # (40,) first bin of each band
    mel_count: I8  # (40,) bins of each band
    mel_weight: I8  # (40, widest) u1.16


def _round(x: float) -> int:
    """Nearest whole number, halves up."""
    return math.floor(x + 0.5)


def _function_points() -> list[list[int]]:
    """257 points of each function, 16 fraction bits."""
    unit = [i / SEGMENTS for i in range(SEGMENTS + 1)]
    wide = [i / 16 for i in range(SEGMENTS + 1)]
    return [
        [_round(_ONE * math.log2(1 + x)) for x in unit],
        [_round(_ONE * (2.0**x - 1)) for x in unit],
        [_round(_ONE / (1 + math.exp(-x))) for x in wide],
        [_round(_ONE * math.log1p(math.exp(-x))) for x in wide],
    ]


def _mel() -> tuple[I8, I8, I8]:
    bank = mel_filterbank()
    start = np.array([int(np.flatnonzero(row)[0]) for row in bank], np.int64)
    count = np.array([int(np.flatnonzero(row)[-1]) for row in bank], np.int64) + 1 - start
    weight = np.zeros((N_MELS, int(count.max())), np.int64)
    for m in range(N_MELS):
        for j in range(count[m]):
            weight[m, j] = _round(_ONE * float(bank[m, start[m] + j]))
    assert int(start[0]) > 0
    assert int((start + count).max()) < N_FREQ
    return start, count, weight


@cache
def rom() -> Rom:
    """The read-only memories; made once, write-protected."""
    points = np.array(_function_points(), np.int64)
    angle = [2 * math.pi * i / WINDOW for i in range(WINDOW)]
    half = angle[: WINDOW // 2]
    start, count, weight = _mel()
    made = Rom(
        func=np.ascontiguousarray(np.stack([points[:, :-1], np.diff(points, axis=1)], 2)),
        window=np.array([_round(_ONE * (0.5 - 0.5 * math.cos(a))) for a in angle], np.int64),
        twiddle=np.array(
            [[_round(_ONE * math.cos(a)) for a in half], [_round(-_ONE * math.sin(a)) for a in half]], np.int64
        ),
        mel_start=start,
        mel_count=count,
        mel_weight=weight,
    )
    for array in made:
        array.setflags(write=False)
    return made

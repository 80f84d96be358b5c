"""How a stream of 16-bit samples fills one window after the other; shared by the float and the integer step."""

from __future__ import annotations

import numpy as np

from kwscore.constants import HOP, WINDOW
from kwscore.stream.jit import kernel


@kernel
def fill_window(pcm, fill, samples, taken):
    """Copy ``samples`` from ``taken`` on into the window from ``fill`` on, as many as fit; returns how many."""
    part = min(WINDOW - fill, samples.shape[0] - taken)
    for i in range(part):
        pcm[fill + i] = samples[taken + i]
    return part


@kernel
def slide(pcm):
    """Drop the oldest hop of a full window; returns how many samples remain."""
    for i in range(WINDOW - HOP):
        pcm[i] = pcm[i + HOP]
    return WINDOW - HOP


@kernel
def power_of_new(pcm, t):
    """Sum of the squares of what is new in the window of frame ``t``: one hop, in the first frame all of it."""
    power = np.int64(0)
    for i in range(0 if t == 0 else WINDOW - HOP, WINDOW):
        power += np.int64(pcm[i]) * np.int64(pcm[i])
    return power

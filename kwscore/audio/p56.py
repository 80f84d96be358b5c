"""The inner loop of the active speech level meter, compiled once and cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def accumulate(
    x: NDArray[np.float32], g: float, hangover: int, thresholds: F64, envelope: F64, since: I64, active: F64
) -> float:
    """Run (n,) samples through the envelope (state: (2,)) and count the activity per threshold (rising order).

    ``since``: samples since the envelope was last at or above each threshold. Both are updated. Returns the energy.
    """
    p, q = envelope
    energy = 0.0
    for value in x:
        sample = np.float64(value)
        energy += sample * sample
        p = g * p + (1.0 - g) * abs(sample)
        q = g * q + (1.0 - g) * p
        for j in range(len(thresholds)):
            if q >= thresholds[j]:
                since[j] = 0
                active[j] += 1.0
            elif since[j] < hangover:
                since[j] += 1
                active[j] += 1.0
    envelope[0] = p
    envelope[1] = q
    return energy

"""The one place where samples become 16-bit PCM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.errors import KWScopeError


def to_pcm(samples: NDArray[np.generic]) -> NDArray[np.int16]:
    """Mono samples (n,) as contiguous int16; floats in [-1, 1] are multiplied by 32768, rounded and clipped.

    Raises KWScopeError for another type or shape, and for NaN or infinity, naming the first bad position.
    """
    array = np.asarray(samples)
    if array.ndim != 1:
        raise KWScopeError(f"Samples must be mono, of shape (n,), not {array.shape}: mix or pick one channel first.")
    if array.dtype == np.int16:
        return np.ascontiguousarray(array)
    if array.dtype not in (np.float32, np.float64):
        raise KWScopeError(f"Samples must be int16, or float32 in [-1, 1], not {array.dtype}: convert them first.")
    if not np.isfinite(array).all():
        where = int(np.flatnonzero(~np.isfinite(array))[0])
        raise KWScopeError(f"Sample {where} of the block is {array[where]}: audio must be finite, repair the source.")
    return np.rint(np.clip(array, -1.0, 1.0) * array.dtype.type(32768)).clip(-32768, 32767).astype(np.int16)

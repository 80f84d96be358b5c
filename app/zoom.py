"""Steps of the time scale: device-independent pixels a column of 10 ms."""

from __future__ import annotations

PITCHES = (1, 2, 3, 4, 6, 8)


def nearest(pitch: int) -> int:
    """The step closest to ``pitch``."""
    return min(PITCHES, key=lambda step: abs(step - pitch))

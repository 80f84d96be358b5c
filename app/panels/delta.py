"""SSM step size per block: mean and spread over the channels."""

from __future__ import annotations

import numpy as np

from app.feed import Array, Columns
from app.panels.blocks import BlockPanel

LOW, HIGH = 0.03, 10.0


def scaled(delta: np.ndarray) -> np.ndarray:
    """Position on the logarithmic scale LOW..HIGH, 0..1."""
    return (np.log10(np.clip(delta, LOW, HIGH)) - np.log10(LOW)) / (np.log10(HIGH) - np.log10(LOW))


class DeltaPanel(BlockPanel):
    key = "delta"
    title = "Step size Δ: how fast the memory is overwritten"
    about = (
        "Each block of the network has a memory (a state-space model) with its own step size Δ. Large: the new sound "
        "replaces what was remembered. Small: the memory is kept. Line: mean over the channels; band: the middle 80 % "
        "of them. Logarithmic scale."
    )
    empty = "Press Start (Space): here appears how fast the memory changes"
    ticks = tuple((float(scaled(np.array(float(text)))), text) for text in ("0.1", "1", "10"))

    def figures(self, columns: Columns) -> tuple[Array, Array, Array]:
        return columns.delta_mean, columns.delta_low, columns.delta_high

    def scaled(self, values: np.ndarray) -> np.ndarray:
        return scaled(values)

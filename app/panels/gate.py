"""Input gate of the state-space models: how much of the sound the SNR lets into the memory."""

from __future__ import annotations

import numpy as np

from app.feed import Array, Columns
from app.panels.blocks import BlockPanel


class GatePanel(BlockPanel):
    key = "gate"
    title = "Input gate B: how much the noise estimate lets into the memory"
    about = (
        "From the SNR per band each block computes what its input weights B are multiplied by: 1 lets the sound into "
        "the memory, 0 keeps it out. Line: mean over the states of the block; band: from the least to the largest of "
        "them. Watch it fall where noise covers a word, and the step size Δ with it."
    )
    empty = "Press Start (Space): here appears how much is let into the memory"
    missing = "This network has no such gate, or its engine does not send it (boards do not)"
    ticks = ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))
    low, high = -0.1, 1.1

    def figures(self, columns: Columns) -> tuple[Array, Array, Array]:
        return columns.gate_mean, columns.gate_low, columns.gate_high

    def scaled(self, values: np.ndarray) -> np.ndarray:
        return (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low)

"""Engines under the test's thumb for runner and comparison: no kernel is compiled for them."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kwscore.errors import KWScopeError
from kwscore.stream.telemetry import Telemetry
from tests.board.toy import ToyEngine

PATIENCE = 60.0  # s; only ever reached by a failing test


class GatedEngine(ToyEngine):
    """A ToyEngine that answers only while ``gate`` is open, and fails while ``failing`` is a sentence."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.failing = ""
        self.resets = 0
        super().__init__()

    def reset(self) -> None:
        super().reset()
        self.resets = self.resets + 1

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        assert self.gate.wait(PATIENCE)
        if self.failing:
            raise KWScopeError(self.failing)
        return super().process(samples)


class ShiftedEngine(ToyEngine):
    """A ToyEngine whose logits are ``by`` larger from frame ``since`` on, for one class."""

    def __init__(self, by: float, since: int = 0) -> None:
        self.by, self.since = by, since
        super().__init__()

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        records = super().process(samples)
        shift = np.zeros(12, np.float32)
        shift[0] = self.by
        return [replace(r, logits=r.logits + shift * (r.frame >= self.since)) for r in records]

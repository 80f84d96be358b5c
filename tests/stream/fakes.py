"""Engines and sources under the test's thumb for runner and comparison: no kernel is compiled for them."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.source import SourceState, SourceStatus
from kwscore.errors import KWScopeError
from kwscore.stream.telemetry import Telemetry
from tests.board.toy import ToyEngine
from tests.stream.signals import PCM

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


class Blocks:
    """A source that delivers given blocks, one a read."""

    name = "blocks"
    live = False

    def __init__(self, blocks: list[PCM]) -> None:
        self.blocks = list(blocks)
        self.delivered = 0

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def read(self, timeout: float = 0.0) -> PCM:
        block = self.blocks.pop(0) if self.blocks else np.zeros(0, np.int16)
        self.delivered += len(block)
        return block

    def status(self) -> SourceStatus:
        state = SourceState.RUNNING if self.blocks else SourceState.FINISHED
        return SourceStatus(state, position=self.delivered)

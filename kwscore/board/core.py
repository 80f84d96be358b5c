"""An engine in the place of a board's logic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kwscore.board.fields import encode_telemetry
from kwscore.board.protocol import Info, Mask, Mode, Sizes
from kwscore.constants import LABELS, N_MELS, WINDOW
from kwscore.errors import KWScopeError
from kwscore.stream.telemetry import Engine, Telemetry

_CLOCK = 50_000_000


def model_id_of(engine: Engine) -> int:
    """The 32-bit id by which a board knows weights, never 0.

    The CRC-32 of the image where the engine has one, else the first eight hex digits of the weights' hash.
    """
    return int(getattr(engine, "model_id", 0)) or int(engine.model_hash[:8], 16) or 1


class EngineCore:
    """Runs any engine as the core of a virtual board.

    ``loader(image)`` makes the engine of an image that the host sends, and raises KWScopeError for one that it cannot
    read; without it only the weights that the engine has are accepted. ``features`` stands in for the network behind
    the front end, when there is one. A program has no cycle counter, and says so (``Mode.UNTIMED``): how long it takes
    is this machine's time, which would look like a board's.
    """

    def __init__(
        self,
        engine: Engine,
        loader: Callable[[bytes], Engine] | None = None,
        features: Callable[[bytes], Telemetry] | None = None,
    ) -> None:
        self._loader = loader
        self._features = features
        mode = Mode.UNTIMED | (Mode.FEATURES if features else Mode(0))
        self.info = Info(clock_hz=_CLOCK, sizes=_sizes(engine), mode=mode)
        self._take(engine)

    @property
    def model_id(self) -> int:
        """Id of the engine's weights."""
        return model_id_of(self._engine)

    def load(self, image: bytes, model_id: int) -> bool:
        """Whether the image is one of a network of these sizes; from then on it is the one that runs."""
        if self._loader is not None:
            try:
                engine = self._loader(image)
            except KWScopeError:
                return False
            if _sizes(engine) != self.info.sizes or model_id_of(engine) != model_id:
                return False
            self._take(engine)
        return model_id == self.model_id

    def _take(self, engine: Engine) -> None:
        # Compiled engines compile at their first frame, which would look like a board that hangs.
        engine.process(np.zeros(WINDOW, np.int16))
        engine.reset()
        self._engine = engine

    def reset(self) -> None:
        """Return to the state before the first sample."""
        self._engine.reset()

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        """Compute one hop of 160 samples."""
        records = self._engine.process(samples)
        return 0, encode_telemetry(records[-1], mask, counters) if records else None

    def features(self, features: bytes, mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes] | None:
        """Compute one frame from features, when this core can."""
        return None if self._features is None else (0, encode_telemetry(self._features(features), mask, counters))


def _sizes(engine: Engine) -> Sizes:
    return Sizes(len(LABELS), len(engine.expert_names), engine.blocks, engine.channels, N_MELS)

"""An engine in the place of a board's logic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kwscore.board.fields import encode_telemetry
from kwscore.board.protocol import Info, Mask, Mode, Sizes
from kwscore.constants import LABELS, N_MELS, WINDOW
from kwscore.stream.telemetry import Engine, Telemetry

_CLOCK = 50_000_000


def model_id_of(model_hash: str) -> int:
    """The 32-bit id by which a board knows weights: the first eight hex digits of their hash, never 0."""
    return int(model_hash[:8], 16) or 1


class EngineCore:
    """Runs any engine as the core of a virtual board.

    ``accepts(image, model_id)`` says whether these weights are the engine's own; by default the model id decides,
    since an image's layout is the business of the integer engine. ``features`` stands in for the network behind the
    front end, when there is one. The cycle count is what the engine measured, in cycles of a 50 MHz clock.
    """

    def __init__(
        self,
        engine: Engine,
        accepts: Callable[[bytes, int], bool] | None = None,
        features: Callable[[bytes], Telemetry] | None = None,
    ) -> None:
        self._engine = engine
        self._accepts = accepts
        self._features = features
        sizes = Sizes(len(LABELS), len(engine.expert_names), engine.blocks, engine.channels, N_MELS)
        self.info = Info(clock_hz=_CLOCK, sizes=sizes, mode=Mode.FEATURES if features else Mode(0))
        self.model_id = model_id_of(engine.model_hash)
        # Compiled engines compile at their first frame, which would look like a board that hangs.
        engine.process(np.zeros(WINDOW, np.int16))
        engine.reset()

    def load(self, image: bytes, model_id: int) -> bool:
        """Whether the image is of the engine's network."""
        if self._accepts is not None:
            return self._accepts(image, model_id)
        return model_id == self.model_id

    def reset(self) -> None:
        """Return to the state before the first sample."""
        self._engine.reset()

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        """Compute one hop of 160 samples."""
        records = self._engine.process(samples)
        if not records:
            return 0, None
        return self._encode(records[-1], mask, counters)

    def features(self, features: bytes, mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes] | None:
        """Compute one frame from features, when this core can."""
        return None if self._features is None else self._encode(self._features(features), mask, counters)

    def _encode(self, record: Telemetry, mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes]:
        cycles = round(record.elapsed_us * _CLOCK / 1e6)
        return cycles & 0xFFFFFFFF, encode_telemetry(record, mask, counters)

"""The golden board: the integer engine behind the link, loaded over the line as the real one is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kwscore.board.core import EngineCore
from kwscore.board.engine import BoardModel
from kwscore.board.fields import encode_words, integer_words
from kwscore.board.handshake import Weights
from kwscore.board.protocol import Mask, Sizes
from kwscore.constants import N_CLASSES, N_MELS
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image


class GoldenCore(EngineCore):
    """Computes what the FPGA computes, for networks of ``image``'s sizes, and sends the very same words.

    Compiles the integer engine first where that is due, which ``progress`` is told: afterwards every hop is in time.
    """

    def __init__(self, image: Image, progress: Callable[[str], None] | None = None) -> None:
        engine = FixedEngine(image)
        engine.warm_up(progress)
        super().__init__(engine, loader=lambda data: FixedEngine(Image.from_bytes(data)))

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        """Compute one hop of 160 samples."""
        engine = self._engine
        assert isinstance(engine, FixedEngine)
        out = engine.outputs(samples)
        if not len(out.logits):
            return 0, None
        return 0, encode_words(integer_words(out, len(out.logits) - 1), mask, counters)


def board_model(image: Image) -> BoardModel:
    """What a host asks of a board that is to run this image."""
    sizes = Sizes(N_CLASSES, len(image.expert_names), image.sizes.layers, image.sizes.channels, N_MELS)
    weights = Weights(image.to_bytes(), image.model_id, sizes)
    return BoardModel(image.name, image.model_hash, image.expert_names, weights)

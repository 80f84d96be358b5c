"""The golden board: the integer engine behind the link, loaded over the line as the real one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kwscore.board.core import EngineCore
from kwscore.board.engine import BoardModel
from kwscore.board.fields import Words, encode_words, integer_words
from kwscore.board.handshake import Weights
from kwscore.board.protocol import Mask, Mode, Sizes
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
        self.info = replace(self.info, mode=self.info.mode | Mode.FEATURES)
        # What the front end wrote last; no reset clears the hardware's memory.
        self._front: Words = {Mask.ROUTING: np.zeros(2, "<u2"), Mask.MEL: np.zeros(N_MELS, "<i2")}

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        """Compute one hop of 160 samples."""
        engine = self._engine
        assert isinstance(engine, FixedEngine)
        out = engine.outputs(samples)
        if not len(out.logits):
            return 0, None
        words = integer_words(out, len(out.logits) - 1)
        self._front = {part: words[part] for part in self._front}
        return 0, encode_words(words, mask, counters)

    def features(self, features: bytes, mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes]:
        """Run the network alone on 40 normalised features and 40 SNR words; routing and mel are the last frame's."""
        engine = self._engine
        assert isinstance(engine, FixedEngine)
        out = engine.features(np.frombuffer(features, "<i2").reshape(1, 2, N_MELS))
        return 0, encode_words(integer_words(out, 0) | self._front, mask, counters)


def board_model(image: Image) -> BoardModel:
    """What a host asks of a board that is to run this image."""
    sizes = Sizes(N_CLASSES, len(image.expert_names), image.sizes.layers, image.sizes.channels, N_MELS)
    weights = Weights(image.to_bytes(), image.model_id, sizes)
    return BoardModel(image.name, image.model_hash, image.expert_names, weights)

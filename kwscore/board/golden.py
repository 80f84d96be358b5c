"""The golden board: the integer engine behind the link, loaded over the line as the real one is."""

from __future__ import annotations

from kwscore.board.core import EngineCore
from kwscore.board.engine import BoardModel
from kwscore.board.handshake import Weights
from kwscore.board.protocol import Sizes
from kwscore.constants import N_CLASSES, N_MELS
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image


def golden_core(image: Image) -> EngineCore:
    """A core that computes what the FPGA computes, for networks of this image's sizes."""
    return EngineCore(FixedEngine(image), loader=lambda data: FixedEngine(Image.from_bytes(data)))


def board_model(image: Image) -> BoardModel:
    """What a host asks of a board that is to run this image."""
    sizes = Sizes(N_CLASSES, len(image.expert_names), image.sizes.layers, image.sizes.channels, N_MELS)
    weights = Weights(image.to_bytes(), image.model_id, sizes)
    return BoardModel(image.name, image.model_hash, image.expert_names, weights)

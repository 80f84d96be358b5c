"""What a training run is: everything that decides its weights, stored in the card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kwscore.data.streams import StreamRecipe


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """AdamW with cosine schedule on cached feature shards.

    ``pool`` shards of 256 streams are drawn once and visited ``epochs`` times in a new order each epoch; SpecAugment
    is drawn anew at every visit. Learning rates are per step, ``warmup`` and ``floor`` as shares.
    """

    name: str = "NanoMamba-Tiny-DualPCEN"
    seed: int = 1
    seed_of_data: int = 1
    epochs: int = 40
    pool: int = 128
    batch: int = 64
    lr: float = 6e-3
    floor: float = 0.005
    warmup: float = 0.03
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    ema: float = 0.9995
    clip: float = 1.0
    mask_bands: int = 4
    mask_frames: int = 12
    mask_share: float = 0.5
    distill: float = 0.0
    temperature: float = 2.0
    teacher: str = ""
    beta: float = 0.05
    gamma: float = 0.03
    network: dict[str, Any] = field(default_factory=dict)
    norm_prior: int = 40
    norm_horizon: int = 97
    streams: StreamRecipe = field(default_factory=StreamRecipe)

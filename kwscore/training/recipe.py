"""What a training run is: everything that decides its weights, stored in the card."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kwscore.data.streams import StreamRecipe
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """AdamW with cosine schedule on cached feature shards.

    ``pool`` shards of 256 streams are drawn once and visited ``epochs`` times in a new order each epoch; SpecAugment
    is drawn anew at every visit. Learning rates are per step, ``warmup`` and ``floor`` as shares. ``beta`` and
    ``gamma`` are the noise floor's rates, ``mel_floor`` the published floor of band 0 (0.05 there, which hides words
    30 dB below the usual level), ``a_range`` the slowest and fastest initial pole -A (published: 1.5, 2.5, ...).
    ``distill`` is the share of the teacher's answers in the loss from epoch ``distill_from`` on.
    """

    name: str = DEFAULT_NETWORK
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
    ema: float = 0.999
    clip: float = 1.0
    mask_bands: int = 4
    mask_frames: int = 12
    mask_share: float = 0.5
    distill: float = 0.0
    distill_from: int = 0
    temperature: float = 2.0
    teacher: str = ""
    beta: float = 0.05
    gamma: float = 0.03
    network: dict[str, Any] = field(default_factory=dict)
    mel_floor: float = 0.015
    a_range: tuple[float, ...] = (0.15, 4.0)
    streams: StreamRecipe = field(default_factory=StreamRecipe)


def _known(kind: type, values: dict[str, Any], what: str) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise KWScopeError(f"{what} has no field {unknown[0]!r}; it has: {', '.join(sorted(names))}.")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def load_recipe(path: Path | None, overrides: dict[str, Any]) -> TrainingRecipe:
    """The default recipe, changed by a JSON file and then by ``overrides``."""
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise KWScopeError(f"--recipe {path} cannot be read as JSON ({error}).") from None
        if not isinstance(values, dict):
            raise KWScopeError(f"--recipe {path} must hold one JSON object.")
    values = _known(TrainingRecipe, {**values, **overrides}, "A training recipe")
    streams = values.get("streams", {})
    if isinstance(streams, dict):
        values["streams"] = StreamRecipe(**_known(StreamRecipe, streams, "A stream recipe"))
    return TrainingRecipe(**values)

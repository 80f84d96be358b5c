"""What a training run is: everything that decides its weights, stored in the card."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kwscore.data.streams import StreamRecipe, check_numbers
from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK

LIGHTER = StreamRecipe(
    clean=0.58, snr=(-4.0, 20.0), reverb=0.08, wide_level=0.4, unknown=0.22, silence=0.13, speed=(0.93, 1.08)
)
"""Streams of the last epochs."""

OPTIMISERS = ("soap", "adamw")


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Cosine schedule on cached feature shards; ``optimiser``: "soap" (``kwscore.training.soap``) or "adamw".

    ``pool`` shards of 256 streams are drawn once and visited ``epochs`` times in a new order each epoch; SpecAugment
    is drawn anew at every visit. Learning rates are per step, ``warmup`` and ``floor`` as shares. ``beta`` and
    ``gamma`` are the noise floor's rates, ``mel_floor`` the published floor of band 0 (0.05 there, which hides words
    30 dB below the usual level), ``a_range`` the slowest and fastest initial pole -A (published: 1.5, 2.5, ...).
    From epoch ``finish_from`` on the streams are drawn by ``finish``, lighter than before: the last, small steps are
    taken on sound like that of use. ``distill`` is the share of the teacher's answers in the loss from epoch
    ``distill_from`` on.
    """

    name: str = DEFAULT_NETWORK
    seed: int = 1
    seed_of_data: int = 1
    epochs: int = 72
    pool: int = 160
    batch: int = 64
    optimiser: str = "soap"
    lr: float = 1.5e-2
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
    finish: StreamRecipe = field(default_factory=lambda: LIGHTER)
    finish_from: int = 56

    def __post_init__(self) -> None:
        check_numbers(self, ("epochs", "pool", "batch", "lr", "clip", "temperature"))
        if self.optimiser not in OPTIMISERS:
            raise KWScopeError(
                f"optimiser={self.optimiser!r} in the training recipe must be one of: {', '.join(OPTIMISERS)}."
            )
        for name in ("streams", "finish"):
            if not isinstance(getattr(self, name), StreamRecipe):
                raise KWScopeError(f"{name} in the training recipe must be an object of stream settings.")
        if self.a_range and (len(self.a_range) != 2 or not 0 < self.a_range[0] <= self.a_range[1]):
            raise KWScopeError(
                f"a_range={list(self.a_range)} in the training recipe must be two rising positive numbers."
            )

    def streams_of(self, epoch: int) -> StreamRecipe:
        """How the streams of an epoch are drawn."""
        return self.finish if epoch >= self.finish_from else self.streams


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _known(kind: type, values: dict[str, Any], what: str) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise KWScopeError(f"{what} has no field {unknown[0]!r}; it has: {', '.join(sorted(names))}.")
    return {k: _frozen(v) for k, v in values.items()}


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
    for name in ("streams", "finish"):
        if isinstance(values.get(name), dict):
            values[name] = StreamRecipe(**_known(StreamRecipe, values[name], "A stream recipe"))
    return TrainingRecipe(**values)

"""What a training run is: everything that decides its weights, stored in the card."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kwscore.data.streams import StreamRecipe, check_numbers
from kwscore.errors import KWScopeError
from kwscore.models.config import ALIASES, BASELINES, DEFAULT_NETWORK

BEFORE = StreamRecipe(context=0.5, silence=0.14, step=0.3, level=(-38.0, 10.0))
"""Streams of the first epochs: every condition, half of them with sound that stops where a segment begins."""
LIGHTER = StreamRecipe(
    clean=0.82, snr=(-3.0, 20.0), reverb=0.05, wide_level=0.35, level=(-38.0, 6.0), unknown=0.2, silence=0.17,
    bare=0.2, speed=(0.95, 1.06), step=0.4, context=0.6,
)  # fmt: skip
"""Streams of the last epochs: mostly clean words at their natural level, and silences that begin with a step."""

OPTIMISERS = ("soap", "adamw")


@dataclass(frozen=True, slots=True)
class Phase:
    """From epoch ``start`` (counted from 0) on, streams are drawn by ``streams``."""

    start: int
    streams: StreamRecipe

    def __post_init__(self) -> None:
        whole = isinstance(self.start, int) and not isinstance(self.start, bool)
        if not whole or self.start < 1 or not isinstance(self.streams, StreamRecipe):
            raise KWScopeError(
                "A phase in the training recipe needs the epoch it starts with, 'start' (at least 1), "
                "and its 'streams'."
            )


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Cosine schedule on cached feature shards; ``optimiser``: "soap" (``kwscore.training.soap``) or "adamw".

    ``pool`` shards of 256 streams are drawn once and visited ``epochs`` times in a new order each epoch; SpecAugment
    and ``warp``, the largest share by which a stream's frequencies are stretched or squeezed as another speaker's
    vocal tract would, are drawn anew at every visit. Learning rates are per step, ``warmup`` and ``floor`` as shares.
    ``beta`` and
    ``gamma`` are the noise floor's rates, ``mel_floor`` the published floor of band 0 (0.05 there, which hides words
    30 dB below the usual level), ``a_range`` the slowest and fastest initial pole -A (published: 1.5, 2.5, ...).
    ``streams`` are those of the first epochs; ``phases`` change them later on: by default the last epochs hear lighter
    ones, so that the last, small steps are taken on sound like that of use. ``distill`` is the share of the teacher's
    answers in the loss from epoch ``distill_from`` on.

    A convolutional baseline takes the second up to each read of the same streams as a clip; ``beta`` to ``a_range``
    are of no meaning to it, and it has no distillation.
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
    warp: float = 0.0
    distill: float = 0.0
    distill_from: int = 0
    temperature: float = 2.0
    teacher: str = ""
    beta: float = 0.05
    gamma: float = 0.03
    network: dict[str, Any] = field(default_factory=dict)
    mel_floor: float = 0.015
    a_range: tuple[float, ...] = (0.15, 4.0)
    streams: StreamRecipe = field(default_factory=lambda: BEFORE)
    phases: tuple[Phase, ...] = (Phase(56, LIGHTER),)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", ALIASES.get(self.name, self.name))
        check_numbers(self, ("epochs", "pool", "batch", "lr", "clip", "temperature"))
        if not 0 <= self.warp < 0.5:
            raise KWScopeError(f"warp={self.warp!r} in the training recipe must be at least 0 and below 0.5.")
        if self.optimiser not in OPTIMISERS:
            raise KWScopeError(
                f"optimiser={self.optimiser!r} in the training recipe must be one of: {', '.join(OPTIMISERS)}."
            )
        if not isinstance(self.streams, StreamRecipe):
            raise KWScopeError("streams in the training recipe must be an object of stream settings.")
        starts = [phase.start for phase in self.phases if isinstance(phase, Phase)]
        if len(starts) < len(self.phases) or any(a >= b for a, b in pairwise(starts)):
            raise KWScopeError("phases in the training recipe must be a list of phases, each starting after the last.")
        if self.baseline and self.distill:
            raise KWScopeError(f"{self.name} in the training recipe cannot be distilled: leave 'distill' at 0.")
        if self.a_range and (len(self.a_range) != 2 or not 0 < self.a_range[0] <= self.a_range[1]):
            raise KWScopeError(
                f"a_range={list(self.a_range)} in the training recipe must be two rising positive numbers."
            )

    @property
    def baseline(self) -> bool:
        """Whether it trains a convolutional baseline on clips."""
        return self.name in BASELINES

    def streams_of(self, epoch: int) -> StreamRecipe:
        """How the streams of an epoch are drawn."""
        return next((phase.streams for phase in reversed(self.phases) if epoch >= phase.start), self.streams)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _known(kind: type, values: dict[str, Any], what: str) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise KWScopeError(f"{what} has no field {unknown[0]!r}; it has: {', '.join(sorted(names))}.")
    return {k: _frozen(v) for k, v in values.items()}


def _streams(values: Any, base: StreamRecipe, what: str) -> StreamRecipe:
    """``base`` with the fields that a JSON object gives."""
    if not isinstance(values, dict):
        raise KWScopeError(f"{what} in the training recipe must be an object of stream settings.")
    return replace(base, **_known(StreamRecipe, values, "A stream recipe"))


def recipe_from_dict(given: dict[str, Any]) -> TrainingRecipe:
    """A recipe from plain values, as a card has them; what is left out is the default.

    A phase's ``streams`` may leave out what it has in common with the recipe's own ``streams``. Recipes from before
    there were phases say ``finish`` and ``finish_from`` instead. Raises KWScopeError for what cannot be meant.
    """
    values = dict(given)
    streams = _streams(values.pop("streams", {}), TrainingRecipe().streams, "streams")
    phases = values.pop("phases", None)
    old = {name: values.pop(name) for name in ("finish", "finish_from") if name in values}
    if phases is not None:
        if old:
            raise KWScopeError(f"{next(iter(old))} in the training recipe is the old word for 'phases': give one only.")
        if not isinstance(phases, list) or not all(isinstance(phase, dict) for phase in phases):
            raise KWScopeError("phases in the training recipe must be a list of objects with 'start' and 'streams'.")
        for phase in phases:
            _known(Phase, phase, "A phase")
        values["phases"] = tuple(
            Phase(phase.get("start", 0), _streams(phase.get("streams"), streams, "streams of a phase"))
            for phase in phases
        )
    elif old:
        lighter = _streams(old["finish"], StreamRecipe(), "finish") if "finish" in old else LIGHTER
        values["phases"] = (Phase(old.get("finish_from", 56), lighter),)
    known = _known(TrainingRecipe, {k: v for k, v in values.items() if k != "phases"}, "A training recipe")
    return TrainingRecipe(**known, streams=streams, **{k: v for k, v in values.items() if k == "phases"})


def load_recipe(path: Path | None, overrides: dict[str, Any]) -> TrainingRecipe:
    """The default recipe, changed by a JSON file (a recipe or a checkpoint's card) and then by ``overrides``."""
    return recipe_from_dict({**_fields(path), **overrides})


def load_recipes(queue: Path, path: Path | None, overrides: dict[str, Any]) -> list[TrainingRecipe]:
    """The recipes of a queue: a JSON list whose entries are names of networks or objects of recipe fields.

    ``path`` and ``overrides`` as for ``load_recipe``; an entry's own fields go over the file's, ``overrides`` over all.
    """
    entries = _read_json(queue, "--queue")
    if not isinstance(entries, list) or not entries:
        raise KWScopeError(f"--queue {queue} must hold a JSON list of names of networks, or of recipes.")
    common = _fields(path)
    recipes = []
    for entry in entries:
        own = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(own, dict) or not isinstance(own.get("name"), str):
            raise KWScopeError(f"--queue {queue} has an entry that is neither a name nor a recipe with a 'name'.")
        recipes.append(recipe_from_dict({**common, **own, **overrides}))
    return recipes


def _fields(path: Path | None) -> dict[str, Any]:
    values = _read_json(path, "--recipe") if path is not None else {}
    if not isinstance(values, dict):
        raise KWScopeError(f"--recipe {path} must hold one JSON object.")
    if isinstance(values.get("recipe"), dict):  # the card of a checkpoint, which says how it was trained
        return dict(values["recipe"])
    return values


def _read_json(path: Path, option: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KWScopeError(f"{option} {path} cannot be read as JSON ({error}).") from None

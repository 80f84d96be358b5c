"""From a folder of recordings to a shipped checkpoint: what ``kwscope train`` does."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kwscore.data.material import data_key, load_material
from kwscore.data.shards import ShardStore
from kwscore.data.validation import CONDITIONS, ValidationMix, load_validation
from kwscore.evaluation.accuracy import FeatureCache, Score, evaluate, stream_features
from kwscore.models.network import NanoMamba
from kwscore.training.recipe import TrainingRecipe
from kwscore.training.teacher import Teacher
from kwscore.training.trainer import Progress, Trainer, build

Report = Callable[[Progress], None]
Say = Callable[[str], None]


def front_end_key(recipe: TrainingRecipe) -> str:
    """Names the cached features: they depend on the framing and on the frozen noise-floor parameters only."""
    log = "log" if recipe.name in ("NanoMamba-Tiny", "NanoMamba-Small") else "running"
    return f"{log}-{recipe.beta:g}-{recipe.gamma:g}"


def prepare(
    recipe: TrainingRecipe, data_dir: Path, cache: Path, extra_dir: Path | None = None, say: Say = lambda _: None
) -> tuple[ShardStore, FeatureCache]:
    """Shard store and cached validation features of a recipe; reads recordings only for what is missing."""
    net = build(recipe).eval()
    key = f"{front_end_key(recipe)} {data_key(data_dir, extra_dir)}"
    store = ShardStore(cache, recipe.streams, recipe.seed_of_data, key)
    if not all(store.path(i).exists() for i in range(recipe.pool)):
        material = load_material(data_dir, "train", extra_dir, say)
        for line in material.skipped:
            say(line)
        store.attach(material, lambda pcm: stream_features(net, pcm))
    mix = load_validation(data_dir, extra_dir, progress=say)
    digest = hashlib.sha256(mix.audio.tobytes() + front_end_key(recipe).encode()).hexdigest()[:12]
    return store, FeatureCache(mix, cache / f"validation-{digest}", net)


def make_shards(store: ShardStore, indices: Iterable[int], say: Say = lambda _: None) -> None:
    """Make the given shards; several processes may do so side by side."""
    for index in indices:
        store.make(index)
        say(f"shard {index}")


def card(recipe: TrainingRecipe, trainer: Trainer, scores: list[Score]) -> dict[str, Any]:
    """What a checkpoint says about itself."""
    return {
        "network": recipe.name,
        "schedule": "stream",
        "parameters": sum(p.numel() for p in trainer.net.parameters()),
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "seed": recipe.seed,
        "data": {
            "speech_commands": "Speech Commands v0.02 (P. Warden, arXiv:1804.03209, CC BY 4.0), Opus-coded subset",
            "streams": recipe.pool * 256,
            "visits": recipe.epochs,
        },
        "validation": [s.as_dict() for s in scores],
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "trained": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def train_network(
    recipe: TrainingRecipe,
    data_dir: Path,
    out: Path,
    cache: Path,
    extra_dir: Path | None = None,
    teacher: Teacher | NanoMamba | None = None,
    report: Report = lambda _: None,
    say: Say = lambda _: None,
) -> tuple[Trainer, list[Score], ValidationMix]:
    """Train or resume in ``out``, evaluate every condition, write ``out/<name>.safetensors`` and its card."""
    store, validation = prepare(recipe, data_dir, cache, extra_dir, say)
    trainer = Trainer(recipe, store, validation, out)
    trainer.teacher = teacher
    if trainer.resume():
        say(f"resuming after epoch {trainer.epoch} of {recipe.epochs}")
    net = trainer.run(report)
    scores = evaluate(net, validation.mix, tuple(CONDITIONS), say)
    from kwscore.models.checkpoint import save_checkpoint

    save_checkpoint(net, out / f"{recipe.name}.safetensors", card(recipe, trainer, scores))
    return trainer, scores, validation.mix

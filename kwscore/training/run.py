"""From a folder of recordings to a shipped checkpoint: what ``kwscope train`` does."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from kwscore.data.clip_shards import ClipStore
from kwscore.data.material import data_key, load_material, tell_skipped
from kwscore.data.shards import ShardStore, Store
from kwscore.data.speech_commands import Corpus, find_corpus
from kwscore.data.streams import StreamRecipe
from kwscore.data.validation import CONDITIONS, load_validation
from kwscore.errors import KWScopeError
from kwscore.evaluation.accuracy import Score, evaluate
from kwscore.evaluation.cached import (
    Cache,
    FeatureCache,
    ImageCache,
    clip_images,
    evaluate_cached,
    stream_features,
)
from kwscore.evaluation.noisy import parse_condition
from kwscore.files import beside
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.cnn import CnnBaseline
from kwscore.models.config import DEFAULT_NETWORK
from kwscore.models.network import NanoMamba
from kwscore.training.distill import SoftTargets, teacher_hash
from kwscore.training.parallel import find_device, team
from kwscore.training.recipe import TrainingRecipe
from kwscore.training.teacher import Teacher
from kwscore.training.trainer import WATCHED, Progress, Stores, Trainer, build

Report = Callable[[Progress], None]
Say = Callable[[str], None]


CLIP_CONDITIONS = tuple(name for name in CONDITIONS if not parse_condition(name).needs_stream)
"""The conditions that a network on clips can be measured in."""


def front_end_key(recipe: TrainingRecipe, net: NanoMamba | CnnBaseline) -> str:
    """Names the cached features: they depend on the framing and on the frozen noise-floor parameters only."""
    if isinstance(net, CnnBaseline):
        return f"clip-{net.config.window}"
    return f"{'running' if net.config.running_floor else 'log'}-{recipe.beta:g}-{recipe.gamma:g}"


def prepare(
    recipe: TrainingRecipe, data_dir: Path, cache: Path, extra_dir: Path | None = None, say: Say = lambda _: None
) -> tuple[Stores, Cache]:
    """Shard stores and cached validation features of a recipe; reads recordings only for what is missing."""
    net = build(recipe).eval()
    key = f"{front_end_key(recipe, net)} {data_key(data_dir, extra_dir)}"
    drawn = {recipe.streams_of(epoch) for epoch in range(recipe.epochs)}
    stores: dict[StreamRecipe, ShardStore] | dict[StreamRecipe, ClipStore]
    if isinstance(net, CnnBaseline):
        stores = {streams: ClipStore(cache, streams, recipe.seed_of_data, key) for streams in drawn}
    else:
        stores = {streams: ShardStore(cache, streams, recipe.seed_of_data, key) for streams in drawn}
    missing = [s for s in stores.values() if not all(s.path(i).exists() for i in range(recipe.pool))]
    if missing:
        material = load_material(data_dir, "train", extra_dir, say)
        tell_skipped(material.skipped, say)
        for store in missing:
            store.attach(material, _features(net))
    mix = load_validation(data_dir, extra_dir, progress=say)
    tell_skipped(mix.material.skipped, say)
    digest = hashlib.sha256(mix.audio.tobytes() + front_end_key(recipe, net).encode()).hexdigest()[:12]
    kind = ImageCache if isinstance(net, CnnBaseline) else FeatureCache
    return stores, kind(mix, cache / f"validation-{digest}", net)


def _features(net: NanoMamba | CnnBaseline) -> Callable[[NDArray[np.int16]], Any]:
    if isinstance(net, CnnBaseline):
        return lambda pcm: clip_images(net, pcm)
    return lambda pcm: stream_features(net, pcm)


def make_shards(store: Store, indices: Iterable[int]) -> None:
    """Make the given shards; several processes may do so side by side."""
    for index in indices:
        store.make(index)


def card(
    recipe: TrainingRecipe,
    net: NanoMamba | CnnBaseline,
    scores: list[Score],
    device: torch.device | str = "cpu",
    corpus: Corpus | None = None,
) -> dict[str, Any]:
    """What a checkpoint says about itself; ``corpus``: what it was trained on."""
    clips = {split: len(corpus.select(split)) for split in ("train", "validation")} if corpus else {}
    return {
        "network": recipe.name,
        "schedule": net.schedule,
        "parameters": sum(p.numel() for p in net.parameters()),
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "seed": recipe.seed,
        "data": {
            "speech_commands": "Speech Commands v0.02 (P. Warden, arXiv:1804.03209, CC BY 4.0)",
            "clips": clips,
            "streams": recipe.pool * 256,
            "visits": recipe.epochs,
        },
        "validation": [s.as_dict() for s in scores],
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "device": torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else str(device),
        "trained": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


@torch.no_grad()
def centre_classifier(net: torch.nn.Module) -> None:
    """Take from each column of the classifier its mean over the classes.

    The softmax, and with it the loss, does not see what all logits have in common, so training lets it drift; int8
    weights would spend most of their range on it.
    """
    classifier = net.get_submodule("classifier")
    for parameter in classifier.parameters():
        parameter.sub_(parameter.double().mean(0, keepdim=True).to(parameter.dtype))


def train_network(
    recipe: TrainingRecipe,
    data_dir: Path,
    out: Path,
    cache: Path,
    extra_dir: Path | None = None,
    teacher: Teacher | None = None,
    report: Report = lambda _: None,
    say: Say = lambda _: None,
    device: str = "cpu",
    first_shard: int = 0,
) -> tuple[NanoMamba | CnnBaseline, list[Score]]:
    """Train or resume in ``out``, evaluate every condition, write ``out/<name>.safetensors`` and its card.

    ``device`` as for ``find_device``. Missing shards are made from ``first_shard`` on, round the pool: runs side by
    side that begin at different ones share the work.
    """
    find_device(device)
    if teacher is not None:
        if recipe.baseline:
            raise KWScopeError(f"{recipe.name} cannot be distilled: leave --teacher out.")
        recipe = replace(recipe, teacher=teacher_hash(teacher))
    stores, validation = prepare(recipe, data_dir, cache, extra_dir, say)
    with team(device) as members:
        place = find_device(device, members.local_rank)
        for store in stores.values():
            order = np.roll(np.arange(recipe.pool), -first_shard)
            make_shards(store, order[members.local_rank :: members.local_world].tolist())
        members.wait()
        soft = SoftTargets(teacher) if teacher is not None else None
        trainer = Trainer(
            recipe, stores, validation if members.first else None, out, soft=soft, team=members, device=place
        )
        if trainer.resume():
            say(f"resuming after epoch {trainer.epoch} of {recipe.epochs}")
        net = trainer.run(report if members.first else lambda _: None)
        assert not isinstance(net, Teacher)
        centre_classifier(net)
        if not members.first:
            return net, []
    scores = evaluate(net, validation.mix, CLIP_CONDITIONS if recipe.baseline else tuple(CONDITIONS), say)
    save_checkpoint(net, out / f"{recipe.name}.safetensors", card(recipe, net, scores, place, find_corpus(data_dir)))
    return net, scores


def teacher_recipe(epochs: int, pool: int, seed: int) -> TrainingRecipe:
    """How the teacher is trained: on the same shards as the networks that learn from it."""
    return TrainingRecipe(
        name="teacher", seed=seed, epochs=epochs, pool=pool, optimiser="adamw", lr=2.5e-3, weight_decay=1e-2, ema=0.998,
        mask_bands=8, mask_frames=20, mask_share=0.8,
    )  # fmt: skip


def make_teacher(recipe: TrainingRecipe) -> Teacher:
    """An untrained teacher, seeded."""
    torch.manual_seed(recipe.seed)
    return Teacher()


def train_teacher_network(
    data_dir: Path,
    out: Path,
    cache: Path,
    extra_dir: Path | None = None,
    epochs: int = 14,
    pool: int = 160,
    seed: int = 1,
    report: Report = lambda _: None,
    say: Say = lambda _: None,
    device: str = "cpu",
) -> list[Score]:
    """Train or resume the convolutional teacher and write ``out``."""
    recipe = teacher_recipe(epochs, pool, seed)
    stores, validation = prepare(replace(recipe, name=DEFAULT_NETWORK), data_dir, cache, extra_dir, say)
    trainer = Trainer(recipe, stores, validation, out.with_suffix(""), make=make_teacher, device=find_device(device))
    if trainer.resume():
        say(f"resuming after epoch {trainer.epoch} of {epochs}")
    net = trainer.run(report)
    with beside(out) as part:
        save_file(net.state_dict(), part)
    return evaluate_cached(net, validation, WATCHED)


def load_teacher(path: Path) -> Teacher:
    """A teacher written by ``train_teacher_network``."""
    net = Teacher()
    try:
        net.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise KWScopeError(f"{path} is not a teacher made by 'kwscope train-teacher' ({error}).") from None
    return net.eval()

"""The training loop: cached shards in, a checkpoint with its card out; resumes where it was killed."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kwscore.data.clip_shards import ClipShard, ClipStore
from kwscore.data.shards import SHARD_STREAMS, Shard, ShardStore
from kwscore.data.streams import StreamRecipe
from kwscore.errors import KWScopeError
from kwscore.evaluation.accuracy import Score, summary
from kwscore.evaluation.cached import Cache, evaluate_cached
from kwscore.files import beside, make_folder
from kwscore.models.cnn import CnnBaseline, make_cnn
from kwscore.models.config import baseline_config
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model
from kwscore.training.distill import SoftTargets, soft_loss
from kwscore.training.parallel import Team
from kwscore.training.reads import Reader, Soft, Trainable
from kwscore.training.recipe import TrainingRecipe, recipe_from_dict
from kwscore.training.soap import Soap

Stores = Mapping[StreamRecipe, ShardStore] | Mapping[StreamRecipe, ClipStore]
"""The shards of each kind of stream that a recipe draws."""
WATCHED = ("clean", "white 0 dB", "factory 0 dB", "babble 0 dB")
"""Conditions that are measured after every epoch."""
DIVERGED = 50
"""Steps in a row without a finite gradient after which a run is given up."""
VALIDATE_EVERY = 2
"""Epochs between validations."""
FROZEN = ("snr_estimator.",)
"""Parameters that shape the cached features and therefore stay as set."""


@dataclass(slots=True)
class Progress:
    """What a progress bar shows."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    seconds_left: float


def build(recipe: TrainingRecipe) -> NanoMamba | CnnBaseline:
    """The untrained network of a recipe, seeded."""
    return build_baseline(recipe) if recipe.baseline else build_network(recipe)


def build_baseline(recipe: TrainingRecipe) -> CnnBaseline:
    """The untrained convolutional baseline of a recipe, seeded."""
    torch.manual_seed(recipe.seed)
    return make_cnn(baseline_config(recipe.name, **recipe.network))


def build_network(recipe: TrainingRecipe) -> NanoMamba:
    """The untrained stream network of a recipe, seeded, with the recipe's noise-floor rates."""
    torch.manual_seed(recipe.seed)
    net = create_model(recipe.name, schedule="stream", **recipe.network)
    estimator = net.snr_estimator
    if hasattr(estimator, "raw_beta"):
        with torch.no_grad():
            estimator.raw_beta.fill_(math.log(recipe.beta / (1 - recipe.beta)))
            estimator.raw_gamma.fill_(math.log(recipe.gamma / (1 - recipe.gamma)))
    if net.config.frontend != "log":
        floor = net.get_buffer("freq_dep_floor.freq_floor")
        floor.mul_(recipe.mel_floor / floor.flatten()[0].item())
    if recipe.a_range:  # poles from slow to fast instead of the published 1.5, 2.5, ...
        slow, fast = (math.log(a) for a in recipe.a_range)
        for name, parameter in net.named_parameters():
            if name.endswith("A_log"):
                parameter.data.copy_(torch.linspace(slow, fast, parameter.shape[1]).expand_as(parameter))
    for name, parameter in net.named_parameters():
        if name.startswith(FROZEN):
            parameter.requires_grad_(False)
    return net


def learning_rate(recipe: TrainingRecipe, step: int, steps: int) -> float:
    """Linear warm-up, then cosine to ``floor`` times the base rate."""
    warm = max(1, int(recipe.warmup * steps))
    if step < warm:
        return recipe.lr * (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return recipe.lr * (recipe.floor + (1 - recipe.floor) * 0.5 * (1 + math.cos(math.pi * progress)))


class Trainer:
    """One run. ``folder`` holds its resumable state and its log; what is shipped is the average at the end.

    ``device`` is where the network is trained; the state can be continued on another one.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        stores: Stores,
        validation: Cache | None,
        folder: Path,
        make: Callable[[TrainingRecipe], Trainable] = build,
        soft: SoftTargets | None = None,
        team: Team | None = None,
        device: torch.device | str = "cpu",
    ):
        self.recipe, self.stores, self.validation, self.folder, self.soft = recipe, stores, validation, folder, soft
        self.team = team or Team()
        self.device = torch.device(device)
        make_folder(folder, "choose another --out")
        self.net = make(recipe).to(self.device)
        self.ema = make(recipe).to(self.device)
        self.reader = Reader(recipe, self.device, self.team.rank, self.team.world)
        self.ema.load_state_dict(self.net.state_dict())
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimiser: torch.optim.Optimizer
        if recipe.optimiser == "soap":
            self.optimiser = Soap(trained, lr=recipe.lr, weight_decay=recipe.weight_decay)
        else:
            self.optimiser = torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=recipe.weight_decay, foreach=True)
        self.epoch = 0
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.steps = recipe.epochs * recipe.pool * math.ceil(SHARD_STREAMS / recipe.batch)

    # resuming ---------------------------------------------------------------------------------------------------
    @property
    def state_path(self) -> Path:
        return self.folder / "state.pt"

    def save(self) -> None:
        """Write the whole state and the log beside and rename. Raises KWScopeError where they cannot be written."""
        state = {
            "recipe": json.dumps(asdict(self.recipe), sort_keys=True),
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
        }
        content = io.BytesIO()
        torch.save(state, content)
        log = "".join(json.dumps(row) + "\n" for row in self.history).encode()
        try:
            for path, data in ((self.state_path, content.getvalue()), (self.folder / "log.jsonl", log)):
                with beside(path) as part:
                    part.write_bytes(data)
        except OSError as error:
            raise KWScopeError(
                f"The training's state cannot be written to {self.folder} ({error.strerror or error}): make room and "
                "run the same command again; it goes on after the last epoch that was written."
            ) from None

    def resume(self) -> bool:
        """Continue from the state in ``folder``; False when there is none. Another recipe is refused."""
        found = self.team.first and self.state_path.exists()
        state = self.team.share(self._read_state() if found else None)
        if state is None:
            return False
        another = KWScopeError(f"{self.folder} holds a run of another recipe; choose another --out or remove it.")
        try:  # a recipe from before it had some field counts as one with that field's default
            if recipe_from_dict(json.loads(state["recipe"])) != self.recipe:
                raise another
            self.net.load_state_dict(state["net"])
            self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (KWScopeError, RuntimeError, ValueError, KeyError, TypeError):
            raise another from None
        self.epoch, self.step = state["epoch"], state["step"]
        self.history = state["history"]
        return True

    def _read_state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(self.state_path, weights_only=True, map_location="cpu")
        except Exception:  # damage shows as any exception
            raise KWScopeError(f"{self.state_path} is damaged: remove it to begin anew.") from None
        return state

    # one epoch --------------------------------------------------------------------------------------------------
    def _loss(
        self, shard: Shard | ClipShard, rows: np.ndarray, rng: np.random.Generator, soft: Soft | None
    ) -> tuple[Tensor, int, int]:
        """This process's part of the loss of a batch, its reads that were right, and the reads of the whole batch."""
        recipe = self.recipe
        reads = self.reader.read(self.net, shard, rows, rng, soft)
        hard_count, soft_count = self.team.total(len(reads.target), len(reads.soft[0]) if reads.soft else 0)
        hard = F.cross_entropy(reads.logits, reads.target, label_smoothing=recipe.label_smoothing, reduction="sum")
        loss = hard / max(hard_count, 1)
        if reads.soft is not None:
            distilled = soft_loss(*reads.soft, recipe.temperature)
            loss = (1 - recipe.distill) * loss + recipe.distill * distilled / max(soft_count, 1)
        return loss, int((reads.logits.argmax(-1) == reads.target).sum()), hard_count

    def _update_ema(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mine, theirs in zip(self.ema.state_dict().values(), self.net.state_dict().values(), strict=True):
                if mine.is_floating_point():
                    mine.lerp_(theirs, 1 - decay)

    @torch.no_grad()
    def _first_statistics(self) -> None:
        """Start the corpus statistics from the same streams in every process of a team."""
        if isinstance(self.net, NanoMamba):
            shard = self.stores[self.recipe.streams_of(0)].load(0)
            assert isinstance(shard, Shard)
            part = slice(self.recipe.batch)
            mel, snr = (torch.from_numpy(a[part]).to(self.device).float() for a in (shard.mel, shard.snr))
            self.net.update_stream_statistics(self.net.frontend(mel, snr).feature, momentum=1.0)

    def run_epoch(self, report: Callable[[Progress], None] = lambda _: None) -> None:
        """Visit every shard of the pool once, in this epoch's order."""
        recipe = self.recipe
        store = self.stores[recipe.streams_of(self.epoch)]
        order = np.random.default_rng([recipe.seed, 7, self.epoch])
        shards = order.permutation(recipe.pool) if self.epoch else np.arange(recipe.pool)
        if self.step == 0:
            self._first_statistics()
        self.net.train()
        torch.manual_seed(1_000_003 * recipe.seed + self.epoch)  # dropout, the same when a killed run goes on
        began, first = time.monotonic(), self.step
        loss_mean, right, total, lost = 0.0, 0, 0, 0
        for index in shards:
            shard = store.load(int(index))
            soft = None
            if self.soft and self.epoch >= recipe.distill_from and isinstance(store, ShardStore):
                soft = self.soft.get(store, int(index))
            rng = np.random.default_rng([recipe.seed, 11, self.epoch, int(index)])
            rows = rng.permutation(len(shard.labels))
            for start in range(0, len(rows), recipe.batch):
                for group in self.optimiser.param_groups:
                    group["lr"] = learning_rate(recipe, self.step, self.steps)
                loss, hits, count = self._loss(shard, rows[start : start + recipe.batch], rng, soft)
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self.team.sum_gradients(self.net.parameters())
                self.team.average(self.net.buffers())
                norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
                if torch.isfinite(norm):
                    self.optimiser.step()
                    lost = 0
                else:  # one bad batch is left out; a run that has diverged is stopped
                    lost += 1
                    if lost == DIVERGED:
                        raise KWScopeError(f"Training diverged in epoch {self.epoch + 1}: lower 'lr' in the recipe.")
                self.step += 1
                self._update_ema()
                right, total = right + hits, total + count
                share = loss.item() * self.team.world  # this process has its part of the loss only
                loss_mean += (share - loss_mean) / min(200, self.step - first)
            rate = (time.monotonic() - began) / (self.step - first)
            report(
                Progress(
                    self.epoch + 1,
                    recipe.epochs,
                    self.step,
                    self.steps,
                    loss_mean,
                    right / max(total, 1),
                    rate * (self.steps - self.step),
                )
            )
        self.epoch += 1
        right, *_ = self.team.total(right)
        loss_mean = self.team.mean(loss_mean)
        if not self.team.first:
            return
        row = {"epoch": self.epoch, "loss": loss_mean, "train": 100.0 * right / max(total, 1)}
        if self.validation is not None and (self.epoch % VALIDATE_EVERY == 0 or self.epoch == recipe.epochs):
            scores = evaluate_cached(self.ema, self.validation, WATCHED)
            row.update(self.figures(scores))
        self.history.append(row)
        self.save()

    @staticmethod
    def figures(scores: list[Score]) -> dict[str, float]:
        """One row of the log."""
        clean = next(s for s in scores if s.condition == "clean").as_dict()
        return {**summary(scores), **{k: float(clean[k]) for k in ("words", "silence", "unknown")}}

    def run(self, report: Callable[[Progress], None] = lambda _: None) -> Trainable:
        """Train to the end; returns the averaged network, on the CPU."""
        while self.epoch < self.recipe.epochs:
            self.run_epoch(report)
        return self.ema.cpu().eval()

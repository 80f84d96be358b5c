from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from kwscore.data.shards import SHARD_STREAMS, ShardStore
from kwscore.data.streams import StreamRecipe
from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import shipped_checkpoints
from kwscore.models.config import REGISTRY
from kwscore.models.registry import create_model
from kwscore.training.distill import SoftTargets, soft_loss
from kwscore.training.reads import spec_mask
from kwscore.training.recipe import LIGHTER, Phase, TrainingRecipe, load_recipe, recipe_from_dict
from kwscore.training.run import centre_classifier, front_end_key, make_teacher, prepare
from kwscore.training.trainer import Trainer, build, learning_rate
from tests.data.corpus import make_corpus

SHORT = StreamRecipe(frames=110)
LIGHT = replace(SHORT, clean=0.9)
RECIPE = TrainingRecipe(epochs=2, pool=1, ema=0.9, streams=SHORT, phases=(Phase(1, LIGHT),))
Stores = Mapping[StreamRecipe, ShardStore]


def shard_stores(corpus: Path, cache: Path) -> Stores:
    """Stores of the recipe above."""
    return cast(Stores, prepare(RECIPE, corpus, cache)[0])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("training")
    return make_corpus(root), root / "cache"


@pytest.fixture(scope="module")
def stores(data: tuple[Path, Path]) -> Stores:
    return shard_stores(*data)


def _weights(net: torch.nn.Module) -> np.ndarray:
    return torch.cat([v.flatten().double() for v in net.state_dict().values()]).numpy()


def test_same_seed_same_weights_and_a_killed_run_goes_on(stores: Stores, tmp_path: Path) -> None:
    whole = Trainer(RECIPE, stores, None, tmp_path / "whole")
    whole.run()
    first = Trainer(RECIPE, stores, None, tmp_path / "killed")
    first.run_epoch()
    second = Trainer(RECIPE, stores, None, tmp_path / "killed")
    assert second.resume()
    assert second.epoch == 1
    second.run()
    np.testing.assert_array_equal(_weights(whole.net), _weights(second.net))
    np.testing.assert_array_equal(_weights(whole.ema), _weights(second.ema))
    assert np.abs(_weights(whole.net) - _weights(build(RECIPE))).max() > 1e-3
    third = Trainer(RECIPE, stores, None, tmp_path / "killed")
    third.state_path.write_bytes(third.state_path.read_bytes()[:500])
    with pytest.raises(KWScopeError, match="damaged"):
        third.resume()
    whole.state_path.replace(third.state_path)
    other = Trainer(replace(RECIPE, lr=1e-3), stores, None, tmp_path / "killed")
    with pytest.raises(KWScopeError, match="another recipe"):
        other.resume()


def test_shards_do_not_depend_on_who_makes_them(data: tuple[Path, Path], stores: Stores, tmp_path: Path) -> None:
    again = shard_stores(data[0], tmp_path)[SHORT]
    one, two = stores[SHORT].load(0), again.load(0)
    np.testing.assert_array_equal(one.mel, two.mel)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.mel.shape == (SHARD_STREAMS, 110, 40)
    again.maker = None
    with pytest.raises(KWScopeError, match="--data-dir"):
        again.load(7)


def test_noise_floor_parameters_stay_as_set(stores: Stores, tmp_path: Path) -> None:
    trainer = Trainer(replace(RECIPE, epochs=1), stores, None, tmp_path)
    trainer.run()
    beta = torch.sigmoid(trainer.net.get_parameter("snr_estimator.raw_beta"))
    assert beta.item() == pytest.approx(RECIPE.beta, rel=1e-5)


def test_soft_targets_are_the_teachers_answers(stores: Stores) -> None:
    teacher = make_teacher(RECIPE).eval()
    store = stores[SHORT]
    soft = SoftTargets(teacher)
    frames, logits = soft.get(store, 0)
    shard = store.load(0)
    with torch.no_grad():
        mel = torch.from_numpy(shard.mel[:4].astype(np.float32))
        expected = teacher.pool(teacher.hidden(mel, mel), torch.from_numpy(frames[:4]))
    np.testing.assert_allclose(logits[:4], expected.numpy(), atol=2e-2)
    np.testing.assert_array_equal(soft.get(store, 0)[1], logits)
    same = torch.randn(5, 12)
    assert soft_loss(same, same, 2.0).item() == pytest.approx(0.0, abs=1e-6)
    assert soft_loss(same, -same, 2.0).item() > 0.1


def test_learning_rate_rises_then_falls_to_its_floor() -> None:
    recipe = TrainingRecipe()
    rates = [learning_rate(recipe, step, 1000) for step in range(1000)]
    assert max(rates) == pytest.approx(recipe.lr, rel=1e-3)
    assert rates[0] < 0.1 * recipe.lr
    assert rates[-1] == pytest.approx(recipe.floor * recipe.lr, rel=0.1)


def test_spec_mask_is_bounded() -> None:
    recipe = replace(TrainingRecipe(), mask_share=1.0)
    mask = spec_mask(recipe, (16, 200, 40), np.random.default_rng(0))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (mask == 0).all(1).sum(1).max() <= recipe.mask_bands
    assert (mask == 0).all(2).sum(1).max() <= 2 * recipe.mask_frames


def test_recipe_files(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text('{"epochs": 3, "streams": {"snr": [0, 5]}}')
    recipe = load_recipe(path, {"seed": 9})
    assert (recipe.epochs, recipe.seed, recipe.streams.snr) == (3, 9, (0, 5))
    wrong = (
        '{"epochs": "x"}',
        '{"optimiser": "sgd"}',
        '{"batch": 0}',
        '{"lr": -1}',
        '{"streams": 5}',
        '{"a_range": [0.1]}',
        "[]",
    )
    for text in (*wrong, '{"streams": {"frames": "a"}}', '{"streams": {"sound": 1}}', "{"):
        path.write_text(text)
        with pytest.raises(KWScopeError, match=r"recipe|JSON|fields?"):
            load_recipe(path, {})
    path.write_text('{"epoch": 3}')
    with pytest.raises(KWScopeError, match="'epoch'"):
        load_recipe(path, {})
    with pytest.raises(KWScopeError, match="nowhere"):
        load_recipe(tmp_path / "nowhere.json", {})


def test_the_last_epochs_hear_lighter_streams(stores: Stores) -> None:
    assert set(stores) == {SHORT, LIGHT}
    assert RECIPE.streams_of(0) == SHORT
    assert RECIPE.streams_of(1) == LIGHT
    assert not np.array_equal(stores[SHORT].load(0).mel, stores[LIGHT].load(0).mel)


def test_phases_come_in_order_and_share_what_they_leave_out() -> None:
    given: dict[str, Any] = {
        "streams": {"frames": 200, "clean": 1.0},
        "phases": [
            {"start": 3, "streams": {"clean": 0.5, "snr": [5, 15]}},
            {"start": 10, "streams": {"clean": 0.5, "snr": [0, 10]}},
        ],
    }
    recipe = recipe_from_dict(given)
    drawn = [recipe.streams_of(epoch) for epoch in range(12)]
    assert [s.snr for s in drawn] == [(-6.0, 18.0)] * 3 + [(5, 15)] * 7 + [(0, 10)] * 2
    assert [s.clean for s in drawn] == [1.0] * 3 + [0.5] * 9
    assert all(s.frames == 200 for s in drawn)
    assert recipe_from_dict(json.loads(json.dumps(asdict(recipe)))) == recipe
    wrong: tuple[Any, ...] = (5, [5], [{"streams": {}}], [{"start": 0, "streams": {}}], [{"start": 2}], [{"from": 2}])
    for phases in wrong:
        with pytest.raises(KWScopeError, match="phase"):
            recipe_from_dict({"phases": phases})
    for starts in ((5, 5), (5, 3)):
        with pytest.raises(KWScopeError, match="each starting after the last"):
            recipe_from_dict({"phases": [{"start": start, "streams": {}} for start in starts]})


def test_recipes_from_before_phases_mean_the_same() -> None:
    old = recipe_from_dict({"finish": asdict(LIGHT), "finish_from": 9})
    assert old.phases == (Phase(9, LIGHT),)
    assert recipe_from_dict({"finish_from": 9}).phases == (Phase(9, LIGHTER),)
    assert recipe_from_dict({}) == TrainingRecipe()
    with pytest.raises(KWScopeError, match="old word"):
        recipe_from_dict({"finish_from": 9, "phases": []})


def test_shipped_cards_hold_recipes_that_still_load() -> None:
    for path in shipped_checkpoints().values():
        card = json.loads(path.with_suffix(".json").read_text())
        recipe = recipe_from_dict(card["recipe"])
        assert recipe.name == card["network"]
        assert load_recipe(path.with_suffix(".json"), {}) == recipe, "a card stands for its recipe"


def test_published_names_are_one_recipe() -> None:
    assert TrainingRecipe(name="NC-20K") == TrainingRecipe(name="NanoMamba-NC-20K")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_and_the_run_goes_on(stores: Stores, tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, stores, None, tmp_path)
    trainer.run_epoch()
    before = trainer.state_path.read_bytes()
    part = trainer.state_path.with_name(trainer.state_path.name + ".part")
    part.symlink_to("/dev/full")
    with pytest.raises(KWScopeError, match=r"cannot be written.*No space left.*run the same command again"):
        trainer.run_epoch()
    assert trainer.state_path.read_bytes() == before
    assert not part.is_symlink()
    again = Trainer(RECIPE, stores, None, tmp_path)
    assert again.resume()
    again.run()
    whole = Trainer(RECIPE, stores, None, tmp_path / "whole")
    whole.run()
    np.testing.assert_array_equal(_weights(whole.net), _weights(again.net))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_cache_is_said(data: tuple[Path, Path], tmp_path: Path) -> None:
    store = shard_stores(data[0], tmp_path)[SHORT]
    partial = store.path(0).with_suffix(f".{os.getpid()}.part.npz")
    partial.symlink_to("/dev/full")
    with pytest.raises(KWScopeError, match=r"make room in the cache.*goes on where it was"):
        store.load(0)
    assert list(store.folder.iterdir()) == []
    assert store.load(0).mel.shape[0] == SHARD_STREAMS


def test_a_damaged_shard_is_made_again(data: tuple[Path, Path], tmp_path: Path) -> None:
    store = shard_stores(data[0], tmp_path)[SHORT]
    before = store.load(0)
    store.path(0).write_bytes(store.path(0).read_bytes()[:5000])
    np.testing.assert_array_equal(store.load(0).mel, before.mel)


def test_a_run_that_diverges_is_stopped(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kwscore.training.trainer.DIVERGED", 2)
    trainer = Trainer(RECIPE, stores, None, tmp_path)
    with torch.no_grad():
        trainer.net.get_parameter("classifier.weight").fill_(float("nan"))
    with pytest.raises(KWScopeError, match="diverged"):
        trainer.run_epoch()


def test_cached_features_of_each_front_end_have_their_own_name() -> None:
    keys = {name: front_end_key(RECIPE, build(replace(RECIPE, name=name))) for name in REGISTRY}
    for name, config in REGISTRY.items():
        assert keys[name].startswith("running" if config.running_floor else "log")
    assert keys["NanoMamba-Tiny-TC"] == keys["NanoMamba-Tiny"] != keys["NC-SSM"]


def test_recipes_of_the_guide_load(repository: Path) -> None:
    blocks = re.findall(r"```json\n(.*?)```", (repository / "docs" / "training.md").read_text(), re.S)
    curriculum, queue = (json.loads(block) for block in blocks)
    recipe = recipe_from_dict(curriculum)
    assert [recipe.streams_of(epoch).clean for epoch in (0, 2, 3, 29)] == [1.0, 1.0, 0.5, 0.5]
    assert [recipe.streams_of(epoch).snr for epoch in (3, 9, 10, 20)] == [(5, 15), (5, 15), (0, 10), (-5, 10)]
    assert {(streams.synthetic, streams.context) for streams in map(recipe.streams_of, range(30))} == {(1.0, 0.0)}
    assert next(recipe_from_dict({"name": e} if isinstance(e, str) else e).name for e in queue) == "NC-SSM"


def test_a_centred_classifier_answers_the_same() -> None:
    net = create_model("NanoMamba-Tiny-DualPCEN", schedule="stream").eval()
    with torch.no_grad():
        common = torch.randn(net.classifier.in_features, generator=torch.Generator().manual_seed(1))
        net.classifier.weight.add_(5.0 * common)
        net.classifier.bias.add_(3.0)
        sound = torch.randn(2, 8000, generator=torch.Generator().manual_seed(2)) * 0.1
        before = net(sound)
        centre_classifier(net)
        after = net(sound)
    assert net.classifier.weight.abs().max() < 2.0
    torch.testing.assert_close(after.softmax(-1), before.softmax(-1), atol=1e-5, rtol=0)

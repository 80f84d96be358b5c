"""Convolutional baselines: trained on the second up to each read of the same streams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kwscore.constants import CLIP_FRAMES, CLIP_SAMPLES, HOP
from kwscore.data.clip_shards import ClipShard, ClipStore, clip_of
from kwscore.data.material import load_material
from kwscore.data.streams import StreamMaker, StreamRecipe
from kwscore.errors import KWScopeError
from kwscore.evaluation.cached import Cache, clip_images
from kwscore.training.parallel import find_device
from kwscore.training.reads import Reader
from kwscore.training.recipe import TrainingRecipe
from kwscore.training.run import prepare
from kwscore.training.trainer import Stores, Trainer, build, build_baseline
from tests.data.corpus import make_corpus

RECIPE = TrainingRecipe(name="BC-ResNet-1", epochs=2, pool=1, ema=0.9, streams=StreamRecipe(frames=210), phases=())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def prepared(corpus: Path) -> tuple[Stores, Cache]:
    return prepare(RECIPE, corpus, corpus.parent / "cache")


@pytest.fixture(scope="module")
def store(prepared: tuple[Stores, Cache]) -> ClipStore:
    found = prepared[0][RECIPE.streams]
    assert isinstance(found, ClipStore)
    return found


def test_clips_are_the_seconds_of_the_same_streams(corpus: Path, store: ClipStore) -> None:
    shard = store.load(0)
    maker = StreamMaker(load_material(corpus), RECIPE.streams)
    net = build_baseline(RECIPE).eval()
    rows = np.array([3, 200, 17])
    clips, labels = shard.clips(rows)
    streams = [maker.make(np.random.default_rng([RECIPE.seed_of_data, 0, row])) for row in rows]
    pairs = [(s, *pair) for s in streams for pair in zip(s.ends.tolist(), s.labels.tolist(), strict=True)]
    expected = [(stream, end, truth) for stream, end, truth in pairs if end >= 0]
    assert len(clips) == len(expected) == len(labels)
    for clip, label, (stream, end, truth) in zip(clips, labels, expected, strict=True):
        assert label == truth
        start = (end - CLIP_FRAMES + 1) * HOP
        sound = clip_of(stream, end)
        np.testing.assert_array_equal(sound, stream.pcm[start : start + CLIP_SAMPLES])
        assert len(sound) == CLIP_SAMPLES
        np.testing.assert_allclose(shard.image[clip], clip_images(net, sound[None])[0], rtol=1e-3, atol=1e-3)


def test_every_read_is_a_clip_once(store: ClipStore) -> None:
    shard = store.load(0)
    clips, labels = shard.clips(np.random.default_rng(0).permutation(len(shard.labels)))
    assert sorted(clips) == list(range(len(shard.image)))
    assert (labels >= 0).all()


def test_a_team_shares_the_clips_of_a_batch(store: ClipStore) -> None:
    shard = store.load(0)
    net = build_baseline(RECIPE).eval()
    parts = []
    for rank, world in ((0, 1), (0, 2), (1, 2)):
        reader = Reader(RECIPE, torch.device("cpu"), rank, world)
        parts.append(reader.read(net, shard, np.arange(9), np.random.default_rng(5), None))
    whole, first, second = parts
    torch.testing.assert_close(first.logits, whole.logits[0::2], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(second.logits, whole.logits[1::2], rtol=1e-5, atol=1e-5)
    assert torch.equal(second.target, whole.target[1::2])


def test_loss_falls_and_a_killed_run_goes_on(corpus: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, name="BC-ResNet-2021-1", streams=StreamRecipe(frames=110))  # one with dropout
    stores, validation = prepare(recipe, corpus, corpus.parent / "cache")
    whole = Trainer(recipe, stores, validation, tmp_path / "whole")
    whole.run()
    first, last = whole.history
    assert last["loss"] < first["loss"]
    assert set(last) >= {"clean", "babble", "words"}
    killed = Trainer(recipe, stores, None, tmp_path / "killed")
    killed.run_epoch()
    again = Trainer(recipe, stores, None, tmp_path / "killed")
    assert again.resume()
    again.run()
    for key, value in whole.net.state_dict().items():
        assert torch.equal(value, again.net.state_dict()[key]), key


def test_baselines_have_a_cache_of_their_own_window(corpus: Path, store: ClipStore, tmp_path: Path) -> None:
    original = prepare(replace(RECIPE, name="BC-ResNet-2021-1"), corpus, tmp_path)[0]
    assert next(iter(original.values())).folder.name != store.folder.name
    assert isinstance(store.load(0), ClipShard)


def test_what_a_baseline_cannot_do_is_said() -> None:
    with pytest.raises(KWScopeError, match="cannot be distilled"):
        replace(RECIPE, distill=0.5)
    with pytest.raises(KWScopeError, match="cannot be changed so"):
        build(replace(RECIPE, network={"d_model": 3}))


def test_devices_are_found_or_refused() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda")
    for name in ("gpu", "cuda:x"):
        with pytest.raises(KWScopeError, match="give auto, cpu, cuda or cuda:N"):
            find_device(name)
    with pytest.raises(KWScopeError, match="is not there"):
        find_device(f"cuda:{torch.cuda.device_count()}")

"""The convolutional baselines: sizes, reference logits, clip schedule only."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import kwscore
from kwscore.errors import KWScopeError
from kwscore.models import checkpoint
from kwscore.models.cnn import CnnBaseline
from kwscore.models.config import BASELINES
from kwscore.models.registry import BaselineName

SHARED = Path(__file__).parents[2].parent / "shared" / "golden"
PARAMETERS = {
    "DS-CNN-S": 23_756,
    "BC-ResNet-1": 7_464,
    "BC-ResNet-3": 43_200,
    "BC-ResNet-2021-1": 9_232,
    "BC-ResNet-2021-1.5": 17_154,
    "BC-ResNet-2021-2": 27_284,
    "BC-ResNet-2021-3": 54_168,
    "BC-ResNet-2021-6": 187_812,
    "BC-ResNet-2021-8": 321_068,
}
"""Published counts; of the original the exact numbers behind the 9.2 k ... 321 k of its paper."""


def _make(name: str) -> CnnBaseline:
    net = kwscore.create_model(name)
    assert isinstance(net, CnnBaseline)
    return net.eval()


@pytest.mark.parametrize("name", BASELINES)
def test_size_and_shape(name: str) -> None:
    net = _make(name)
    assert net.parameter_count() == PARAMETERS[name]
    with torch.no_grad():
        assert net(torch.rand(2, 16000) - 0.5).shape == (2, 12)
        assert net.image(torch.zeros(2, 16000)).shape == (2, 1, 40, 101)


def test_names_for_the_type_checker() -> None:
    assert set(get_args(BaselineName)) == set(BASELINES) == set(PARAMETERS)


@pytest.mark.skipif(not SHARED.is_dir(), reason="reference vectors are not here")
@pytest.mark.parametrize("name", ["BC-ResNet-1", "BC-ResNet-3"])
def test_reference_logits(name: str) -> None:
    audio = torch.from_numpy(np.load(SHARED / "_inputs.npz")["wav"])
    vectors = np.load(SHARED / f"{name}.npz")
    net = _make(name)
    net.load_state_dict(
        {key[2:]: torch.from_numpy(np.array(vectors[key])) for key in vectors.files if key.startswith("w/")}
    )
    with torch.no_grad():
        assert np.abs(net(audio).numpy() - vectors["logits_win400"]).max() <= 1e-4
        assert np.abs(net.double()(audio.double()).numpy() - vectors["logits_win400_64"]).max() <= 1e-5


def test_window_of_the_features() -> None:
    audio = torch.rand(1, 16000) - 0.5
    torch.manual_seed(0)
    narrow = kwscore.create_model("BC-ResNet-1", window=400)
    torch.manual_seed(0)
    wide = kwscore.create_model("BC-ResNet-1", window=512)
    assert not torch.allclose(narrow.image(audio), wide.image(audio), atol=1e-2)


def test_clip_schedule_only() -> None:
    with pytest.raises(KWScopeError, match="clip schedule only"):
        kwscore.create_model("DS-CNN-S", schedule="stream")
    with pytest.raises(KWScopeError, match=r"shape \(batch, samples\)"):
        _make("DS-CNN-S")(torch.zeros(16000))


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    net = _make("BC-ResNet-2021-1")
    path = checkpoint.save_checkpoint(net, tmp_path / "teacher.safetensors", {"seed": 3})
    audio = torch.rand(2, 16000) - 0.5
    loaded = checkpoint.load_baseline(path)
    with torch.no_grad():
        torch.testing.assert_close(loaded(audio), net(audio))
    with pytest.raises(KWScopeError, match="convolutional baseline BC-ResNet-2021-1"):
        kwscore.load_model(path)

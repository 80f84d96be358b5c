"""Published files: each generation gets the constants it was trained with; anything else is refused in one sentence."""

from __future__ import annotations

import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import kwscore
from kwscore.errors import KWScopeError
from kwscore.models.calibration import CALIBRATION
from kwscore.models.cnn import CnnBaseline
from kwscore.models.network import NanoMamba
from kwscore.models.published import CURRENT

Old = dict[str, float]


def _state(name: str, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return kwscore.create_model(name, schedule="clip").state_dict()


def _aged(name: str, old: Old) -> dict[str, Tensor]:
    """The state as an older generation saved it."""
    state = {key: value for key, value in _state(name).items() if key.rsplit(".", 1)[-1] not in CALIBRATION}
    blocks = {key.split("sa_ssm.")[0] for key in state if "sa_ssm." in key}
    return state | {f"{block}sa_ssm.{key}": torch.tensor(value) for block in blocks for key, value in old.items()}


def _file(folder: Path, state: dict[str, Tensor], **more: Any) -> Path:
    path = folder / "best.pt"
    torch.save({"model_state_dict": state, "epoch": 20, "val_acc": 95.25, **more}, path)
    return path


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("name", "old", "expected", "words"),
    [
        ("NanoMamba-Tiny", {}, (0, 0, 0, 0, 0), "without floors"),
        ("NanoMamba-Small", {}, (0, 0, 0, 0, 0), "without floors"),
        ("NanoMamba-Tiny-TC", {"gate_floor": 0.25}, (0, 0, 0, 0, 0.25), "learned gate floor"),
        (
            "NanoMamba-Tiny",
            {"gate_floor": 0.2, "log_delta_floor": -2.0, "log_epsilon": -1.0},
            (_softplus(-2), _softplus(-2), _softplus(-1), _softplus(-1), 0.2),
            "learned gate, step and input floors",
        ),
        ("NanoMamba-Tiny-PCEN", {"delta_floor": 0.15, "epsilon": 0.1}, (0.15, 0.15, 0.1, 0.1, 0), "fixed step floor"),
        (
            "NanoMamba-Tiny-DualPCEN",
            {"delta_floor": 0.15, "epsilon": 0.1},
            (0.15, 0.15, 0.1, 0.1, 0),
            "fixed step floor",
        ),
    ],
)
def test_older_generations(tmp_path: Path, name: str, old: Old, expected: tuple[float, ...], words: str) -> None:
    state = _aged(name, old)
    net = kwscore.load_published(_file(tmp_path, state), name)
    assert isinstance(net, NanoMamba)
    assert net.card is not None
    assert words in net.card["generation"]
    for block in range(net.config.layers):
        found = [net.get_buffer(f"blocks.{block}.sa_ssm.{key}").item() for key in CALIBRATION]
        assert found == pytest.approx(expected, rel=1e-6)
    # the same network, put together by hand
    dual = name.endswith("DualPCEN")
    changed: dict[str, Any] = {"tilt": False, "nonstationary_delta": (0.001, 0.1)} if dual else {}
    manual = kwscore.create_model(name, schedule="clip", **changed)
    manual.load_state_dict({key: state.get(key, value) for key, value in _state(name).items()})
    with torch.no_grad():
        for key, value in manual.named_buffers():
            if key.rsplit(".", 1)[-1] in CALIBRATION:
                value.fill_(expected[CALIBRATION.index(key.rsplit(".", 1)[-1])])
        audio = torch.rand(2, 16000) - 0.5
        torch.testing.assert_close(net(audio), manual.eval()(audio))
        today = kwscore.create_model(name, schedule="clip").eval()
        today.load_state_dict({key: state.get(key, value) for key, value in _state(name).items()})
        assert not torch.allclose(net(audio), today(audio), atol=1e-4), "the floors of today would go unnoticed"


@pytest.mark.parametrize("name", ["NanoMamba-Tiny", "NC-SSM", "NC-TCN-20K", "DS-CNN-S"])
def test_current_files(tmp_path: Path, name: str) -> None:
    state = _state(name, seed=4)
    net = kwscore.load_published(_file(tmp_path, state, model_name=name, noise_aug=True), name)
    assert net.card is not None
    assert net.schedule == net.card["schedule"] == "clip"
    assert net.card["generation"] == CURRENT
    assert (net.card["epoch"], net.card["val_acc"], net.card["noise_aug"]) == (20, 95.25, True)
    assert len(net.card["model_hash"]) == 12
    assert not net.training
    for key, value in net.state_dict().items():
        assert torch.equal(value, state[key])


def test_other_names_of_the_same_tensors(tmp_path: Path) -> None:
    net = kwscore.load_published(_file(tmp_path, _state("NC-SSM"), model_name="NanoMamba-NC-Matched"), "NC-SSM")
    assert net.config.name == "NC-SSM"
    bare = {key.replace("stage4.0.", "stage4."): value for key, value in _state("BC-ResNet-1").items()}
    assert isinstance(kwscore.load_published(_file(tmp_path, bare), "BC-ResNet-1"), CnnBaseline)
    convolved = {
        key.replace("tiny_conv.conv", "mel_conv"): value for key, value in _aged("Tiny-TC", {"gate_floor": 0.1}).items()
    }
    assert kwscore.load_published(_file(tmp_path, convolved), "Tiny-TC").config.name == "NanoMamba-Tiny-TC"


def test_unknown_key_sets_are_refused(tmp_path: Path) -> None:
    state = _state("NanoMamba-Tiny")
    del state["blocks.0.sa_ssm.epsilon_min"]
    with pytest.raises(KWScopeError, match=r"it lacks blocks\.0\.sa_ssm\.epsilon_min\."):
        kwscore.load_published(_file(tmp_path, state), "NanoMamba-Tiny")
    with pytest.raises(KWScopeError, match=r"has the unknown blocks\.0\.sa_ssm\.colour"):
        kwscore.load_published(_file(tmp_path, _aged("NanoMamba-Tiny", {"colour": 1.0})), "NanoMamba-Tiny")
    with pytest.raises(KWScopeError, match="not a file of NanoMamba-Tiny-DualPCEN: it lacks dual_pcen"):
        kwscore.load_published(_file(tmp_path, _state("NanoMamba-Tiny")), "NanoMamba-Tiny-DualPCEN")
    with pytest.raises(KWScopeError, match="of shape"):
        kwscore.load_published(_file(tmp_path, _state("NanoMamba-NC-Large")), "NC-SSM")
    with pytest.raises(KWScopeError, match="says that it holds NanoMamba-Small, not NanoMamba-Tiny"):
        kwscore.load_published(
            _file(tmp_path, _state("NanoMamba-Tiny"), model_name="NanoMamba-Small"), "NanoMamba-Tiny"
        )
    broad = _aged("NanoMamba-Tiny-TC", {}) | {f"blocks.{b}.sa_ssm.gate_floor": torch.zeros(24) for b in range(2)}
    with pytest.raises(KWScopeError, match="one number was expected"):
        kwscore.load_published(_file(tmp_path, broad), "NanoMamba-Tiny-TC")


def test_only_dense_floats_are_weights(tmp_path: Path) -> None:
    state = _state("NanoMamba-Tiny")
    bias = state["classifier.bias"]
    for odd in (bias.double(), bias.half(), bias.int(), bias.long(), bias.to(torch.complex64), bias.to_sparse()):
        with pytest.raises(KWScopeError, match=r"holds classifier\.bias as"):
            kwscore.load_published(_file(tmp_path, {**state, "classifier.bias": odd}), "NanoMamba-Tiny")
    with pytest.raises(KWScopeError, match="has the unknown extra"):
        kwscore.load_published(_file(tmp_path, {**state, "extra": torch.zeros(1).expand(10**12)}), "NanoMamba-Tiny")
    with pytest.raises(KWScopeError, match="no tensors of a network"):
        kwscore.load_published(_file(tmp_path, {**state, 7: bias}), "NanoMamba-Tiny")  # type: ignore[dict-item]


@pytest.mark.parametrize("zipped", [True, False])
def test_damage_is_a_sentence_wherever_it_is(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "best.pt"
    torch.save({"model_state_dict": _state("NanoMamba-Tiny")}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    rng = random.Random(1)
    start = whole.find(b"model_state_dict")
    said: list[str] = []
    for at in (*(rng.randrange(len(whole)) for _ in range(60)), *(start + rng.randrange(900) for _ in range(60))):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :])
        try:
            kwscore.load_published(path, "NanoMamba-Tiny")
        except KWScopeError as error:
            said.append(str(error))
    assert len(said) > (100 if zipped else 30), "only a zip file has checksums, which see a changed weight"
    assert not [s for s in said if "\n" in s]
    assert not [s for s in said if "weights_only" in s], "how to run the code in a file is not for us to say"
    for end in (0, 1, 2, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(KWScopeError, match="cannot be read as published weights"):
            kwscore.load_published(path, "NanoMamba-Tiny")


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def test_damaged_and_dangerous_files(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="There is no published file"):
        kwscore.load_published(tmp_path / "none.pt", "NanoMamba-Tiny")
    path = _file(tmp_path, _state("NanoMamba-Tiny"))
    data = path.read_bytes()
    for content in (data[:3000], b"", b"not torch at all"):
        path.write_bytes(content)
        with pytest.raises(KWScopeError, match="cannot be read as published weights"):
            kwscore.load_published(path, "NanoMamba-Tiny")
    torch.save({"model_state_dict": _Code()}, path)
    with pytest.raises(KWScopeError, match="holds more than tensors"):
        kwscore.load_published(path, "NanoMamba-Tiny")
    torch.save({"model_state_dict": {}}, path)
    with pytest.raises(KWScopeError, match="no tensors of a network"):
        kwscore.load_published(path, "NanoMamba-Tiny")
    torch.save([1, 2], path)
    with pytest.raises(KWScopeError, match="holds a list"):
        kwscore.load_published(path, "NanoMamba-Tiny")
    state = _state("NanoMamba-Tiny")
    state["classifier.bias"][0] = torch.nan
    with pytest.raises(KWScopeError, match=r"classifier\.bias holds NaN"):
        kwscore.load_published(_file(tmp_path, state), "NanoMamba-Tiny")

"""Checkpoints: what is written is read back, without torch; every damage is one sentence."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import kwscore
from kwscore.errors import KWScopeError
from kwscore.models import checkpoint
from kwscore.models.network import NanoMamba
from kwscore.stream.engine import StreamEngine

NAME = "NanoMamba-Tiny"


@pytest.fixture
def net() -> NanoMamba:
    torch.manual_seed(0)
    made = kwscore.create_model(NAME, norm_prior=25)
    made.stream_norm.mean.normal_()
    return made.eval()


@pytest.fixture
def saved(net: NanoMamba, tmp_path: Path) -> Path:
    return checkpoint.save_checkpoint(net, tmp_path / "sub" / "mine.safetensors", {"recipe": {"epochs": 3}, "seed": 1})


def _header(path: Path) -> dict[str, str]:
    return checkpoint._read(path)[0]


def test_round_trip(net: NanoMamba, saved: Path) -> None:
    loaded = kwscore.load_model(saved)
    audio = torch.rand(2, 8000) - 0.5
    with torch.no_grad():
        torch.testing.assert_close(loaded(audio), net(audio), rtol=0, atol=0)
    assert loaded.config == net.config
    assert loaded.schedule == "stream"
    assert not loaded.training
    assert loaded.card is not None
    assert loaded.card["recipe"] == {"epochs": 3}
    assert loaded.card["parameters"] == 4_634
    assert loaded.card["model_hash"] == checkpoint.model_hash({k: v.numpy() for k, v in net.state_dict().items()})
    assert sorted(p.name for p in saved.parent.iterdir()) == ["mine.json", "mine.safetensors"]
    assert loaded.card["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert saved.stat().st_mode == saved.with_suffix(".json").stat().st_mode


def test_hash_is_the_engines_and_sees_every_weight(net: NanoMamba) -> None:
    arrays = {k: v.numpy() for k, v in net.state_dict().items()}
    assert checkpoint.model_hash(arrays) == StreamEngine(net).model_hash
    assert len(checkpoint.model_hash(arrays)) == 12
    changed = dict(arrays, **{"classifier.bias": arrays["classifier.bias"] + 1e-6})
    renamed = {k.replace("classifier", "head"): v for k, v in arrays.items()}
    reshaped = dict(arrays, **{"classifier.bias": arrays["classifier.bias"].reshape(3, 4)})
    assert len({checkpoint.model_hash(a) for a in (arrays, changed, renamed, reshaped)}) == 4


def test_arrays_load_without_torch(saved: Path) -> None:
    code = (
        "import sys; from kwscore.models.checkpoint import load_arrays;"
        f"config, arrays, card = load_arrays({str(saved)!r});"
        "assert config.norm_prior == 25 and card['seed'] == 1 and arrays['classifier.weight'].shape == (12, 16);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(kwscore.__file__).parents[1])


def test_without_card(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    assert kwscore.load_model(saved).card == {
        "network": NAME,
        "model_hash": checkpoint.load_arrays(saved)[2]["model_hash"],
    }


def test_saving_again_replaces(net: NanoMamba, saved: Path) -> None:
    with torch.no_grad():
        net.classifier.bias.add_(1)
    checkpoint.save_checkpoint(net, saved, {})
    torch.testing.assert_close(kwscore.load_model(saved).classifier.bias, net.classifier.bias)


def test_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dir.wav").mkdir()
    Path("song.wav").write_bytes(b"RIFF")
    for name, words in (
        ("", "The name of the network is empty"),
        ("dir.wav", "dir.wav is a folder"),
        (".", "is a folder"),
        ("song.wav", "song.wav is not a .safetensors file"),
    ):
        with pytest.raises(KWScopeError, match=words):
            checkpoint.find_checkpoint(name)


@pytest.mark.parametrize(("name", "guesses"), [("nope", False), ("", False), ("NanoMamba-Tny", True)])
def test_only_near_names_are_suggested(name: str, guesses: bool) -> None:
    from kwscore.models.config import network_config

    with pytest.raises(KWScopeError) as caught:
        network_config(name)
    assert ("did you mean NanoMamba-Tiny" in str(caught.value)) == guesses


def test_missing() -> None:
    with pytest.raises(KWScopeError, match=r"There is no checkpoint nowhere/x\.safetensors"):
        kwscore.load_model("nowhere/x.safetensors")
    with pytest.raises(KWScopeError, match="No network named NanoMamba-Foo comes with KWScope"):
        kwscore.load_model("NanoMamba-Foo")
    with pytest.raises(KWScopeError, match="load_published"):
        kwscore.load_model("best.pt")


def test_truncated_and_other_files(saved: Path) -> None:
    data = saved.read_bytes()
    for content in (data[: len(data) // 2], b"", b"RIFF" * 100):
        saved.write_bytes(content)
        with pytest.raises(KWScopeError, match="cannot be read as a checkpoint") as caught:
            kwscore.load_model(saved)
        assert str(caught.value).endswith("get it again, or give another.")  # and not in a library's own words
    save_file({"x": np.zeros(3, np.float32)}, saved)
    with pytest.raises(KWScopeError, match="no KWScope checkpoint"):
        kwscore.load_model(saved)


def test_changed_weights(saved: Path) -> None:
    header, arrays = _header(saved), load_file(saved)
    arrays["classifier.bias"][3] = 7.0
    save_file(arrays, saved, header)
    with pytest.raises(KWScopeError, match="is damaged: its weights hash to"):
        kwscore.load_model(saved)


def test_card_of_other_weights(saved: Path) -> None:
    card = saved.with_suffix(".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "model_hash": "0" * 12}))
    with pytest.raises(KWScopeError, match="does not belong to the card beside it"):
        kwscore.load_model(saved)
    header = _header(saved)
    card.write_text(json.dumps({"model_hash": header["model_hash"], "sha256": "0" * 64}))
    with pytest.raises(KWScopeError, match="sha256 is"):
        kwscore.load_model(saved)
    card.write_text("{ not json")
    with pytest.raises(KWScopeError, match=r"card .* cannot be read"):
        kwscore.load_model(saved)


def test_not_finite(net: NanoMamba, saved: Path) -> None:
    header, arrays = _header(saved), load_file(saved)
    arrays["blocks.0.in_proj.weight"][0, 0] = np.nan
    save_file(arrays, saved, header)
    with pytest.raises(KWScopeError, match=r"blocks\.0\.in_proj\.weight holds NaN"):
        kwscore.load_model(saved)
    with torch.no_grad():
        net.classifier.bias[0] = torch.inf
    with pytest.raises(KWScopeError, match=r"classifier\.bias holds NaN or infinity"):
        checkpoint.save_checkpoint(net, saved, {})


def test_wrong_network(saved: Path) -> None:
    header, arrays = _header(saved), load_file(saved)
    config = {**json.loads(header["config"]), "name": "NanoMamba-Tiny-DualPCEN", "frontend": "dual"}
    saved.with_suffix(".json").unlink()
    save_file(arrays, saved, {**header, "config": json.dumps(config)})
    with pytest.raises(KWScopeError, match=r"not a file of NanoMamba-Tiny-DualPCEN: it lacks dual_pcen\.gate_temp"):
        kwscore.load_model(saved)
    save_file(arrays, saved, {**header, "config": json.dumps({**config, "colour": "red"})})
    with pytest.raises(KWScopeError, match="unknown fields: colour"):
        kwscore.load_model(saved)


def test_unwritable(net: NanoMamba, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KWScopeError, match="cannot be written"):
        checkpoint.save_checkpoint(net, tmp_path / "file" / "x.safetensors", {})
    with pytest.raises(KWScopeError, match="not plain JSON"):
        checkpoint.save_checkpoint(net, tmp_path / "x.safetensors", {"figure": object()})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_shipped_checkpoints_load_by_name() -> None:
    for name, path in checkpoint.shipped_checkpoints().items():
        config, _, card = checkpoint.load_arrays(name)
        assert config.name == name == path.stem
        assert card["parameters"] > 0


def test_shipped_networks_are_found_by_every_published_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    packaged, checkout = tmp_path / "kwscore" / checkpoint.FOLDER, tmp_path / checkpoint.FOLDER
    monkeypatch.setattr(kwscore, "__file__", str(tmp_path / "kwscore" / "__init__.py"))
    assert checkpoint.checkpoint_folders() == [packaged, checkout]
    assert checkpoint.shipped_checkpoints() == {}
    small = kwscore.create_model("NanoMamba-Tiny")
    checkpoint.save_checkpoint(kwscore.create_model("NC-12K"), checkout / "NanoMamba-NC-12K.safetensors", {})
    for folder in (packaged, checkout):  # an installed package's own comes first
        checkpoint.save_checkpoint(small, folder / "NanoMamba-Tiny.safetensors", {})
    assert checkpoint.find_checkpoint("NanoMamba-Tiny").parent == packaged
    for name in ("NC-12K", "NanoMamba-NC-12K"):
        assert kwscore.load_model(name).config.name == "NanoMamba-NC-12K"

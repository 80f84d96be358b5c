"""``kwscope export onnx``."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from typer.testing import CliRunner, Result

from kwscore.cli.main import app
from kwscore.export import check
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.registry import create_model


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", "onnx", *map(str, arguments)])


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_checkpoint_becomes_a_checked_step(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.onnx"
    result = export(checkpoint, "--out", out, "--check")
    assert result.exit_code == 0, result.stderr
    card = json.loads(checkpoint.with_suffix(".json").read_text())
    assert metadata(out)["hash"] == card["model_hash"]
    assert metadata(out)["kind"] == "step"
    first, _, *tensors = result.stdout.splitlines()
    assert first == (f"{out}: NanoMamba-Tiny-DualPCEN ({card['model_hash']}), step, {out.stat().st_size:,} bytes")
    assert ["samples", "in", "batch", "x", "160"] in [line.split() for line in tensors]
    assert "largest logit difference" in result.stderr


def test_json(checkpoint: Path, tmp_path: Path) -> None:
    result = export(checkpoint, "-o", tmp_path / "a.onnx", "--kind", "clip", "--check", "--json")
    entry = json.loads(result.stdout)
    assert (result.exit_code, entry["kind"], entry["inputs"]) == (0, "clip", {"waveform": ["batch", "samples"]})
    assert entry["checked"] > 100
    assert 0 < entry["largest_difference"] < entry["tolerance"]


def test_failed_check_is_the_answer_no(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TOLERANCE", 0.0)
    assert export(checkpoint, "--out", tmp_path / "a.onnx", "--check").exit_code == 1


def test_baseline_and_published_weights_become_clips(tmp_path: Path) -> None:
    torch.manual_seed(0)
    baseline = save_checkpoint(create_model("DS-CNN-S").eval(), tmp_path / "cnn.safetensors", {})
    published = tmp_path / "best.pt"
    torch.save({"model_state_dict": create_model("NanoMamba-Tiny", schedule="clip").state_dict()}, published)
    for network, name in ((baseline, "DS-CNN-S"), (f"NanoMamba-Tiny={published}", "NanoMamba-Tiny")):
        out = tmp_path / f"{name}.onnx"
        result = export(network, "--out", out, "--check")
        assert result.exit_code == 0, result.stderr
        told = metadata(out)
        assert (told["name"], told["kind"], told["schedule"]) == (name, "clip", "clip")
        refused = export(network, "--out", out, "--kind", "step")
        assert refused.exit_code == 2
        assert "made for clips" in refused.stderr


@pytest.mark.parametrize("arguments", [["NanoMamba-Huge"], ["nowhere.safetensors"], ["NanoMamba-Tiny=nowhere.pt"]])
def test_unknown_network_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    result = export(*arguments, "--out", tmp_path / "a.onnx")
    assert result.exit_code == 2
    assert result.stderr.startswith("kwscope: ")
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_published_file_needs_its_name() -> None:
    result = export("best.pt", "--out", "a.onnx")
    assert result.exit_code == 2
    assert "NAME=best.pt" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["x"], ["x", "--out", "y", "--kind", "hop"]])
def test_wrong_use(arguments: list[str]) -> None:
    result = export(*arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_fpga_writes_the_image_and_the_files_of_the_hardware(tmp_path: Path, repository: Path) -> None:
    from kwscore.fixed.image import Image

    shipped = next(iter(sorted((repository / "checkpoints_full").glob("*.kwsf"))))
    result = CliRunner().invoke(app, ["export", "fpga", str(shipped), "--out", str(tmp_path / "new"), "--json"])
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    path = Path(told["path"])
    assert path.read_bytes() == shipped.read_bytes()
    image = Image.load(path)
    assert (told["model_id"], told["bytes"]) == (f"{image.model_id:08x}", shipped.stat().st_size)
    assert told["fraction_bits"]["x"] == list(image.formats["x"])
    written = {p.name: p.read_text() for p in map(Path, told["rtl"])}
    committed = {p.name: p.read_text() for p in (repository / "rtl" / "mem").iterdir()}
    assert written.keys() == committed.keys()
    same = {name for name in written if written[name] == committed[name]}
    assert written.keys() - same == {f"nm_image{lane}.mem" for lane in range(4)}  # with the weights in place
    lanes = [[int(line, 16) for line in written[f"nm_image{lane}.mem"].split()] for lane in range(4)]
    memory = bytes(byte for word in zip(*lanes, strict=True) for byte in word)
    assert memory.startswith(image.to_bytes())


def test_fpga_text_and_refusals(tmp_path: Path, repository: Path) -> None:
    shipped = next(iter(sorted((repository / "checkpoints_full").glob("*.kwsf"))))
    (tmp_path / "bad.kwsf").write_bytes(shipped.read_bytes()[:-1] + b"x")
    (tmp_path / "file").touch()

    def fpga(network: object, out: str) -> Result:
        return CliRunner().invoke(app, ["export", "fpga", str(network), "--out", str(tmp_path / out), "--image-only"])

    done = fpga(shipped, "a")
    assert done.exit_code == 0, done.stderr
    assert "weights" in done.stdout
    assert [p.name for p in (tmp_path / "a").iterdir()] == [shipped.name]
    for network, out, words in (
        (tmp_path / "bad.kwsf", "a", "CRC-32 does not match"),
        (tmp_path / "none.kwsf", "a", "cannot be read"),
        ("NanoMamba-Huge", "a", "No network named"),
        (shipped, "file", "cannot be made"),
    ):
        refused = fpga(network, out)
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert len(refused.stderr.splitlines()) == 1

"""``kwscope classify``: one answer per file, the same as the library's, and no file spoils the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from kwscore.cli.main import app
from kwscore.constants import LABELS

BAD = ["missing.wav", "empty.wav", "text.wav", "header.wav", "cut.wav", "cut.flac", "folder.wav"]


def classify(checkpoint: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["classify", "--model", str(checkpoint), *map(str, arguments)])


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_answer_equals_the_library(checkpoint: Path, sounds: Path) -> None:
    import torch

    from kwscore.models.checkpoint import load_model

    result = classify(checkpoint, sounds / "rate16000.wav", "--json")
    assert result.exit_code == 0, result.stderr
    (answer,) = objects(result)
    samples, _ = soundfile.read(sounds / "rate16000.wav", dtype="float32")
    with torch.no_grad():
        logits = load_model(checkpoint)(torch.from_numpy(samples)[None])[0]
    np.testing.assert_allclose(answer["logits"], logits, atol=1e-3)
    assert answer["label"] == LABELS[int(logits.argmax())] == answer["top"][0]["label"]
    assert answer["score"] == pytest.approx(float(logits.softmax(0).max()), abs=1e-3)
    assert [entry["score"] for entry in answer["top"]] == sorted((e["score"] for e in answer["top"]), reverse=True)
    assert answer["start_s"] == 0
    assert answer["seconds"] == 1.0


@pytest.mark.parametrize(
    "name",
    [
        "rate8000.wav",
        "rate44100.wav",
        "rate48000.wav",
        "rate96000.wav",
        "rate192000.wav",
        "channels2.wav",
        "channels6.wav",
    ],
)
def test_any_rate_and_channel_count(checkpoint: Path, sounds: Path, name: str) -> None:
    result = classify(checkpoint, sounds / name, "--json")
    assert result.exit_code == 0, result.stderr
    assert objects(result)[0]["seconds"] == pytest.approx(1.0, abs=1e-3)


def test_long_file_gives_its_clearest_second(checkpoint: Path, sounds: Path) -> None:
    (answer,) = objects(classify(checkpoint, sounds / "long.flac", "--json"))
    assert 0 <= answer["start_s"] <= 2.0


@pytest.mark.parametrize("name", ["short.wav", "tiny.wav"])
def test_short_file_is_filled_up(checkpoint: Path, sounds: Path, name: str) -> None:
    assert classify(checkpoint, sounds / name).exit_code == 0


def test_order_and_neighbours_change_nothing(checkpoint: Path, sounds: Path) -> None:
    names = [sounds / "rate16000.wav", sounds / "long.flac", sounds / "rate16000.wav"]
    first, _, again = objects(classify(checkpoint, *names, "--json"))
    assert first == again


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_named_in_one_line(checkpoint: Path, sounds: Path, name: str) -> None:
    result = classify(checkpoint, sounds / name)
    assert result.exit_code == 1
    assert result.stdout == ""
    first, summary = result.stderr.splitlines()
    assert name in first
    assert summary == "1 of 1 files could not be classified"


def test_the_others_go_on(checkpoint: Path, sounds: Path) -> None:
    names = ["rate16000.wav", *BAD, "rate48000.wav"]
    result = classify(checkpoint, *(sounds / name for name in names), "--json")
    assert result.exit_code == 1
    answers = objects(result)
    assert [Path(answer["file"]).name for answer in answers] == names
    assert ["error" in answer for answer in answers] == [False, *[True] * len(BAD), False]


def test_line_for_a_person(checkpoint: Path, sounds: Path) -> None:
    result = classify(checkpoint, sounds / "rate16000.wav")
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.split()[0] in LABELS
    assert "rate16000.wav" in line


class TestCheckpoints:
    @pytest.fixture
    def broken(self, checkpoint: Path, tmp_path: Path) -> Path:
        """A copy without card, to be damaged."""
        copy = tmp_path / "copy.safetensors"
        copy.write_bytes(checkpoint.read_bytes())
        return copy

    def refused(self, path: object, sounds: Path) -> str:
        result = classify(Path(str(path)), sounds / "rate16000.wav")
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("kwscope: ")
        assert Path(str(path)).name in line
        return line

    def test_missing(self, sounds: Path, tmp_path: Path) -> None:
        self.refused(tmp_path / "none.safetensors", sounds)

    def test_unknown_name(self, sounds: Path) -> None:
        self.refused("NanoMamba-Huge", sounds)

    @pytest.mark.parametrize("length", [0, 7, 100, 9000])
    def test_truncated(self, broken: Path, sounds: Path, length: int) -> None:
        broken.write_bytes(broken.read_bytes()[:length])
        self.refused(broken, sounds)

    def test_another_kind_of_file(self, sounds: Path) -> None:
        self.refused(sounds / "rate16000.wav", sounds)

    def test_foreign_tensors(self, broken: Path, sounds: Path) -> None:
        from safetensors.numpy import save_file

        save_file({"conv.weight": np.zeros((3, 3), np.float32)}, broken)
        self.refused(broken, sounds)

    def test_nan(self, broken: Path, sounds: Path) -> None:
        from safetensors.numpy import load_file, save_file

        arrays = load_file(broken)
        arrays["classifier.bias"][3] = np.nan
        save_file(arrays, broken)
        self.refused(broken, sounds)


def test_clip_schedule_sees_clips(sounds: Path, tmp_path: Path) -> None:
    import torch

    from kwscore.models.checkpoint import save_checkpoint
    from kwscore.models.registry import create_model

    torch.manual_seed(2)
    net = create_model("NanoMamba-Tiny", schedule="clip").eval()
    path = save_checkpoint(net, tmp_path / "clip.safetensors", {})
    short, long = objects(classify(path, sounds / "rate16000.wav", sounds / "long.flac", "--json"))
    samples, _ = soundfile.read(sounds / "rate16000.wav", dtype="float32")
    with torch.no_grad():
        np.testing.assert_allclose(short["logits"], net(torch.from_numpy(samples)[None])[0], atol=1e-3)
    assert short["start_s"] == 0
    assert 0 <= long["start_s"] <= 2.0

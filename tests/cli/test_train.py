from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kwscore.cli.main import app
from kwscore.data.validation import CONDITIONS
from kwscore.models.checkpoint import load_model
from kwscore.training.run import CLIP_CONDITIONS
from tests.data.corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("train"))


def _train(corpus: Path, out: Path, *more: str) -> tuple[int, str, str]:
    options = ["--data-dir", str(corpus), "--out", str(out), "--cache", str(corpus.parent / "cache"), "--pool", "1"]
    result = CliRunner().invoke(app, ["train", *options, *more])
    return result.exit_code, result.stdout, result.stderr


def test_train_leaves_a_checkpoint_with_its_card(corpus: Path, tmp_path: Path) -> None:
    code, stdout, stderr = _train(corpus, tmp_path / "run", "--epochs", "2", "--seed", "7")
    assert code == 0, stderr
    rows = [json.loads(line) for line in stdout.splitlines()]
    assert [row["condition"] for row in rows] == list(CONDITIONS)
    assert all(row["clips"] == 24 for row in rows)
    net = load_model(tmp_path / "run" / "NanoMamba-Tiny-DualPCEN.safetensors")
    assert net.card is not None
    assert net.card["seed"] == 7
    assert net.card["data"]["clips"] == {"train": 56, "validation": 28}, "what it was trained on, not what we have"
    assert net.card["recipe"]["epochs"] == 2
    assert net.card["validation"] == rows
    assert "CC BY 4.0" in net.card["data"]["speech_commands"]


def test_train_resumes_and_refuses_another_recipe(corpus: Path, tmp_path: Path) -> None:
    assert _train(corpus, tmp_path, "--epochs", "1")[0] == 0
    code, _, stderr = _train(corpus, tmp_path, "--epochs", "1")
    assert code == 0
    assert "resuming after epoch 1 of 1" in stderr
    code, _, stderr = _train(corpus, tmp_path, "--epochs", "3")
    assert code == 2
    assert "another recipe" in stderr


def test_a_queue_trains_side_by_side_and_evaluates(corpus: Path, tmp_path: Path) -> None:
    names = ["BC-ResNet-1", "NanoMamba-Tiny"]
    queue = (*names, "--jobs", "2", "--epochs", "1")
    code, stdout, stderr = _train(corpus, tmp_path, *queue)
    assert code == 0, stderr
    heading, *rows = (line.split() for line in stdout.splitlines())
    assert heading[:3] == ["network", "state", "epoch"]
    assert [row[:3] for row in rows] == [[name, "done", "1/1"] for name in names]
    assert "NanoMamba-Tiny: running" in stderr
    baseline = tmp_path / "BC-ResNet-1" / "BC-ResNet-1.safetensors"
    card = json.loads(baseline.with_suffix(".json").read_text())
    assert (card["schedule"], card["parameters"], card["device"]) == ("clip", 7464, "cpu")
    assert [row["condition"] for row in card["validation"]] == list(CLIP_CONDITIONS)
    code, stdout, stderr = _train(corpus, tmp_path, *queue, "--json")
    states = [json.loads(line) for line in stdout.splitlines()]
    assert [(row["network"], row["state"], row["message"]) for row in states] == [
        (name, "done", "was there already") for name in names
    ]
    arguments = ["evaluate", str(baseline), "--data-dir", str(corpus), "--condition", "clean", "--jobs", "1", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["accuracy"] == card["validation"][0]["accuracy"]


def test_a_queue_with_a_failure_ends_with_1(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "NanoMamba-Tiny").write_text("a file where the folder of the run should be")
    code, stdout, _ = _train(corpus, tmp_path, "NanoMamba-Tiny", "--jobs", "1", "--epochs", "1")
    assert code == 1
    assert "failed" in stdout
    assert "cannot be made" in stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--data-dir", "nowhere"], "nowhere"),
        (["train", "NoSuchNet", "--data-dir", "CORPUS"], "NoSuchNet"),
        (["train", "--data-dir", "CORPUS", "--teacher", "missing.safetensors"], "missing.safetensors"),
        (["train", "--data-dir", "CORPUS", "--recipe", "missing.json"], "missing.json"),
        (["train", "--data-dir", "CORPUS", "--queue", "missing.json"], "missing.json"),
        (["train", "NC-SSM", "--data-dir", "CORPUS", "--queue", "missing.json"], "not both"),
        (["train", "NC-SSM", "NoSuchNet", "--data-dir", "CORPUS"], "NoSuchNet"),
        (["train", "NC-SSM", "NC-20K", "--data-dir", "CORPUS", "--teacher", "t.safetensors"], "--teacher"),
        (["train", "--data-dir", "CORPUS", "--device", "gpu"], "gpu"),
    ],
)
def test_wrong_use_is_one_sentence(corpus: Path, tmp_path: Path, arguments: list[str], named: str) -> None:
    arguments = [str(corpus) if a == "CORPUS" else a for a in arguments]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path), "--cache", str(tmp_path)])
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr

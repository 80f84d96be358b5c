from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from kwscore.cli.evaluate import _engine
from kwscore.cli.main import app
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.registry import create_model
from tests.evaluation.corpora import make_checkpoint, make_full_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_full_corpus(tmp_path_factory.mktemp("evaluate"))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("net"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["evaluate", "-j", "1", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_known_conditions_are_the_default(corpus: Path, net: Path, cache: Path) -> None:
    from kwscore.data.validation import CONDITIONS

    status, out, err = _run("--data-dir", corpus, net, "--json", "--split", "validation")
    assert status == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [r["condition"] for r in rows] == list(CONDITIONS)
    assert all(r["low"] <= r["accuracy"] <= r["high"] for r in rows)
    assert not list(cache.rglob("*.json")), "nothing is left behind once all is there"


def test_a_single_condition_gives_the_figures_of_the_grid(corpus: Path, net: Path, tmp_path: Path) -> None:
    grid = ("--noise", "white", "--noise", "recorded street", "--snr", 0, "--snr", 10, "--start", "both")
    status, _, err = _run("--data-dir", corpus, net, *grid, "--out", tmp_path)
    assert status == 0, err
    whole = json.loads((tmp_path / "results.json").read_text())
    assert len(whole["rows"]) == 10
    assert whole["split"] == "test"
    name = "recorded street 10 dB, mid-stream"
    status, out, err = _run("--data-dir", corpus, net, "--condition", name, "--json")
    assert status == 0, err
    alone = json.loads(out)
    assert alone["confusion"] == next(r for r in whole["rows"] if r["condition"] == name)["confusion"]
    assert {p.name for p in tmp_path.glob("*.png")} >= {"accuracy_against_snr.png", "recall_by_class.png"}
    assert len(list(csv.reader((tmp_path / "results.csv").open()))) == 11
    _, _, err = _run("--data-dir", corpus, net, *grid, "--out", tmp_path)
    assert "10 of 10 results are from an earlier run" in err
    _, _, err = _run("--data-dir", corpus, net, *grid, "--out", tmp_path, "--fresh")
    assert "earlier run" not in err


def test_networks_are_compared_and_clip_networks_get_what_they_can_take(
    corpus: Path, net: Path, tmp_path: Path
) -> None:
    other = save_checkpoint(create_model("BC-ResNet-1"), tmp_path / "BC-ResNet-1.safetensors", {})
    status, out, err = _run("--data-dir", corpus, net, other, "--clips", 20, "--split", "validation")
    assert status == 0, err
    assert "left out" in err
    assert out.splitlines()[0].split()[0] == "network"
    assert "noise step, from reset" in out
    assert "white step" not in out
    status, _, err = _run("--data-dir", corpus, other, "--condition", "clean, mid-stream")
    assert status == 2
    assert "clip schedule" in err


def test_one_network_shows_classes_and_confusion(corpus: Path, net: Path) -> None:
    status, out, err = _run("--data-dir", corpus, net, "--condition", "clean", "--mix", "published")
    assert status == 0
    assert "a constant answer scores" in err
    assert "most often taken for" in out
    assert "true \\ answer" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--condition", "underwater"], "underwater"),
        (["--noise", "brown"], "brown"),
        (["--noise", "white", "--snr", "nan"], "nan dB"),
        (["--condition", "white 500 dB"], "500 dB"),
        (["--condition", "clean", "--grid"], "without --grid"),
        (["--split", "train"], "--split"),
        (["--long", "1", "--grid"], "--long"),
        (["--extra-dir", "nowhere"], "--extra-dir nowhere"),
        (["--dask", "tcp://127.0.0.1:9", "--condition", "clean"], "No Dask scheduler"),
    ],
)
def test_wrong_use_is_a_sentence(
    corpus: Path, net: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--dask" in arguments:
        pytest.importorskip("distributed")
        monkeypatch.setattr("kwscore.evaluation.dask_run.TIMEOUT", 0.2)
    status, _, err = _run("--data-dir", corpus, net, *arguments)
    assert status == 2
    assert said in err


def test_files_and_folders_that_cannot_be_used_are_named(corpus: Path, net: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for arguments, said in (
        (("--data-dir", corpus, net, "--out", tmp_path / "taken"), "taken"),
        (("--data-dir", corpus, tmp_path / "no.safetensors"), "no.safetensors"),
        (("--data-dir", tmp_path, net), "does not hold Speech Commands"),
        (("--data-dir", corpus, "best.pt"), "NC-SSM=best.pt"),
        (("--data-dir", corpus, net, net), "named twice"),
    ):
        status, _, err = _run(*arguments)
        assert status == 2
        assert said in err


def test_long_gives_the_curve(corpus: Path, net: Path, tmp_path: Path) -> None:
    status, out, err = _run("--data-dir", corpus, net, "--long", 1, "--json", "--out", tmp_path)
    assert status == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [r["threshold"] for r in rows] == sorted(r["threshold"] for r in rows)
    assert json.loads((tmp_path / "detection.json").read_text()) == rows
    assert (tmp_path / "detection.png").stat().st_size > 5000


def test_long_takes_networks_of_either_schedule(net: Path, tmp_path: Path) -> None:
    baseline = save_checkpoint(create_model("BC-ResNet-1"), tmp_path / "BC-ResNet-1.safetensors", {})
    published = tmp_path / "best.pt"
    torch.save(create_model("NanoMamba-Tiny", schedule="clip").state_dict(), published)
    engines = [_engine(str(spec)) for spec in (net, baseline, f"NanoMamba-Tiny={published}")]
    assert [type(engine).__name__ for engine in engines] == ["StreamEngine", "WindowEngine", "WindowEngine"]
    assert [engine.name for engine in engines] == ["NanoMamba-Tiny-DualPCEN", "BC-ResNet-1", "NanoMamba-Tiny"]

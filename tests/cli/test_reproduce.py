from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kwscore.cli.main import app
from tests.evaluation.corpora import make_checkpoint, make_full_corpus

NAME = "NanoMamba-Tiny-DualPCEN"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_full_corpus(tmp_path_factory.mktemp("reproduce"))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["reproduce", "-j", "1", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def _measured(corpus: Path, path: Path) -> list[dict]:
    status, out, _ = _run("--data-dir", corpus, "--models", path, "--json")
    assert status == 0, "a card without figures has nothing to judge"
    return [json.loads(line) for line in out.splitlines()]


def test_cards_decide_the_exit_status(corpus: Path, tmp_path: Path) -> None:
    rows = _measured(corpus, make_checkpoint(tmp_path / "bare"))
    assert [r["condition"] for r in rows[:-1]] == ["clean", "factory 0 dB"]
    assert rows[-1] == {"passed": True, "tolerance": 2.0, "comparable": 0}
    figures = [{"condition": r["condition"], "accuracy": r["measured"]} for r in rows[:-1]]
    right = make_checkpoint(tmp_path / "right", card={"validation": figures})
    status, out, err = _run("--data-dir", corpus, "--models", right)
    assert status == 0, err
    assert "2 comparable rows, largest difference 0.0 points, tolerance 2: PASS" in out
    assert "torch" in err
    figures[1]["accuracy"] += 3
    wrong = make_checkpoint(tmp_path / "wrong", card={"validation": figures})
    status, out, _ = _run("--data-dir", corpus, "--models", wrong, "--out", tmp_path / "out")
    assert status == 1
    assert "-3.0  !" in out
    assert "FAIL" in (tmp_path / "out" / "reproduce.txt").read_text()
    assert _run("--data-dir", corpus, "--models", wrong, "--out", tmp_path / "out", "--tol", 3)[0] == 0


def test_one_condition_is_chosen_by_noise_and_snr(corpus: Path, tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path)
    status, out, _ = _run(
        "--data-dir",
        corpus,
        "--models",
        path,
        "--noise-type",
        "pink",
        "--snr",
        "-5",
        "--quick",
        "--split",
        "test",
        "--json",
    )
    assert status == 0
    assert [json.loads(line).get("condition") for line in out.splitlines()] == ["clean", "pink -5 dB", None]


def test_statuses_2_3_and_4(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _, err = _run("--data-dir", corpus, "--models", "NoSuchNet")
    assert status == 3
    assert "NoSuchNet" in err
    status, _, err = _run("--data-dir", tmp_path / "nowhere", "--models", make_checkpoint(tmp_path))
    assert status == 4
    assert "kwscope data fetch" in err
    assert _run("--noise-type", "brown")[0] == 2
    assert _run("--data-dir", corpus, "--models", ",")[0] == 2
    for wrong in (("--snr", "nan"), ("--snr", "1e9"), ("--tol", "nan"), ("--tol", "inf")):
        status, _, err = _run("--data-dir", corpus, *wrong)
        assert status == 2
        assert err.splitlines()[-1].startswith(("kwscope: ", "Error: "))

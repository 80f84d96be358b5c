from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kwscore.cli.main import app
from tests.data.corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("data"), speakers=3)


def _run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["data", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_check_prints_counts_and_says_usable(corpus: Path) -> None:
    status, out, _ = _run("check", str(corpus))
    assert status == 0
    assert out.splitlines()[1].split() == ["yes", "2", "1", "0", "3"]
    assert "Usable." in out


def test_check_answers_no_and_names_the_file(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=3)
    bad = sorted((corpus / "go").glob("*.wav"))[0]
    bad.write_bytes(b"")
    status, out, _ = _run("check", str(corpus), "--json")
    assert status == 1
    report = json.loads(out)
    assert report["problems"] == {"empty": [f"{bad} is empty."]}
    status, out, _ = _run("check", str(corpus))
    assert status == 1
    assert str(bad) in out


def test_check_of_another_folder_is_wrong_use(tmp_path: Path) -> None:
    status, _, err = _run("check", str(tmp_path))
    assert status == 2
    assert err.startswith("kwscope: ")
    assert "does not hold Speech Commands" in err


def test_fetch_leaves_a_complete_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "speech_commands_v0.02").mkdir()
    status, out, err = _run("fetch", str(tmp_path))
    assert status == 0
    assert out.strip() == str(tmp_path / "speech_commands_v0.02")
    assert "there already" in err


def test_fetch_wants_an_address(tmp_path: Path) -> None:
    status, _, err = _run("fetch", str(tmp_path), "--url", "ftp.example.org")
    assert status == 2
    assert "--url" in err


def test_fetch_that_reaches_nobody_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kwscore.data import fetch

    monkeypatch.setattr(fetch, "TRIES", 1)
    status, _, err = _run("fetch", str(tmp_path), "--which", "test", "--yes", "--url", "http://127.0.0.1:9/a.tar.gz")
    assert status == 2
    assert "cannot be fetched" in err
    assert "GB are free" in err


def test_synth_takes_the_options_of_the_module(tmp_path: Path) -> None:
    status, _, _ = _run("synth", str(tmp_path), "--per-word", "0", "--per-keyword", "0")
    assert status == 0
    assert _run("synth", str(tmp_path), "--per-word", "many")[0] == 2

"""``kwscope experiment``: as the shell runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kwscore.cli.main import app
from kwscore.experiment.plan import Plan, load_plan
from tests.experiment.fakes import ToyEngine, make_folder, toys

__all__ = ["toys"]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    make_folder(tmp_path / "words")
    path = tmp_path / "mine.toml"
    path.write_text('networks = ["A"]\nnoises = ["white"]\nsnrs = [0, 10]\n[source]\nfolder = "words"\n')
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["experiment", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_new_writes_an_example_that_runs(tmp_path: Path, toys: list[ToyEngine]) -> None:
    status, out, err = run("new", tmp_path / "example.toml")
    assert (status, out) == (0, "")
    assert "example.toml" in err
    assert load_plan(tmp_path / "example.toml").noises == Plan().noises
    assert run("new", tmp_path / "example.toml")[0] == 2
    assert "exists already" in run("new", tmp_path / "example.toml")[2]


def test_rows_on_stdout_progress_on_stderr(plan: Path, toys: list[ToyEngine]) -> None:
    status, out, err = run(plan)
    assert status == 0, err
    assert [line.split()[2:4] for line in out.splitlines()[1:]] == [["clean", "6"], ["white", "0"], ["white", "10"]]
    assert "3/3  A  float  white 10 dB" in err


def test_json_lines_are_notes_progress_and_rows(plan: Path, toys: list[ToyEngine]) -> None:
    status, out, err = run(plan, "--json")
    assert status == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert {record["type"] for record in records} == {"note", "progress", "row"}
    rows = [record for record in records if record["type"] == "row"]
    assert [row["condition"] for row in rows] == ["clean", "white 0 dB", "white 10 dB"]
    assert records[-1]["share"] == 1.0


def test_out_keeps_tables_and_plot_and_resume_goes_on(plan: Path, tmp_path: Path, toys: list[ToyEngine]) -> None:
    out = tmp_path / "out"
    assert run(plan, "--out", out)[0] == 0
    assert {p.name for p in out.iterdir()} >= {"results.csv", "results.json", "results.txt", "units.jsonl"}
    before = json.loads((out / "results.json").read_text())["rows"]
    status, _, err = run(plan, "--out", out)
    assert status == 2
    assert "--resume" in err
    count = len(toys)
    assert run(plan, "--out", out, "--resume")[0] == 0
    assert len(toys) == count
    assert json.loads((out / "results.json").read_text())["rows"] == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.toml"], ["none.toml", "kwscope experiment new"]),
        (["{plan}", "--resume"], ["--out"]),
        (["{plan}", "--jobs", "0"], ["--jobs"]),
        (["new", "example.txt"], [".toml"]),
    ],
)
def test_wrong_use_is_one_sentence(plan: Path, arguments: list[str], words: list[str]) -> None:
    status, out, err = run(*(a.format(plan=plan) for a in arguments))
    assert (status, out) == (2, "")
    assert all(word in err for word in words)
    assert "Traceback" not in err


def test_a_field_that_is_wrong_is_named_with_its_file(plan: Path) -> None:
    plan.write_text("snrs = ['loud']")
    status, _, err = run(plan)
    assert status == 2
    assert "mine.toml" in err
    assert "'snrs'" in err


CHILD = """
import sys, time
from contextlib import contextmanager
from kwscore.cli.main import main
from kwscore.experiment import run
from tests.experiment.fakes import NETWORK, ToyEngine
class Slow(ToyEngine):
    def reset(self):
        time.sleep(0.01)
        super().reset()
@contextmanager
def opened(*_):
    yield Slow()
run.open_engine, run.find_networks = opened, lambda *_: [NETWORK]
sys.argv = ["kwscope", "experiment", *sys.argv[1:]]
main()
"""


def child(*arguments: object) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


@pytest.mark.parametrize("how", ["ctrl-c", "cancel", "closed"])
def test_interrupted_it_leaves_what_is_finished(plan: Path, tmp_path: Path, how: str) -> None:
    plan.write_text(plan.read_text().replace("snrs = [0, 10]", f"snrs = {list(range(-30, 31))}"))
    process = child(plan, "--out", tmp_path / "out", "--json", "--controlled")
    assert process.stdout is not None
    assert process.stdin is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "row":
            break
    if how == "ctrl-c":
        process.send_signal(signal.SIGINT)
    elif how == "cancel":
        process.stdin.write("pause\ncancel\n")
        process.stdin.flush()
    else:  # whoever started it is gone
        process.stdin.close()
        process.stdin = None
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert 1 <= len(content["rows"]) < 61

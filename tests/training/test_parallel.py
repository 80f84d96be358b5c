from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kwscore.training.parallel import Team, team
from kwscore.training.trainer import build
from tests.data.corpus import make_corpus
from tests.training.test_trainer import RECIPE


def test_two_processes_train_the_weights_of_one(tmp_path: Path, repository: Path) -> None:
    corpus = make_corpus(tmp_path)
    results = []
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        out.mkdir()
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        child = ["-m", "tests.training.parallel_child", str(corpus), str(tmp_path / "cache"), str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)}
        done = subprocess.run(
            [*command, *child], cwd=repository, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr[-2000:]
        results.append([torch.load(out / f"weights{rank}.pt", weights_only=True) for rank in range(processes)])
    (alone,), (first, second) = results
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=0)
    # AdamW divides by the gradient's size, so rounding shows where a gradient is nearly 0: compare with the way gone
    start = build(RECIPE).state_dict()
    apart = sum(float((first[n] - alone[n]).square().sum()) for n in start) ** 0.5
    moved = sum(float((alone[n] - start[n]).square().sum()) for n in start if not n.startswith("stream_norm")) ** 0.5
    assert apart < 0.05 * moved
    logs = [json.loads((tmp_path / f"out{n}" / "run" / "log.jsonl").read_text().splitlines()[-1]) for n in (1, 2)]
    assert logs[0]["loss"] == pytest.approx(logs[1]["loss"], rel=0.01)
    assert logs[0]["train"] == pytest.approx(logs[1]["train"], abs=1.0)


def test_a_process_alone_is_a_team_of_one() -> None:
    with team() as members:
        assert members == Team()
        assert members.first
        assert members.total(3, 4) == [3, 4]
        assert members.share("state") == "state"

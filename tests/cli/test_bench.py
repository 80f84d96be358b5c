"""``kwscope bench``: the figures are there and hang together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kwscore.cli.main import app


@pytest.fixture(scope="module")
def figures(checkpoint: Path) -> dict:
    result = CliRunner().invoke(app, ["bench", "--json", "--hops", "100", "--model", str(checkpoint)])
    assert result.exit_code == 0, result.stderr
    (line,) = result.stdout.splitlines()
    return dict(json.loads(line))


def test_figures_hang_together(figures: dict) -> None:
    assert figures["hops"] == 100
    for name in ("engine", "torch_step", "torch_window"):
        assert 0 < figures[name]["median_us"] <= figures[name]["p99_us"]
    ratio = figures["torch_step"]["median_us"] / figures["engine"]["median_us"]
    assert figures["speedup_over_torch_step"] == pytest.approx(ratio, rel=1e-3)


def test_what_was_measured_did_the_same_work(figures: dict) -> None:
    assert figures["largest_logit_difference"] < 1e-4


def test_table_names_every_contender(checkpoint: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "--hops", "100", "--model", str(checkpoint)])
    assert result.exit_code == 0, result.stderr
    for words in ("streaming engine", "torch, same step", "torch, last second again", "KiB state", "MiB resident"):
        assert words in result.stdout


def test_too_few_hops_are_refused() -> None:
    assert CliRunner().invoke(app, ["bench", "--hops", "1"]).exit_code == 2

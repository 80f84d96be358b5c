"""Tables and plot of an experiment."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kwscore.constants import LABELS
from kwscore.experiment.export import as_csv, as_text, line_name, write_plot, write_results
from kwscore.experiment.plan import Plan, Source
from kwscore.experiment.run import run_experiment
from tests.experiment.fakes import ToyEngine, make_folder


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    source = Source("folder", str(make_folder(tmp_path / "words")))
    return Plan(
        title="Mine", source=source, networks=("A", "B"), noises=("white", "pink"), snrs=(-5.0, 5.0), seeds=(1, 2)
    )


@pytest.fixture
def rows(plan: Plan, toys: list[ToyEngine]) -> list[dict[str, Any]]:
    return run_experiment(plan)


def test_csv_has_a_line_a_row_and_every_figure(rows: list[dict[str, Any]]) -> None:
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert len(table) == len(rows)
    for line, row in zip(table, rows, strict=True):
        assert float(line["accuracy"]) == row["accuracy"]
        assert line["snr_db"] == ("" if row["snr_db"] is None else str(row["snr_db"]))
        assert int(line["events hits"]) == row["detections"]["hits"]
        assert {line[f"accuracy {label}"] for label in LABELS} >= {"", str(row["classes"]["yes"]["accuracy"])}
        assert int(line["hits yes"]) == row["detections"]["by_word"]["yes"]["hits"]


def test_text_is_one_line_a_row_and_says_what_was_not_counted(plan: Plan, toys: list[ToyEngine]) -> None:
    rows = run_experiment(replace(plan, detection=None))
    lines = as_text(rows).splitlines()
    assert len(lines) == 1 + len(rows)
    assert lines[1].split()[:3] == ["A", "float", "clean"]
    assert lines[1].split()[-4:] == ["-", "-", "7", "us"]


def test_files_hold_plan_and_rows(tmp_path: Path, plan: Plan, rows: list[dict[str, Any]]) -> None:
    paths = write_results(tmp_path / "out", rows, plan)
    assert sorted(p.name for p in paths) == ["results.csv", "results.json", "results.txt"]
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["rows"] == rows
    assert content["experiment"] == plan.to_dict()


def test_the_plot_is_drawn_where_there_are_two_snrs(tmp_path: Path, plan: Plan, rows: list[dict[str, Any]]) -> None:
    pytest.importorskip("matplotlib")
    path = write_plot(tmp_path / "plot.png", rows, plan)
    assert path is not None
    assert path.stat().st_size > 5000
    single = [row for row in rows if row["snr_db"] in (None, 5.0)]
    assert write_plot(tmp_path / "none.png", single, plan) is None


def test_curves_are_named_by_what_differs(rows: list[dict[str, Any]]) -> None:
    assert line_name(rows[0], rows) == "A"
    assert line_name(rows[0], rows[:1]) == "A"
    assert line_name(rows[0], [*rows, {**rows[0], "engine": "integer"}]) == "A, float"

"""The window of experiments, opened from the main window; runs driven by clicks and keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from app.experiment import ExperimentFeature
from app.experiment_process import ExperimentProcess
from app.sources import Choice
from kwscore.experiment.plan import load_plan
from kwscore.experiment.run import run_experiment
from kwscore.models.checkpoint import shipped_checkpoints
from tests.app.conftest import OpenWindow
from tests.app.experiments import NETWORKS, check, until_ended
from tests.app.handling import click, live, part
from tests.experiment.fakes import make_folder

needs_network = pytest.mark.skipif(not shipped_checkpoints(), reason="no trained network is installed")


def test_a_key_opens_it_beside_the_main_window_which_goes_on(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_X)
    feature = part(window, ExperimentFeature)
    assert feature.experiment is not None
    assert feature.experiment.isVisible()
    heard = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > heard + 20)
    feature.experiment.close()
    window.actions_by_name["experiment"].trigger()
    assert feature.experiment.isVisible()
    window.do_theme()
    assert feature.experiment.theme.dark
    window.close()
    assert not feature.experiment.isVisible()


def test_rows_fill_table_and_curve_as_they_come(experiment, qtbot, stand_in) -> None:
    window = experiment(stand_in(stop=3))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 3)
    assert not window.run_button.isEnabled()
    assert not window.editor.isEnabled()
    assert list(window.chart.drawn) == [("", ""), ("", "clean")]
    assert [(p.x, p.y) for p in window.chart.drawn["", ""]] == [(0.0, 85.0), (10.0, 80.0)]
    qtbot.waitUntil(lambda: "3 of 10" in window.state.text())
    assert window.progress.value() == 300
    window.process._tell("whatever")
    until_ended(qtbot, window)
    assert "Done" in window.state.text()
    assert window.progress.value() == 1000
    assert window.editor.isEnabled()
    assert len(window.table.model.rows) == 10


def test_pause_and_go_on(experiment, qtbot, stand_in) -> None:
    window = experiment(stand_in(stop=4))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 4)
    click(qtbot, window.pause_button)
    assert window.process.paused
    assert window.pause_button.text() == "Go on"
    assert window.process.running
    click(qtbot, window.pause_button)
    until_ended(qtbot, window)
    assert len(window.table.model.rows) == 10
    assert window.pause_button.text() == "Pause"
    assert not window.pause_button.isChecked()


def test_cancel_keeps_what_is_there_and_run_goes_on(experiment, qtbot, stand_in) -> None:
    window = experiment(stand_in(stop=4))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 4)
    click(qtbot, window.cancel_button)
    until_ended(qtbot, window)
    assert "Cancelled after 4 rows" in window.state.text()
    assert window.export_button.isEnabled()
    assert window.run_button.isEnabled()


def test_trouble_of_the_process_is_one_sentence(experiment, qtbot, stand_in) -> None:
    for code, words in (
        ("import sys; print('kwscope: There is no folder x: give one.', file=sys.stderr); sys.exit(2)", "no folder x"),
        ("raise ZeroDivisionError('what')", "ended unexpectedly"),
        ("import os; os.kill(os.getpid(), 9)", "ended unexpectedly"),
    ):
        window = experiment(stand_in(code=code))
        click(qtbot, window.run_button)
        until_ended(qtbot, window)
        assert words in window.state.text()
        assert "Traceback" not in window.state.text()
        assert window.run_button.isEnabled()
    window = experiment(ExperimentProcess(command=["/no/such/program"]))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: "cannot be started" in window.state.text())


def test_closing_the_main_window_ends_the_process(experiment, qtbot, stand_in) -> None:
    window = experiment(stand_in(stop=2))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 2)
    folder = window._folder
    assert folder is not None
    window.close()
    assert window.process.running  # only hidden
    window.dispose()
    assert not window.process.running
    assert not folder.exists()


def test_results_are_exported_with_their_plan(experiment, qtbot, stand_in, tmp_path: Path, monkeypatch) -> None:
    window = experiment(stand_in())
    click(qtbot, window.run_button)
    until_ended(qtbot, window)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "exported"))
    click(qtbot, window.export_button)
    names = {path.name for path in (tmp_path / "exported").iterdir()}
    assert names == {"accuracy_against_snr.png", "experiment.toml", "results.csv", "results.json", "results.txt"}
    assert load_plan(tmp_path / "exported" / "experiment.toml").networks == NETWORKS[:1]
    (tmp_path / "file").touch()
    window.export_to(tmp_path / "file" / "x")
    assert "cannot be written" in window.state.text()


@needs_network
def test_the_window_and_the_command_line_give_the_samenumbers(experiment, qtbot, tmp_path: Path) -> None:
    window = experiment()
    window.editor.kind.setCurrentIndex(1)
    window.editor.kind.activated.emit(1)
    window.editor.where.setText(str(make_folder(tmp_path / "words")))
    for noise in ("white", "factory", "street"):
        check(window, "noises", noise)
    window.editor.snrs.setText("0 10")
    plan = window.editor.plan()
    assert plan.networks == NETWORKS[:1]
    click(qtbot, window.run_button)
    until_ended(qtbot, window)
    assert "Done" in window.state.text()
    window.export_to(tmp_path / "exported")
    headless = run_experiment(plan)
    for row in (*headless, *window.table.model.rows):
        row.pop("hop_us")
        row.pop("reused", None)
    assert window.table.model.rows == headless
    assert (tmp_path / "exported" / "results.csv").stat().st_size > 500
    # the same again, and one SNR more: only that is measured
    window.editor.snrs.setText("0 5 10")
    click(qtbot, window.run_button)
    until_ended(qtbot, window)
    assert [row["reused"] for row in window.table.model.rows] == [True] * 5 + [False] * 2


def test_what_is_left_out_is_said_at_the_end(experiment, qtbot, stand_in) -> None:
    code = """
import json
print(json.dumps({"type": "note", "text": "Left out on the engine integer: Matched."}))
print(json.dumps({"type": "note", "text": "Reading ..."}))
"""
    window = experiment(stand_in(code=code))
    click(qtbot, window.run_button)
    until_ended(qtbot, window)
    assert "Left out on the engine integer: Matched." in window.state.text()


def test_nothing_is_made_before_it_is_wanted(open_window: OpenWindow, sound: Path) -> None:
    window = open_window(Choice("file", str(sound)))
    assert part(window, ExperimentFeature).experiment is None  # made when wanted

"""The window of experiments, opened from the main window and driven by clicks and keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog

from app import settings as store
from app import theme as themes
from app.experiment import ExperimentFeature
from app.experiment_process import ExperimentProcess
from app.experiment_window import ExperimentWindow
from app.panels.experiment_chart import EVERY, MEAN, SYMBOLS
from app.panels.experiment_controls import numbers
from app.sources import MICROPHONE, Choice
from kwscore.errors import KWScopeError
from kwscore.experiment.plan import Plan, Source, load_plan
from kwscore.experiment.run import run_experiment
from kwscore.models.checkpoint import shipped_checkpoints
from kwscore.stream.detection import DetectionSettings
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device
from tests.app.test_window import live
from tests.experiment.fakes import make_folder

LEFT = Qt.MouseButton.LeftButton
NETWORKS = ("NanoMamba-Tiny-DualPCEN", "Other")
needs_network = pytest.mark.skipif(not shipped_checkpoints(), reason="no trained network is installed")

STAND_IN = """
import json, sys, threading
from pathlib import Path
plan, out = Path(sys.argv[1]), Path(sys.argv[3])
rows = json.loads(Path({rows!r}).read_text())
out.mkdir(parents=True, exist_ok=True)
def say(**record): print(json.dumps(record), flush=True)
def heard(): return sys.stdin.readline().strip()
say(type="note", text="Reading the clips ...")
print("a library prints this")
kept = []
for number, row in enumerate(rows, 1):
    say(type="row", reused=False, **row)
    say(type="progress", done=number, total=len(rows), share=number / len(rows), seconds_left=3.0,
        network=row["network"], engine=row["engine"], condition=row["condition"], seed=1)
    kept.append(row)
    if number == {stop}:
        word = heard()
        if word == "pause":
            assert heard() == "go on"
        elif word == "cancel":
            (out / "results.json").write_text(json.dumps(kept))
            sys.exit(130)
for name in ("results.csv", "results.json", "results.txt", "accuracy_against_snr.png"):
    (out / name).write_text(json.dumps(kept))
"""


def a_row(network: str, engine: str, noise: str | None, snr: float | None, accuracy: float) -> dict[str, Any]:
    return {
        "network": network, "engine": engine, "noise": noise, "snr_db": snr, "clips": 40, "accuracy": accuracy,
        "condition": f"{noise} {snr:g} dB" if noise else "clean", "low": accuracy - 5, "high": accuracy + 3,
        "hop_us": 11.0, "classes": {"yes": {"accuracy": 90.0}, "no": {"accuracy": None}},
        "detections": {"words": 30, "hits": 28, "false_accepts": 2, "median_latency_ms": None},
    }  # fmt: skip


ROWS = [
    a_row("NanoMamba-Tiny", engine, noise, snr, 90.0 - 5 * number)
    for engine in ("float", "integer")
    for number, (noise, snr) in enumerate(
        ((None, None), ("white", 0.0), ("white", 10.0), ("pink", 0.0), ("pink", 10.0))
    )
]


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., ExperimentProcess]:
    """A process that reports ``rows`` and waits for a word after row ``stop``."""

    def make(rows: list[dict[str, Any]] = ROWS, stop: int = 0, code: str = "") -> ExperimentProcess:
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        script = code or STAND_IN.replace("{rows!r}", repr(str(tmp_path / "rows.json"))).replace("{stop}", str(stop))
        return ExperimentProcess(command=[sys.executable, "-S", "-c", script])

    return make


@pytest.fixture
def experiment(qapp, qtbot):
    """Opens a window of experiments by itself."""
    opened: list[ExperimentWindow] = []

    def make(process: ExperimentProcess | None = None, networks: tuple[str, ...] = NETWORKS) -> ExperimentWindow:
        window = ExperimentWindow(themes.LIGHT, networks, DetectionSettings, process)
        opened.append(window)
        window.resize(1280, 720)
        window.show()
        return window

    yield make
    for window in opened:
        window.dispose()
        window.deleteLater()


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, LEFT)


def check(window: ExperimentWindow, kind: str, value: str) -> None:
    widget = getattr(window.editor, kind)
    for i in range(widget.count()):
        item = widget.item(i)
        if item.data(Qt.ItemDataRole.UserRole) == value:
            on = item.checkState() == Qt.CheckState.Checked
            item.setCheckState(Qt.CheckState.Unchecked if on else Qt.CheckState.Checked)
            return
    raise AssertionError(value)


def until_ended(qtbot, window: ExperimentWindow) -> None:
    qtbot.waitUntil(lambda: not window.process.running, timeout=240_000)


def test_a_key_opens_it_beside_the_main_window_which_goes_on(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_X)
    feature = next(f for f in window.features if isinstance(f, ExperimentFeature))
    assert feature.experiment is not None
    assert feature.experiment.isVisible()
    heard = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > heard + 20, timeout=60_000)
    feature.experiment.close()
    window.actions_by_name["experiment"].trigger()
    assert feature.experiment.isVisible()
    window.do_theme()
    assert feature.experiment.theme.dark
    window.close()
    assert not feature.experiment.isVisible()


def test_before_a_run_it_says_what_to_do_and_what_would_be_measured(experiment) -> None:
    window = experiment()
    assert window.chart.stack.currentIndex() == 0
    assert "Run" in window.chart.empty
    assert window.table_stack.currentIndex() == 0
    assert window.summary.text() == "5 noises × 5 SNR and clean = 26 rows"
    assert window.run_button.isEnabled()
    for button in (window.pause_button, window.cancel_button, window.export_button):
        assert not button.isEnabled()
    check(window, "networks", "Other")
    check(window, "engines", "integer")
    window.editor.seeds.setText("1, 2")
    assert window.summary.text() == "5 noises × 5 SNR and clean × 2 networks × 2 engines × 2 seeds = 104 rows"


def test_rows_fill_table_and_curve_as_they_come(experiment, qtbot, stand_in) -> None:
    window = experiment(stand_in(stop=3))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 3, timeout=60_000)
    assert not window.run_button.isEnabled()
    assert not window.editor.isEnabled()
    assert list(window.chart.drawn) == [("", ""), ("", "clean")]
    assert [(p.x, p.y) for p in window.chart.drawn["", ""]] == [(0.0, 85.0), (10.0, 80.0)]
    qtbot.waitUntil(lambda: "3 of 10" in window.state.text(), timeout=60_000)
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
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 4, timeout=60_000)
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
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 4, timeout=60_000)
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
    qtbot.waitUntil(lambda: "cannot be started" in window.state.text(), timeout=60_000)


def test_closing_the_main_window_ends_the_process(experiment, qtbot, stand_in) -> None:
    window = experiment(stand_in(stop=2))
    click(qtbot, window.run_button)
    qtbot.waitUntil(lambda: len(window.table.model.rows) == 2, timeout=60_000)
    folder = window._folder
    assert folder is not None
    window.close()
    assert window.process.running  # only hidden
    window.dispose()
    assert not window.process.running
    assert not folder.exists()


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("snrs", "loud", "'loud' is not a number"),
        ("snrs", "", "'snrs' is empty"),
        ("snrs", "15..-15", "upwards"),
        ("seeds", "1.5", "Seeds"),
        ("seeds", "", "'seeds' is empty"),
    ],
)
def test_what_cannot_run_is_said_at_once(experiment, field: str, text: str, words: str) -> None:
    window = experiment()
    getattr(window.editor, field).setText(text)
    assert words in window.summary.text()
    assert not window.run_button.isEnabled()
    assert not window.save_button.isEnabled()


def test_a_folder_must_be_chosen(experiment) -> None:
    window = experiment()
    window.editor.kind.setCurrentIndex(1)
    window.editor.kind.activated.emit(1)
    assert "Choose the folder" in window.summary.text()
    window.editor.where.setText("words")
    assert window.run_button.isEnabled()


def test_snrs_may_be_a_range() -> None:
    assert numbers("-15..15 by 10", "SNR") == [-15.0, -5.0, 5.0, 15.0]
    assert numbers("0..10", "SNR") == [0.0, 5.0, 10.0]
    assert numbers("−5, 0;  2.5", "SNR") == [-5.0, 0.0, 2.5]
    with pytest.raises(KWScopeError):
        numbers("0..1e9", "SNR")


def test_a_plan_goes_through_the_form_unchanged(experiment, tmp_path: Path) -> None:
    window = experiment()
    plan = Plan(
        title="Mine",
        source=Source("speech_commands", "sc", clips=300, split="validation", extra_dir="extra"),
        noises=("pink", "recorded street", "fan.wav"),
        snrs=(-3.0, 2.5),
        clean=False,
        seeds=(4, 5),
        networks=("Other", "mine.safetensors"),
        engines=("float", "board:sim", "board:/dev/ttyUSB7"),
        mode="stream",
        reference=-30.0,
        gap_s=0.5,
        recordings="noise",
        detection=DetectionSettings(threshold=0.7, word_thresholds={"yes": 0.25}),
        base=tmp_path,
    )
    window.editor.set_plan(plan)
    assert window.editor.plan() == plan.absolute()
    window.editor.set_plan(Plan(detection=None))
    assert window.editor.plan() == Plan(detection=None)


def test_plans_are_saved_and_opened(experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = experiment()
    check(window, "noises", "babble")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    window.save_button.click()
    assert load_plan(tmp_path / "mine.toml").noises == ("white", "pink", "factory", "street")
    assert "kwscope experiment" in window.state.text()
    check(window, "noises", "pink")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "mine.toml"), ""))
    window.open_button.click()
    assert window.editor.noises.values() == ("white", "pink", "factory", "street")
    (tmp_path / "mine.toml").write_text("snr = 3")
    window.open_button.click()
    assert "'snr'" in window.state.text()
    window.save_to(tmp_path / "mine.toml" / "mine.toml")
    assert "cannot be written" in window.state.text()


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


def test_recordings_of_ones_own_are_offered(experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = experiment()
    (tmp_path / "noise" / "rain").mkdir(parents=True)
    (tmp_path / "noise" / "rain" / "a.wav").touch()
    window.editor.use_recordings(str(tmp_path / "noise"))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(tmp_path / "fan.wav")], ""))
    window.editor.add_noise_button.click()
    plan = window.editor.plan()
    assert plan.noises[5:] == ("recorded rain", str(tmp_path / "fan.wav"))
    assert plan.recordings == str(tmp_path / "noise")
    window.editor.use_recordings(str(tmp_path / "none"))
    assert "no noise folder" in window.state.text()


def test_detection_settings_are_those_of_the_main_window(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    window.detection.set_settings(DetectionSettings(threshold=0.8), announce=True)
    window.actions_by_name["experiment"].trigger()
    feature = next(f for f in window.features if isinstance(f, ExperimentFeature))
    assert feature.experiment is not None
    editor = feature.experiment.editor
    assert editor.plan().detection == DetectionSettings(threshold=0.8)
    window.detection.set_settings(DetectionSettings(threshold=0.3), announce=True)
    click(qtbot, editor.as_window)
    assert editor.plan().detection == DetectionSettings(threshold=0.3)
    editor.detect.setChecked(False)
    assert editor.plan().detection is None


def test_the_curve_shows_every_noise_their_mean_or_one(experiment) -> None:
    window = experiment()
    chart = window.chart
    chart.set_rows([row for row in ROWS if row["engine"] == "float"])
    assert chart.show_box.currentText() == EVERY
    assert set(chart.drawn) == {("", "white"), ("", "pink"), ("", "clean")}
    chart.set_rows(ROWS)
    assert chart.show_box.currentText() == MEAN
    assert [(p.x, p.y) for p in chart.drawn["float", ""]] == [(0.0, 80.0), (10.0, 75.0)]
    assert set(chart.drawn) == {(e, n) for e in ("float", "integer") for n in ("", "clean")}
    chart.show_box.setCurrentText("pink")
    chart.show_box.activated.emit(chart.show_box.currentIndex())
    assert [p.y for p in chart.drawn["integer", ""]] == [75.0, 70.0]
    chart.set_rows(ROWS)  # what the user chose stays
    assert chart.show_box.currentText() == "pink"
    incomplete = [row for row in ROWS if not (row["noise"] == "pink" and row["snr_db"] == 10.0)]
    chart.show_box.setCurrentText(MEAN)
    chart.set_rows(incomplete)
    assert [p.x for p in chart.drawn["float", ""]] == [0.0]  # no mean of a part of the noises


def test_lines_differ_by_more_than_colour_and_have_their_intervals(experiment) -> None:
    window = experiment()
    window.chart.set_rows(ROWS)
    window.chart.show_box.setCurrentText(EVERY)
    window.chart.show_box.activated.emit(0)
    curves = [c for c in window.chart.plot.listDataItems() if c.name()]
    assert [c.name() for c in curves] == ["white, float", "pink, float", "white, integer", "pink, integer"]
    looks = [(c.opts["symbol"], c.opts["pen"].style()) for c in curves]
    assert len(set(looks)) == 4
    assert {symbol for symbol, _ in looks} <= set(SYMBOLS)
    bars = [i for i in window.chart.plot.items if type(i).__name__ == "ErrorBarItem"]
    assert len(bars) == len(window.chart.drawn)
    assert bars[0].opts["bottom"].tolist() == [5.0, 5.0]


def test_rows_can_be_sorted_selected_and_copied(experiment, qtbot) -> None:
    window = experiment()
    for row in ROWS:
        window._take_row(row)
    table = window.table
    assert table.sorted.rowCount() == 10
    table.put({**ROWS[0], "accuracy": 12.3})  # the same row with another seed replaces it
    assert table.sorted.rowCount() == 10
    table.table.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    assert table.sorted.index(0, 5).data() == "12.3 %"
    table.table.selectRow(0)
    assert table.detail.text() == "yes 90 %"
    table.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 2
    assert lines[1].split("\t")[:4] == ["Tiny", "float", "none", "clean"]


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


def test_choices_of_the_stream_hide_what_does_not_fit(experiment) -> None:
    window = experiment()
    assert window.editor.clips_row.isVisibleTo(window)
    window.editor.mode.setCurrentIndex(1)
    window.editor.mode.activated.emit(1)
    assert not window.editor.clips_row.isVisibleTo(window)
    assert window.editor.plan().mode == "stream"


def test_every_control_can_be_reached_and_has_a_name(experiment) -> None:
    window = experiment()
    for name in ("kind", "where", "clips", "mode", "noises", "snrs", "seeds", "networks", "engines", "port"):
        assert getattr(window.editor, name).accessibleName(), name
    for button in (window.run_button, window.pause_button, window.cancel_button, window.open_button):
        assert button.accessibleName()
        assert button.toolTip()


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_it_fits_into_a_small_screen(experiment, qapp, theme) -> None:
    window = experiment()
    window.set_theme(theme)
    for row in ROWS:
        window._take_row(row)
    qapp.processEvents()
    assert (window.width(), window.height()) == (1280, 720)
    assert window.minimumSizeHint().width() <= 1280
    assert window.minimumSizeHint().height() <= 720
    image = window.grab().toImage()
    assert image.width() == 1280 * image.devicePixelRatio()


def test_the_windows_own_recordings_are_offered(open_window: OpenWindow, tmp_path: Path) -> None:
    (tmp_path / "rain").mkdir()
    (tmp_path / "rain" / "a.wav").touch()
    settings = store.Settings(theme="light", noise_folder=str(tmp_path))
    window = open_window(MICROPHONE, settings, build_source=lambda choice: Device())
    window.actions_by_name["experiment"].trigger()
    feature = next(f for f in window.features if isinstance(f, ExperimentFeature))
    assert feature.experiment is not None
    check(feature.experiment, "noises", "recorded rain")  # it is there, and was not checked
    assert "recorded rain" in feature.experiment.editor.plan().noises
    assert feature.experiment.editor.plan().recordings == str(tmp_path)


def test_large_text_is_not_cut_off(experiment, qapp) -> None:
    try:
        themes.set_text_scale(150)
        themes.apply(qapp, themes.LIGHT)
        window = experiment()
        qapp.processEvents()
        editor = window.editor
        assert editor.area.viewport().width() >= editor.inner.minimumSizeHint().width()
    finally:
        themes.set_text_scale(100)
        themes.apply(qapp, themes.LIGHT)


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
    assert next(f for f in window.features if isinstance(f, ExperimentFeature)).experiment is None  # made when wanted

"""The form of the window of experiments: what would be measured, plans, recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from app import settings as store
from app import theme as themes
from app.experiment import ExperimentFeature
from app.panels.experiment_controls import numbers
from app.sources import MICROPHONE
from kwscore.errors import KWScopeError
from kwscore.experiment.plan import Plan, Source, load_plan
from kwscore.stream.detection import DetectionSettings
from tests.app.conftest import OpenWindow
from tests.app.experiments import check
from tests.app.fakes import Device
from tests.app.handling import click, part


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
        snrs=(-3.0, 2.5, 7.12345678),
        clean=False,
        seeds=(4, 2**53 + 1),
        networks=("Other", "mine.safetensors"),
        engines=("float", "board:sim", "board:/dev/ttyUSB7", "board:COM5"),
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
    feature = part(window, ExperimentFeature)
    assert feature.experiment is not None
    editor = feature.experiment.editor
    assert editor.plan().detection == DetectionSettings(threshold=0.8)
    window.detection.set_settings(DetectionSettings(threshold=0.3), announce=True)
    click(qtbot, editor.as_window)
    assert editor.plan().detection == DetectionSettings(threshold=0.3)
    editor.detect.setChecked(False)
    assert editor.plan().detection is None


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


def test_the_windows_own_recordings_are_offered(open_window: OpenWindow, tmp_path: Path) -> None:
    (tmp_path / "rain").mkdir()
    (tmp_path / "rain" / "a.wav").touch()
    settings = store.Settings(theme="light", noise_folder=str(tmp_path))
    window = open_window(MICROPHONE, settings, build_source=lambda choice: Device())
    window.actions_by_name["experiment"].trigger()
    feature = part(window, ExperimentFeature)
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

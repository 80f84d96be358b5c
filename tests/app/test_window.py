"""The real window, driven by clicks and keys."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog

from app import settings as store
from app.catalogue import STANDARD
from app.commands import COMMANDS
from app.controller import Notice
from app.presets import find
from app.sources import DEMO, MICROPHONE, Choice
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device
from tests.app.handling import click, live


def test_before_the_start_every_panel_says_what_to_do(open_window: OpenWindow) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    assert window.toolbar.run_button.text() == "Start"
    assert all("Start" in panel.empty for panel in window.time_panels.values())
    assert "Start" in window.readout.empty
    assert "listed here" in window.log.hint.text()


def test_start_hears_a_file_and_words_reach_log_marks_and_readout(open_window: OpenWindow, qtbot, sound: Path) -> None:
    window = open_window(Choice("file", str(sound)))
    click(qtbot, window.toolbar.run_button)
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2)
    qtbot.waitUntil(lambda: window.toolbar.run_button.text() == "Start")  # the file has ended
    assert [row.word for row in window.log.model.rows] == ["yes", "yes"]
    assert [mark.label for mark in window.feed.marks] == ["yes", "yes"]
    assert window.readout.accessibleDescription().startswith("yes")
    qtbot.waitUntil(lambda: window.toolbar.source_button.text() == "bursts.wav (ended)")


def test_space_starts_and_stops(open_window: OpenWindow, qtbot) -> None:
    window, device = live(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(device.stopped.is_set)
    assert not window.controller.running
    held = window.feed.end
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.controller.running and window.feed.end != held)


def test_detection_settings_panel(open_window: OpenWindow, qtbot) -> None:
    window, device = live(open_window, qtbot)
    assert window.docks["detection"].isHidden()
    qtbot.keyClick(window, Qt.Key.Key_D)
    assert window.docks["detection"].isVisible()
    assert window.toolbar.detection_button.isChecked()
    window.detection.all.slider.setValue(90)
    assert window.controller.detection.thresholds == (0.9,) * 10
    window.detection.words["yes"].slider.setValue(40)
    assert window.controller.detection.word_thresholds == {"yes": 0.4}
    assert window.bars.feed.thresholds[0] == 0.4
    window.detection.times["refractory_ms"].setValue(1500)
    assert window.controller.detection.refractory_ms == 1500
    device.speak()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 1)
    click(qtbot, window.detection.defaults)
    assert window.controller.detection.word_thresholds == {}
    qtbot.keyClick(window, Qt.Key.Key_D)
    assert window.docks["detection"].isHidden()


def test_theme_follows_the_key_and_reaches_every_part(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    light = window.grab().toImage().pixelColor(5, 200).lightness()
    qtbot.keyClick(window, Qt.Key.Key_T)
    assert window.settings.theme == "dark"
    assert window.grab().toImage().pixelColor(5, 200).lightness() < light - 100
    assert all(panel.theme.dark for panel in window.time_panels.values())


def test_shortcut_overlay_names_every_command(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.overlay.isVisible()
    listed = [text for entries in window.overlay.groups().values() for _, text in entries]
    assert all(command.text in listed for command in COMMANDS if command.keys)
    qtbot.keyClick(window.overlay, Qt.Key.Key_Escape)
    assert not window.overlay.isVisible()


def test_every_button_has_a_name_and_a_tooltip_with_its_key(open_window: OpenWindow) -> None:
    from PySide6.QtWidgets import QAbstractButton

    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    for button in (*window.toolbar.findChildren(QAbstractButton), *window.log.findChildren(QAbstractButton)):
        if button.isVisible():
            assert button.accessibleName() or button.text(), button
    assert "(Space)" in window.toolbar.run_button.toolTip()
    assert "(F)" in window.toolbar.freeze_button.toolTip()


def test_export_and_copy(open_window: OpenWindow, qtbot, sound: Path, tmp_path: Path, monkeypatch) -> None:
    window = open_window(Choice("file", str(sound)))
    window.controller.start()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2)
    target = tmp_path / "words.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    click(qtbot, window.log.export_button)
    lines = target.read_text().splitlines()
    assert lines[0] == "time_s,word,score,latency_ms"
    assert [line.split(",")[1] for line in lines[1:]] == ["yes", "yes"]
    assert "2 detections" in window.banner.text()
    window.log.table.selectRow(0)
    click(qtbot, window.log.copy_button)
    assert QApplication.clipboard().text().split("\t")[1] == "yes"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "none" / "words.csv"), ""))
    click(qtbot, window.log.export_button)
    assert "cannot be written" in window.banner.text()


def test_messages_stand_until_dismissed(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    window._handle(Notice("device", "The microphone is gone: plug it in."))
    window._handle(Notice("device", "The microphone is gone: plug it in."))
    assert window.banner_bar.isVisible()
    assert len(window.banner.rows) == 1
    window._handle(Notice("device", ""))
    assert not window.banner_bar.isVisible()
    window._handle(Notice("a", "One.", "warning"))
    qtbot.waitUntil(lambda: window.banner.rows[0].close_button.width() > 10)
    click(qtbot, window.banner.rows[0].close_button)
    assert window.banner.rows == []


def test_layout_theme_and_settings_are_remembered(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    window.docks["delta"].hide()
    window.do_theme()
    window.do_zoom_in()
    window.detection.all.slider.setValue(77)
    window.close()
    kept, sentence = store.load()
    assert sentence == ""
    assert (kept.theme, kept.pitch, kept.detection["threshold"]) == ("dark", 3, 0.77)
    again = open_window(MICROPHONE, kept, build_source=lambda choice: Device())
    assert again.docks["delta"].isHidden()
    assert again.docks["snr"].isVisible()
    assert again.display.pitch == 3


def test_a_layout_that_cannot_be_restored_is_replaced(open_window: OpenWindow) -> None:
    odd = store.Settings(geometry="%%%", layout="AAAA")
    window = open_window(MICROPHONE, odd, build_source=lambda choice: Device())
    assert all(window.docks[key].isVisible() for key in find(STANDARD).shown)


def test_the_window_closes_although_the_source_hangs(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    from app import controller

    monkeypatch.setattr(controller, "CLOSE_DEADLINE", 0.2)
    window, device = live(open_window, qtbot)
    device.hang = threading.Event()
    window.close()  # would never return if it waited
    assert not window.isVisible()
    assert not window.controller.worker.is_alive()
    device.hang.set()


def test_status_bar_tells_losses_and_state(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.refresh_status()
    text = " ".join(label.text() for label in window.status.fields.values())
    for part in ("listening", "48 kHz", "hop", "p99", "load", "dropped", "overflows 0", "Loudness"):
        assert part in text


def test_a_right_click_offers_panels_only(open_window: OpenWindow) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    texts = [action.text() for action in window.createPopupMenu().actions()]
    assert texts == [dock.windowTitle() for dock in window.docks.values()]


def test_settings_are_saved_when_they_change(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    saved: list[store.Settings] = []
    monkeypatch.setattr(store, "save", lambda settings: saved.append(replace(settings)) or "")  # type: ignore[func-returns-value]
    window = open_window(DEMO)
    window.save_changes()
    saved.clear()
    window.save_changes()
    assert saved == []
    window.do_theme()
    window.save_changes()
    assert [each.theme for each in saved] == ["dark"]
    assert window.saving.isActive()
    monkeypatch.setattr(store, "save", lambda settings: "Settings cannot be saved here.")
    window.do_theme()
    window.save_changes()
    assert window.banner.text() == "Settings cannot be saved here."


def test_names_without_a_suffix_get_one_and_no_part_is_left(
    open_window: OpenWindow, tmp_path: Path, monkeypatch
) -> None:
    window = open_window(DEMO)
    for name, do in (("words", window.do_export), ("look", window.do_picture)):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name: (str(tmp_path / name), ""))
        do()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look.png", "words.csv"]
    (tmp_path / "taken.png").mkdir()
    assert not window.save_picture(tmp_path / "taken.png")
    assert not list(tmp_path.glob("*.part"))

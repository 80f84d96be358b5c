"""The real window, driven by clicks and keys."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from app import settings as store
from app.catalogue import STANDARD
from app.commands import COMMANDS
from app.controller import Notice
from app.panels.timepanel import TimePanel
from app.presets import find
from app.sources import DEMO, MICROPHONE, Choice
from app.window import MainWindow
from kwscore.errors import KWScopeError
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine, fast_files, write_sound

LEFT = Qt.MouseButton.LeftButton


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, LEFT)


def microphone_or_file(device: Device):
    return lambda choice: device if choice.kind == "mic" else fast_files(choice)


def live(open_window: OpenWindow, qtbot, **parts: object):
    """A window that hears a fake microphone, and the microphone."""
    device = Device()
    window = open_window(MICROPHONE, build_source=microphone_or_file(device), **parts)
    click(qtbot, window.toolbar.run_button)
    qtbot.waitUntil(lambda: window.feed.end > 100, timeout=60_000)
    return window, device


def trigger(menu, text: str) -> None:
    next(action for action in menu.actions() if action.text().partition("\t")[0].strip() == text).trigger()


def shown_plots(window: MainWindow) -> list[TimePanel]:
    """The visible panels on the time axis."""
    return [panel for panel in window.time_panels.values() if panel.isVisible()]


def test_before_the_start_every_panel_says_what_to_do(open_window: OpenWindow) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    assert window.toolbar.run_button.text() == "Start"
    assert all("Start" in panel.empty for panel in window.time_panels.values())
    assert "Start" in window.readout.empty
    assert "listed here" in window.log.hint.text()


def test_start_hears_a_file_and_words_reach_log_marks_and_readout(open_window: OpenWindow, qtbot, sound: Path) -> None:
    window = open_window(Choice("file", str(sound)))
    click(qtbot, window.toolbar.run_button)
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2, timeout=60_000)
    qtbot.waitUntil(lambda: window.toolbar.run_button.text() == "Start", timeout=60_000)  # the file has ended
    assert [row.word for row in window.log.model.rows] == ["yes", "yes"]
    assert [mark.label for mark in window.feed.marks] == ["yes", "yes"]
    assert window.readout.accessibleDescription().startswith("yes")
    qtbot.waitUntil(lambda: window.toolbar.source_button.text() == "bursts.wav (ended)", timeout=60_000)


def test_space_starts_and_stops(open_window: OpenWindow, qtbot) -> None:
    window, device = live(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(device.stopped.is_set)
    assert not window.controller.running
    held = window.feed.end
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.controller.running and window.feed.end != held, timeout=60_000)


def test_freeze_holds_the_display_while_listening_goes_on(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert window.toolbar.freeze_button.isChecked()
    held = window.display.end
    qtbot.waitUntil(lambda: window.feed.end > held + 50, timeout=60_000)
    assert window.display.end == held
    qtbot.keyClick(window, Qt.Key.Key_F)
    window.tick()
    assert window.display.end >= held + 50
    assert not window.toolbar.freeze_button.isChecked()


def test_keys_scroll_back_and_end_returns(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    for _ in range(5):
        qtbot.keyClick(window, Qt.Key.Key_Plus)  # fewest columns on the screen
    window.tick()
    shown = window.shown_columns()
    qtbot.waitUntil(lambda: window.feed.end > 3 * shown, timeout=60_000)
    newest = window.display.end
    qtbot.keyClick(window, Qt.Key.Key_Left)
    assert window.display.frozen
    at = window.display.end
    assert at >= newest - 50
    qtbot.keyClick(window, Qt.Key.Key_PageUp)
    assert window.display.end == max(at - shown * 9 // 10, shown)
    qtbot.keyClick(window, Qt.Key.Key_Home)
    assert window.display.end == shown
    window.tick()
    assert {panel.end for panel in shown_plots(window)} == {shown}
    qtbot.keyClick(window, Qt.Key.Key_Right)
    assert window.display.end == shown + 50
    qtbot.keyClick(window, Qt.Key.Key_End)
    assert not window.display.frozen


def test_wheel_and_drag_scroll_back(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.display.pitch = 8
    window.tick()
    shown = window.shown_columns()
    qtbot.waitUntil(lambda: window.feed.end > 2 * shown, timeout=60_000)
    panel = window.time_panels["spectrogram"]
    middle = QPointF(panel.plot.center())
    wheel = QWheelEvent(
        middle, panel.mapToGlobal(middle), QPoint(), QPoint(0, 120), LEFT & ~LEFT, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(panel, wheel)
    assert window.display.frozen
    window.tick()
    before = window.display.end
    start = middle.toPoint()
    qtbot.mousePress(panel, LEFT, pos=start)
    qtbot.mouseMove(panel, start + QPoint(80, 0))
    qtbot.mouseRelease(panel, LEFT, pos=start + QPoint(80, 0))
    assert window.display.end == before - 10


def test_the_timeline_is_dragged_and_leads_back(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.display.pitch = 8
    window.tick()
    qtbot.waitUntil(lambda: window.feed.end > 3 * window.shown_columns(), timeout=60_000)
    window.tick()
    track = window.timeline.track
    qtbot.mouseClick(window.timeline, LEFT, pos=QPoint(round(track.left() + track.width() / 2), 12))
    assert window.display.frozen
    assert window.display.end < window.feed.end - 50
    qtbot.mouseClick(window.timeline, LEFT, pos=QPoint(window.timeline.width() - 40, 12))
    assert not window.display.frozen


def test_reset_begins_anew(open_window: OpenWindow, qtbot, engine: LoudnessEngine) -> None:
    window, _ = live(open_window, qtbot)
    before, resets = window.controller.worker.history, engine.resets
    click(qtbot, window.toolbar.reset_button)
    qtbot.waitUntil(lambda: window.controller.worker.history is not before, timeout=60_000)
    qtbot.waitUntil(lambda: window.feed.end > 0, timeout=60_000)
    assert engine.resets > resets
    assert window.feed.first == 0


def test_switching_source_from_the_menu(open_window: OpenWindow, qtbot, sound: Path, monkeypatch) -> None:
    window, device = live(open_window, qtbot)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(sound), ""))
    window.toolbar.fill_source_menu()
    window.actions_by_name["open"].trigger()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2, timeout=60_000)
    assert device.stopped.is_set()
    assert window.settings.source == f"file:{sound}"
    window.toolbar.devices = []
    window.toolbar.fill_source_menu()
    trigger(window.toolbar.source_button.menu(), "Demo playlist")
    qtbot.waitUntil(lambda: window.controller.choice == DEMO and window.feed.end > 0, timeout=60_000)
    qtbot.waitUntil(lambda: window.toolbar.source_button.text() == "Demo playlist", timeout=60_000)
    qtbot.waitUntil(lambda: window.controller.caption(window.feed.end).startswith("playing"), timeout=60_000)


def test_switching_the_network_from_the_menu(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    engines = {"": LoudnessEngine("Small"), "Other": LoudnessEngine("Other")}
    window, _ = live(open_window, qtbot, load_engine=lambda name, progress: (engines[name], None))
    monkeypatch.setattr(window.controller, "networks", lambda: ["Small", "Other"])
    window.toolbar.network_button.menu().aboutToShow.emit()
    trigger(window.toolbar.network_button.menu(), "Other")
    qtbot.waitUntil(lambda: window.toolbar.network_button.text() == "Other", timeout=60_000)
    window.refresh_status()
    assert "0123456789ab" in window.status.fields["network"].text()


def test_devices_appear_under_their_host_api(open_window: OpenWindow, qtbot) -> None:
    from app.controller import DevicesFound
    from kwscore.audio.devices import InputDevice

    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    usb = InputDevice("ALSA", "USB microphone", 1, 48_000, True, 3)
    window._handle(DevicesFound([usb], ""))
    texts = [action.text() for action in window.toolbar.source_button.menu().actions()]
    assert texts.index("ALSA") + 1 == texts.index("  USB microphone")
    trigger(window.toolbar.source_button.menu(), "USB microphone")
    qtbot.waitUntil(lambda: window.controller.choice == Choice("mic", "ALSA: USB microphone"), timeout=60_000)


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
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 1, timeout=60_000)
    click(qtbot, window.detection.defaults)
    assert window.controller.detection.word_thresholds == {}
    qtbot.keyClick(window, Qt.Key.Key_D)
    assert window.docks["detection"].isHidden()


def test_panels_hide_come_back_and_enlarge(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    dock = window.docks["snr"]
    click(qtbot, dock.bar.hide_button)
    assert dock.isHidden()
    dock.toggleViewAction().trigger()
    assert dock.isVisible()
    tall = window.docks["delta"].height()
    qtbot.mouseDClick(window.docks["delta"].bar, LEFT)
    assert [key for key in window.time_panels if window.docks[key].isVisible()] == ["delta"]
    qtbot.waitUntil(lambda: window.docks["delta"].height() > 3 * tall)
    qtbot.waitUntil(lambda: window.time_panels["delta"]._axis)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert all(window.docks[key].isVisible() for key in find(STANDARD).shown)
    qtbot.waitUntil(lambda: [k for k, p in window.time_panels.items() if p._axis] == ["posteriors"])


def test_all_plots_share_one_axis(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.tick()
    assert len({panel.x_of(50) for panel in shown_plots(window)}) == 1
    panel = window.time_panels["snr"]
    qtbot.mouseMove(panel, panel.plot.center().toPoint())
    assert {each.cursor_column for each in window.time_panels.values()} == {panel.column_at(panel.plot.center().x())}


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
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2, timeout=60_000)
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


def test_a_click_in_the_log_shows_the_moment(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "long.wav", bursts=4, seconds=20)
    window = open_window(Choice("file", str(sound)))
    window.controller.start()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 4, timeout=60_000)
    qtbot.waitUntil(lambda: not window.controller.running, timeout=60_000)
    index = window.log.model.index(2, 1)
    window.log.table.clicked.emit(index)
    column = window.log.model.rows[1].column
    assert window.display.frozen
    assert window.display.end - window.shown_columns() < column < window.display.end


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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.wav", None),
        ("empty.wav", b""),
        ("text.wav", b"hello"),
        ("cut.wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ],
)
def test_bad_files_are_sentences(
    open_window: OpenWindow, qtbot, tmp_path: Path, name: str, content: bytes | None
) -> None:
    window, _ = live(open_window, qtbot)
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    window.listen_to(Choice("file", str(path)))
    qtbot.waitUntil(lambda: name in window.banner.text(), timeout=60_000)
    assert window.controller.running
    assert window.controller.choice == MICROPHONE


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


def test_no_audio_device_at_all_opens_on_the_demo(open_window: OpenWindow, qtbot) -> None:
    def build(choice: Choice):
        if choice.kind == "mic":
            raise KWScopeError("The PortAudio library is missing: install it.")
        return choice.build()

    window = open_window(MICROPHONE, build_source=build, fall_back=True)
    click(qtbot, window.toolbar.run_button)
    qtbot.waitUntil(lambda: window.controller.running and window.feed.end > 0, timeout=60_000)
    assert "Playing the demo instead" in window.banner.text()
    qtbot.waitUntil(lambda: window.toolbar.source_button.text() == "Demo playlist", timeout=60_000)


def test_demo_words_are_marked_beside_what_is_heard(open_window: OpenWindow, qtbot) -> None:
    from kwscore.audio.playlist import PlaylistSource

    window = open_window(DEMO, build_source=lambda choice: PlaylistSource(pace="fast"))
    window.controller.start()
    qtbot.waitUntil(lambda: bool(window.feed.truths(0, window.feed.end)), timeout=60_000)
    qtbot.waitUntil(lambda: window.readout.caption.startswith("playing: "), timeout=60_000)


def test_status_bar_tells_losses_and_state(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.refresh_status()
    text = " ".join(label.text() for label in window.status.fields.values())
    for part in ("listening", "48 kHz", "hop", "p99", "load", "dropped", "overflows 0", "Loudness"):
        assert part in text


def test_a_dropped_file_is_played(open_window: OpenWindow, qtbot, sound: Path) -> None:
    from PySide6.QtCore import QMimeData, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent

    window = open_window(MICROPHONE, build_source=microphone_or_file(Device()))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(sound))])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), copy, data, LEFT, none)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(QPointF(50, 50), copy, data, LEFT, none))
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2, timeout=60_000)


def test_a_right_click_offers_panels_only(open_window: OpenWindow) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    texts = [action.text() for action in window.createPopupMenu().actions()]
    assert texts == [dock.windowTitle() for dock in window.docks.values()]


def test_only_a_network_chosen_here_that_loads_is_remembered(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        if "bad" in name:
            raise KWScopeError(f"There is no checkpoint {name}: give another.")
        return LoudnessEngine(name or "standard"), None

    settings = store.Settings(theme="light", model="bad-one")
    window = open_window(Choice("mic"), settings, load_engine=load, network="bad-one", build_source=lambda _: Device())
    window.controller.start()
    qtbot.waitUntil(lambda: window.controller.network_name == "standard")
    assert settings.model == ""  # a start with it would fail again
    window.use_network("good")
    qtbot.waitUntil(lambda: settings.model == "good")
    window.use_network("bad-two")
    qtbot.waitUntil(lambda: "bad-two" in window.banner.text())
    assert settings.model == "good"
    other = store.Settings(theme="light", model="good")
    given = open_window(Choice("mic"), other, load_engine=load, network="given", build_source=lambda _: Device())
    given.controller.start()
    qtbot.waitUntil(lambda: given.controller.network_name == "given")
    assert other.model == "good"  # as --model is


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

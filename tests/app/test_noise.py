"""Noise while listening, in the real window: menu, panel, slider, keys and the monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from app import settings as store
from app.noise_feature import NoiseFeature
from app.noise_panel import NoisePanel
from app.sources import MICROPHONE
from app.window import MainWindow
from kwscore.audio.devices import PortAudio
from kwscore.audio.monitor import Monitor
from kwscore.audio.source import SourceState
from kwscore.stream.runner import Batch
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, write_sound
from tests.audio.test_monitor import Output

LEFT = Qt.MouseButton.LeftButton
SLOW = 60_000


def feature(window: MainWindow) -> NoiseFeature:
    return next(each for each in window.features if isinstance(each, NoiseFeature))


def listening(open_window: OpenWindow, qtbot: Any, settings: store.Settings | None = None, **parts: Any) -> MainWindow:
    """A window that hears a silent microphone, and whose mixer is ready."""
    window = open_window(MICROPHONE, settings, build_source=lambda choice: Device(), **parts)
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.controller.noise.ready and window.feed.end > 50, timeout=SLOW)
    return window


def entries(window: MainWindow) -> dict[str, Any]:
    menu = feature(window).button.menu()
    menu.aboutToShow.emit()
    return {action.text().partition("\t")[0]: action for action in menu.actions() if action.text()}


def level(window: MainWindow) -> float:
    """dBFS of what the networks hear now."""
    history = window.controller.worker.history
    assert history is not None
    return float(np.median(history.view(None, 20).level))


def test_noise_is_mixed_in_before_the_network(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    assert feature(window).button.text() == "no noise"
    assert not feature(window).shown.isVisible()
    assert level(window) < -100
    entries(window)["White: all frequencies alike"].trigger()
    qtbot.waitUntil(lambda: feature(window).button.text() == "white +10 dB", timeout=SLOW)
    assert feature(window).shown.isVisible()
    # silence has no speech level: the usual one of -25 dBFS is assumed, and said to be
    qtbot.waitUntil(lambda: abs(level(window) + 35) < 2, timeout=SLOW)
    panel = window.panels["noise"]
    qtbot.waitUntil(lambda: "−35" in panel.bars.accessibleDescription(), timeout=SLOW)
    assert "assumed" in panel.bars.accessibleDescription()
    entries(window)["No noise"].trigger()
    qtbot.waitUntil(lambda: level(window) < -100, timeout=SLOW)
    assert feature(window).button.text() == "no noise"


def test_keys_switch_it_and_change_the_snr(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    button, noise = feature(window).button, window.controller.noise
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: button.text() == "white +10 dB", timeout=SLOW)
    for _ in range(12):
        qtbot.keyClick(window, Qt.Key.Key_BracketLeft)
        window.tick()
    qtbot.waitUntil(lambda: button.text() == "white −2 dB", timeout=SLOW)
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    qtbot.waitUntil(lambda: button.text() == "white −1 dB", timeout=SLOW)
    assert window.panels["noise"].slider.value() == feature(window).slider.value() == -1
    for _ in range(50):
        noise.set_snr(noise.state.snr_db - 1)
    assert noise.state.snr_db == -15
    qtbot.waitUntil(lambda: abs(level(window) + 10) < 2, timeout=SLOW)
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: button.text() == "no noise", timeout=SLOW)


def test_the_panel_chooses_kind_snr_and_seed(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    panel: NoisePanel = window.panels["noise"]
    assert not window.docks["noise"].isHidden()
    panel.kind.setCurrentIndex(panel.kind.findData("babble"))
    panel.kind.activated.emit(panel.kind.currentIndex())
    qtbot.waitUntil(lambda: window.controller.noise.state.name == "babble", timeout=SLOW)
    assert panel.on.isChecked()
    panel.slider.setValue(3)
    assert window.controller.noise.state.snr_db == 3
    panel.seed.setValue(7)
    qtbot.waitUntil(lambda: window.controller.noise.state.seed == 7, timeout=SLOW)
    panel.on.click()
    qtbot.waitUntil(lambda: not window.controller.noise.state.on, timeout=SLOW)
    assert (panel.snr.text(), panel.kind.currentData()) == ("+3 dB", "babble")


def test_a_file_and_a_folder_of_ones_own(
    open_window: OpenWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "noises" / "kitchen"
    folder.mkdir(parents=True)
    write_sound(folder / "kettle.wav")
    own = write_sound(tmp_path / "drill.wav")
    window = listening(open_window, qtbot)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(own), ""))
    entries(window)["File of your own…"].trigger()
    qtbot.waitUntil(lambda: feature(window).button.text() == "drill +10 dB", timeout=SLOW)
    assert window.panels["noise"].kind.currentText() == "drill"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "noises"))
    qtbot.mouseClick(window.panels["noise"].folder_button, LEFT)
    assert window.settings.noise_folder == str(tmp_path / "noises")
    submenu = entries(window)["Recordings (1)"].menu()
    next(action for action in submenu.actions() if action.text() == "kitchen/kettle").trigger()
    qtbot.waitUntil(lambda: feature(window).button.text() == "kettle +10 dB", timeout=SLOW)
    assert window.panels["noise"].kind.findData(str(folder / "kettle.wav")) >= 0


def test_a_noise_that_cannot_be_read_leaves_the_old_one(open_window: OpenWindow, qtbot: Any, tmp_path: Path) -> None:
    window = listening(open_window, qtbot)
    window.controller.noise.choose("pink")
    qtbot.waitUntil(lambda: feature(window).button.text() == "pink +10 dB", timeout=SLOW)
    window.controller.noise.choose(str(tmp_path / "nothing.wav"))
    qtbot.waitUntil(lambda: "nothing.wav" in window.banner.text(), timeout=SLOW)
    assert feature(window).button.text() == "pink +10 dB"
    assert not window.panels["noise"].trouble.isHidden()
    assert window.panels["noise"].kind.currentData() == "pink"
    assert window.controller.running


def test_noise_chosen_before_the_start_sounds_from_the_start(open_window: OpenWindow, qtbot: Any) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: window.controller.noise.state.on, timeout=SLOW)
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.feed.end > 50 and abs(level(window) + 35) < 2, timeout=SLOW)


def test_the_same_seed_gives_the_same_noise(open_window: OpenWindow, qtbot: Any) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    controller, heard = window.controller, []

    def listen(batch: Batch) -> None:
        heard.append(batch.samples)

    controller.listen_in(listen)
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: controller.noise.state.on, timeout=SLOW)
    runs = []
    for _ in range(2):
        controller.noise.set_seed(5)
        mixer = controller.noise._mixer
        assert mixer is not None
        old = mixer.noise
        controller.noise.choose("babble")
        qtbot.waitUntil(
            lambda mixer=mixer, old=old: mixer.noise is not old and mixer.noise.name == "babble", timeout=SLOW
        )
        heard.clear()
        qtbot.mouseClick(window.toolbar.run_button, LEFT)
        qtbot.waitUntil(lambda: sum(map(len, heard)) > 32_000, timeout=SLOW)
        qtbot.mouseClick(window.toolbar.run_button, LEFT)
        qtbot.waitUntil(lambda: not controller.running, timeout=SLOW)
        runs.append(np.concatenate(heard)[:32_000])
    assert runs[0].any()
    assert np.array_equal(runs[0], runs[1])


def test_the_monitor_plays_what_the_networks_hear(open_window: OpenWindow, qtbot: Any) -> None:
    backend = Output(16_000)
    window = listening(open_window, qtbot, monitor=Monitor(PortAudio(backend)))
    window.controller.noise.choose("white")
    qtbot.keyClick(window, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: bool(backend.streams), timeout=SLOW)
    assert window.panels["noise"].monitor.isChecked()
    qtbot.waitUntil(lambda: bool(backend.play(1600).any()), timeout=SLOW)
    backend.streams[0].options["finished_callback"]()  # the loudspeakers are pulled
    qtbot.waitUntil(lambda: "went away" in window.banner.text(), timeout=SLOW)
    assert not window.panels["noise"].monitor.isChecked()
    end = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > end + 20, timeout=SLOW)  # nothing else stops


def test_without_loudspeakers_the_monitor_is_one_sentence(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot, monitor=Monitor(PortAudio(Output())))
    window.panels["noise"].monitor.click()
    qtbot.waitUntil(lambda: "loudspeakers cannot be opened" in window.banner.text(), timeout=SLOW)
    assert not window.panels["noise"].monitor.isChecked()
    assert not window.actions_by_name["monitor"].isChecked()
    assert window.controller.running


def test_a_lost_microphone_can_be_found_because_the_monitor_lets_go(open_window: OpenWindow, qtbot: Any) -> None:
    device, backend = Device(), Output(16_000)
    window = open_window(MICROPHONE, build_source=lambda choice: device, monitor=Monitor(PortAudio(backend)))
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.feed.end > 50, timeout=SLOW)
    qtbot.keyClick(window, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: bool(backend.streams), timeout=SLOW)
    device.state = SourceState.LOST
    qtbot.waitUntil(lambda: not backend.streams[0].open, timeout=SLOW)
    assert "lost microphone" in window.banner.text()
    assert not window.panels["noise"].monitor.isChecked()

"""Sources and networks chosen in the real window, by menu, drop and start; those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QFileDialog

from app import settings as store
from app.sources import DEMO, MICROPHONE, Choice
from kwscore.errors import KWScopeError
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine
from tests.app.handling import LEFT, click, live, microphone_or_file, trigger


def test_switching_source_from_the_menu(open_window: OpenWindow, qtbot, sound: Path, monkeypatch) -> None:
    window, device = live(open_window, qtbot)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(sound), ""))
    window.toolbar.fill_source_menu()
    window.actions_by_name["open"].trigger()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2)
    assert device.stopped.is_set()
    assert window.settings.source == f"file:{sound}"
    window.toolbar.devices = []
    window.toolbar.fill_source_menu()
    trigger(window.toolbar.source_button.menu(), "Demo playlist")
    qtbot.waitUntil(lambda: window.controller.choice == DEMO and window.feed.end > 0)
    qtbot.waitUntil(lambda: window.toolbar.source_button.text() == "Demo playlist")
    qtbot.waitUntil(lambda: window.controller.caption(window.feed.end).startswith("playing"))


def test_switching_the_network_from_the_menu(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    engines = {"": LoudnessEngine("Small"), "Other": LoudnessEngine("Other")}
    window, _ = live(open_window, qtbot, load_engine=lambda name, progress: (engines[name], None))
    monkeypatch.setattr(window.controller, "networks", lambda: ["Small", "Other"])
    window.toolbar.network_button.menu().aboutToShow.emit()
    trigger(window.toolbar.network_button.menu(), "Other")
    qtbot.waitUntil(lambda: window.toolbar.network_button.text() == "Other")
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
    qtbot.waitUntil(lambda: window.controller.choice == Choice("mic", "ALSA: USB microphone"))


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
    qtbot.waitUntil(lambda: name in window.banner.text())
    assert window.controller.running
    assert window.controller.choice == MICROPHONE


def test_no_audio_device_at_all_opens_on_the_demo(open_window: OpenWindow, qtbot) -> None:
    def build(choice: Choice):
        if choice.kind == "mic":
            raise KWScopeError("The PortAudio library is missing: install it.")
        return choice.build()

    window = open_window(MICROPHONE, build_source=build, fall_back=True)
    click(qtbot, window.toolbar.run_button)
    qtbot.waitUntil(lambda: window.controller.running and window.feed.end > 0)
    assert "Playing the demo instead" in window.banner.text()
    qtbot.waitUntil(lambda: window.toolbar.source_button.text() == "Demo playlist")


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
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2)


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

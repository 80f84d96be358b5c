"""Recording and notes in the real window."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from app import settings as store
from app.panels.notes import NoteRow, NotesPanel
from app.session_notes import Notes
from app.session_recording import Recording
from app.sources import MICROPHONE, Choice
from app.theme import LIGHT
from kwscore.session import recorder as recorder_module
from kwscore.session.container import ChunkWriter
from kwscore.session.reader import Session
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device
from tests.app.handling import LEFT, click, live, microphone_or_file, part
from tests.app.sessions import make_session
from tests.stream.fakes import PATIENCE


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where recordings go."""
    monkeypatch.setenv("KWSCOPE_RECORDINGS_DIR", str(tmp_path / "recordings"))
    monkeypatch.setattr(recorder_module, "RESERVE", 0)
    return tmp_path / "recordings"


def until_ended(recording: Recording) -> None:
    """Until its file is closed."""
    assert recording._ending is not None
    recording._ending.join(PATIENCE)


def recorded(window, qtbot) -> Path:
    """End the recording; the file once it is closed."""
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text())
    assert recording.path is not None
    return recording.path


def test_record_and_stop(open_window: OpenWindow, qtbot, folder: Path) -> None:
    window, device = live(open_window, qtbot)
    recording = part(window, Recording)
    assert recording.button.text() == "Record"
    before = window.feed.end
    click(qtbot, recording.button)
    device.speak()
    qtbot.waitUntil(lambda: recording.button.text().startswith("Recording ") and recording.recorder.position > 64_000)
    assert recording.button.isChecked()
    assert recording.button.accessibleName() == "Stop recording"
    qtbot.waitUntil(lambda: len(window.log.model.rows) > 0)
    path = recorded(window, qtbot)
    assert recording.button.text() == "Record"
    assert not recording.button.isChecked()
    assert path.parent == folder
    with Session(path) as session:
        assert session.complete
        assert session.events
        assert session.header["pre_roll"] >= min(before - 3, 400) * 160
        assert session.segments[0].source["name"] == "Fake microphone"
        assert session.detection[0].to["threshold"] == window.controller.detection.threshold
    assert window.controller.running


def test_the_key_records_and_starts_listening(open_window: OpenWindow, qtbot) -> None:
    device = Device()
    window = open_window(MICROPHONE, build_source=microphone_or_file(device))
    qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    recording = part(window, Recording)
    qtbot.waitUntil(lambda: recording.recorder is not None and recording.recorder.position > 16_000)
    assert window.controller.running
    qtbot.keyClick(window, Qt.Key.Key_Space)  # listening ends, and with it the recording
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text())
    assert not window.actions_by_name["record"].isChecked()
    with Session(recording.path) as session:
        assert session.complete
        assert session.segments[0].origin == 0


def test_a_reset_and_another_source_go_into_the_same_recording(open_window: OpenWindow, qtbot, sound: Path) -> None:
    window, _ = live(open_window, qtbot, settings=store.Settings(theme="light", pre_roll=0))
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000)
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: recording.recorder.position > 64_000)
    window.listen_to(Choice("file", str(sound)))
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text())  # the file has ended
    with Session(recording.path) as session:
        assert [s.source["name"] for s in session.segments][-1] == "bursts.wav"
        assert len(session.segments) >= 3
        assert session.length == session.kept[0][1]


def test_a_folder_that_cannot_be_written_is_said(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    settings = store.Settings(theme="light", recordings=str(blocked / "inside"))
    window, _ = live(open_window, qtbot, settings=settings)
    qtbot.mouseClick(part(window, Recording).button, LEFT)
    assert "cannot be made" in window.banner.text()
    assert not part(window, Recording).button.isChecked()
    assert window.controller.running


def test_a_full_disk_ends_the_recording_and_nothing_else(
    open_window: OpenWindow, qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self, data: bytes) -> None:
        if self.size + len(data) > 30_000:
            raise OSError(28, os.strerror(28))
        write(self, data)

    write = ChunkWriter._write
    monkeypatch.setattr(ChunkWriter, "_write", full)
    window, device = live(open_window, qtbot)
    device.speak()
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: "The disk is full" in window.banner.text())
    assert recording.recorder is None
    assert not recording.button.isChecked()
    held = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > held + 50)
    with Session(recording.path) as session:
        assert session.complete


def test_pins_and_notes_reach_list_plots_and_file(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    notes, panel = part(window, Notes), window.panels["notes"]
    qtbot.keyClick(window, Qt.Key.Key_P)
    pinned = window.feed.end
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000)
    qtbot.keyClick(window, Qt.Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(panel.isVisible)
    editor = panel.table.findChild(QLineEdit)
    qtbot.keyClicks(editor, "a lorry")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: [row.text for row in panel.rows] == ["", "a lorry"])
    window.tick()
    marks = window.feed.annotations(0, window.feed.end + 1)
    assert [(mark.label, mark.kind) for mark in marks] == [("pin", "pin"), ("a lorry", "pin")]
    item = panel.table.item(0, 0)
    qtbot.mouseClick(panel.table.viewport(), LEFT, pos=panel.table.visualItemRect(item).center())
    assert window.display.frozen
    assert window.display.end - window.shown_columns() <= pinned <= window.display.end
    path = recorded(window, qtbot)
    with Session(path) as session:
        first, second = session.notes
        assert second.text == "a lorry"
        assert 0 <= first.position < second.position <= session.length
    id = panel.rows[1].id
    for count in range(40):  # faster than they reach the file: none may overtake another there
        notes._edit(id, f"{count} lorries")
    notes._edit(id, "two lorries")
    notes._delete(panel.rows[0].id)

    def stored() -> bool:
        with Session(path) as session:
            return [note.text for note in session.notes] == ["two lorries"]

    qtbot.waitUntil(stored)


def test_nothing_heard_nothing_pinned(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=microphone_or_file(Device()))
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert "nothing to mark yet" in window.banner.text()


def test_a_recording_that_was_cut_is_said_once_and_opens(open_window: OpenWindow, qtbot, folder: Path) -> None:
    whole = make_session(folder / "whole.kwsession")
    cut = folder / "cut.kwsession"
    cut.write_bytes(whole.read_bytes()[:-3000])
    window = open_window(MICROPHONE, build_source=microphone_or_file(Device()))
    qtbot.waitUntil(lambda: "cut.kwsession was cut off while recording" in window.banner.text())
    assert "whole.kwsession" not in window.banner.text()
    with Session(cut) as session:
        assert session.complete
    again = open_window(MICROPHONE, build_source=microphone_or_file(Device()))
    part(again, Recording)._look_for_cut()
    again.tick()
    assert "cut off" not in again.banner.text()


def test_closing_the_window_closes_the_file(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000)
    window.close()
    until_ended(recording)  # a busy machine may need longer than a window waits
    with Session(recording.path) as session:
        assert session.complete


def test_closing_right_after_the_end_of_a_recording_completes_it(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000)
    click(qtbot, recording.button)
    window.close()
    until_ended(recording)
    with Session(recording.path) as session:
        assert session.complete


def test_the_window_closes_although_disk_and_source_hang(
    open_window: OpenWindow, qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.controller.CLOSE_DEADLINE", 0.2)
    window, device = live(open_window, qtbot)
    recording = part(window, Recording)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000)
    device.hang, released = threading.Event(), threading.Event()
    stop = recording.recorder.stop
    monkeypatch.setattr(recording.recorder, "stop", lambda: (released.wait(), stop())[1])
    window.close()  # would never return if it waited
    assert not window.isVisible()
    device.hang.set()
    released.set()
    until_ended(recording)
    with Session(recording.path) as session:
        assert session.complete


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (59.96, "1:00.0"), (67.34, "1:07.3"), (3727.3, "1:02:07.3")],
)
def test_times_of_notes(qapp, qtbot, seconds: float, text: str) -> None:
    panel = NotesPanel(LIGHT)
    qtbot.addWidget(panel)
    panel.show_rows([NoteRow("a", seconds, "", None)])
    item = panel.table.item(0, 0)
    assert item is not None
    assert item.text() == text

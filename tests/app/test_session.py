"""Recording, notes and replay in the real window."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit

from app import settings as store
from app.panels.notes import NoteRow, NotesPanel
from app.session_notes import Notes
from app.session_recording import Recording
from app.session_replay import Replay
from app.sources import MICROPHONE, Choice
from app.theme import LIGHT
from kwscore.audio.source import SourceState
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.session import recorder as recorder_module
from kwscore.session.container import FRAMES, ChunkWriter, scan
from kwscore.session.notes import Note
from kwscore.session.reader import Session
from kwscore.session.recorder import Recorder
from kwscore.session.replay import verify
from kwscore.session.source import SessionSource
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.runner import Runner
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine, fast_files, tone

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where recordings go."""
    monkeypatch.setenv("KWSCOPE_RECORDINGS_DIR", str(tmp_path / "recordings"))
    monkeypatch.setattr(recorder_module, "RESERVE", 0)
    return tmp_path / "recordings"


def part(window, kind):
    return next(feature for feature in window.features if isinstance(feature, kind))


def sources(device: Device):
    """The fake microphone, and stored things as fast as they are read."""

    def build(choice: Choice):
        if choice.kind == "mic":
            return device
        return SessionSource(choice.value, "fast") if choice.value.endswith(".kwsession") else fast_files(choice)

    return build


def live(open_window: OpenWindow, qtbot, **parts: object):
    device = Device()
    window = open_window(MICROPHONE, build_source=sources(device), **parts)
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.feed.end > 100, timeout=60_000)
    return window, device


def recorded(window, qtbot) -> Path:
    """End the recording; the file once it is closed."""
    recording = part(window, Recording)
    qtbot.mouseClick(recording.button, LEFT)
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text(), timeout=60_000)
    assert recording.path is not None
    return recording.path


def make_session(path: Path, seconds: float = 9.0, every: int = 3, notes: tuple[Note, ...] = ()) -> Path:
    """A session of silence with a loud half second ``every`` so many seconds."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.int16)
    for second in range(every, int(seconds), every):
        samples[second * SAMPLE_RATE : second * SAMPLE_RATE + 8000] = tone(8000)

    class Once(Device):
        """Delivers the samples once."""

        def read(self, timeout: float = 0.0):
            block = samples[self._position : self._position + 1600]
            self._position += len(block)
            self.state = SourceState.RUNNING if self._position < len(samples) else SourceState.FINISHED
            return block

    source = Once()
    source.state = SourceState.RUNNING
    runner = Runner(source, LoudnessEngine(), Detector(DetectionSettings()))
    path.parent.mkdir(exist_ok=True)
    recorder = Recorder(path, reserve=0, patient=True)
    recorder.start()
    for note in notes:
        recorder.put_note(note)
    while not runner.finished:
        recorder.feed(runner.step(), runner)
    recorder.stop()
    return path


def replaying(open_window: OpenWindow, qtbot, path: Path, **parts: object):
    window = open_window(Choice("file", str(path)), **{"build_source": sources(Device()), **parts})
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: part(window, Replay).session is not None, timeout=60_000)
    return window, part(window, Replay)


def test_record_and_stop(open_window: OpenWindow, qtbot, folder: Path) -> None:
    window, device = live(open_window, qtbot)
    recording = part(window, Recording)
    assert recording.button.text() == "Record"
    before = window.feed.end
    qtbot.mouseClick(recording.button, LEFT)
    device.speak()
    qtbot.waitUntil(lambda: recording.button.text().startswith("Recording ") and recording.recorder.position > 64_000)
    assert recording.button.isChecked()
    assert recording.button.accessibleName() == "Stop recording"
    qtbot.waitUntil(lambda: len(window.log.model.rows) > 0, timeout=60_000)
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
    window = open_window(MICROPHONE, build_source=sources(device))
    qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    recording = part(window, Recording)
    qtbot.waitUntil(lambda: recording.recorder is not None and recording.recorder.position > 16_000, timeout=60_000)
    assert window.controller.running
    qtbot.keyClick(window, Qt.Key.Key_Space)  # listening ends, and with it the recording
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text(), timeout=60_000)
    assert not window.actions_by_name["record"].isChecked()
    with Session(recording.path) as session:
        assert session.complete
        assert session.segments[0].origin == 0


def test_a_reset_and_another_source_go_into_the_same_recording(open_window: OpenWindow, qtbot, sound: Path) -> None:
    window, _ = live(open_window, qtbot, settings=store.Settings(theme="light", pre_roll=0))
    recording = part(window, Recording)
    qtbot.mouseClick(recording.button, LEFT)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: recording.recorder.position > 64_000, timeout=60_000)
    window.listen_to(Choice("file", str(sound)))
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text(), timeout=60_000)  # the file has ended
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
    qtbot.mouseClick(recording.button, LEFT)
    qtbot.waitUntil(lambda: "The disk is full" in window.banner.text(), timeout=60_000)
    assert recording.recorder is None
    assert not recording.button.isChecked()
    held = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > held + 50, timeout=60_000)
    with Session(recording.path) as session:
        assert session.complete


def test_pins_and_notes_reach_list_plots_and_file(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    notes, panel = part(window, Notes), window.panels["notes"]
    qtbot.keyClick(window, Qt.Key.Key_P)
    pinned = window.feed.end
    recording = part(window, Recording)
    qtbot.mouseClick(recording.button, LEFT)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(panel.isVisible)
    editor = panel.table.findChild(QLineEdit)
    qtbot.keyClicks(editor, "a lorry")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: [row.text for row in panel.rows] == ["", "a lorry"], timeout=60_000)
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

    qtbot.waitUntil(stored, timeout=60_000)


def test_nothing_heard_nothing_pinned(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=sources(Device()))
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert "nothing to mark yet" in window.banner.text()


def test_a_session_is_replayed_with_its_words_and_notes(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession", notes=(Note(5 * SAMPLE_RATE, "here"),))
    window, replay = replaying(open_window, qtbot, path)
    qtbot.waitUntil(lambda: not window.controller.running, timeout=60_000)
    window.tick()
    assert replay.bar.isVisible()
    assert replay.strip.track.position == pytest.approx(9 * SAMPLE_RATE, abs=320)
    recorded_words = [m for m in window.feed.annotations(0, window.feed.end + 1) if m.kind == "recorded"]
    shown = window.feed._view
    assert shown is not None
    with Session(path) as session:
        assert len(session.events) == 2
        expected = [e.decided for e in session.events if window.feed.column_of(e.decided) > shown.start]
    assert [round((m.column - 1) * 160 + 512 - 1) for m in recorded_words] == pytest.approx(expected, abs=1)
    assert [mark.label for mark in window.feed.marks] == ["yes", "yes"]
    window.refresh_status()
    assert [row.text for row in window.panels["notes"].rows] == ["here"]


def test_a_click_on_the_strip_goes_there(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession", 60.0, 10)
    device = Device()

    def build(choice: Choice):
        return SessionSource(choice.value) if choice.kind == "file" else device

    window, replay = replaying(open_window, qtbot, path, build_source=build)
    window.tick()
    track = replay.strip.track
    qtbot.mouseClick(track, LEFT, pos=QPoint(round(track.x_of(41 * SAMPLE_RATE)), round(track.track.center().y())))
    qtbot.waitUntil(
        lambda: abs((track.position or 0) / SAMPLE_RATE - 41.5) < 2.5 and window.feed.end > 900, timeout=60_000
    )
    qtbot.waitUntil(lambda: len(window.feed.marks) == 1, timeout=60_000)  # the one at 40 s, in the lead
    held = window.feed.column_of(0)
    assert replay.column_of(40 * SAMPLE_RATE) is not None
    qtbot.keyClick(track, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.feed.column_of(0) != held, timeout=60_000)
    window.controller.stop()
    replay.seek(20 * SAMPLE_RATE)  # opened again
    qtbot.waitUntil(lambda: 19 < (track.position or 0) / SAMPLE_RATE < 24, timeout=60_000)


def test_a_note_on_a_replayed_session_is_stored_in_it(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")
    window, _ = replaying(open_window, qtbot, path)
    qtbot.waitUntil(lambda: not window.controller.running, timeout=60_000)
    window.show_moment(850)
    part(window, Notes).add("behind the second word")

    def stored() -> list[Note]:
        with Session(path) as session:
            return session.notes

    qtbot.waitUntil(lambda: len(stored()) == 1, timeout=60_000)
    (note,) = stored()
    middle = window.display.end - window.shown_columns() // 2
    assert note.position == pytest.approx(middle * 160, abs=800)
    assert [row.text for row in window.panels["notes"].rows] == ["behind the second word"]


def test_verify_says_whether_it_is_the_same(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")

    window, replay = replaying(open_window, qtbot, path)
    qtbot.mouseClick(replay.strip.verify_button, LEFT)
    qtbot.waitUntil(lambda: "cannot be had again" in window.banner.text(), timeout=60_000)
    replay._present_engine = lambda session: LoudnessEngine()
    qtbot.mouseClick(replay.strip.verify_button, LEFT)
    qtbot.waitUntil(lambda: "replays bit for bit" in window.banner.text(), timeout=60_000)
    with Session(path) as session:
        assert verify(session, LoudnessEngine()).equal


def test_verify_and_export_say_that_a_file_is_damaged(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")
    data = bytearray(path.read_bytes())
    frames = [chunk for chunk in scan(path).chunks if chunk.kind == FRAMES]
    data[frames[4].offset + 40] ^= 1
    path.write_bytes(data)
    window, replay = replaying(open_window, qtbot, path)
    replay._present_engine = lambda session: LoudnessEngine()
    qtbot.mouseClick(replay.strip.verify_button, LEFT)
    qtbot.waitUntil(lambda: "are equal" in window.banner.text(), timeout=60_000)
    assert "a.kwsession was damaged after it was recorded" in window.banner.text()
    window.banner.dismiss_all()
    replay.export_to(tmp_path / "a.csv", "telemetry_csv")
    qtbot.waitUntil(lambda: "was exported to" in window.banner.text(), timeout=60_000)
    assert "a.kwsession was damaged after it was recorded" in window.banner.text()


def test_export_from_the_strip(open_window: OpenWindow, qtbot, tmp_path: Path, monkeypatch) -> None:
    path = make_session(tmp_path / "a.kwsession")
    window, replay = replaying(open_window, qtbot, path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "words"), "Words (*.csv)"))
    qtbot.mouseClick(replay.strip.export_button, LEFT)
    qtbot.waitUntil(lambda: "was exported to" in window.banner.text(), timeout=60_000)
    assert (tmp_path / "words.csv").read_text().count("\n") == 3
    replay.export_to(tmp_path / "none" / "a.wav", "audio")
    qtbot.waitUntil(lambda: "cannot be written" in window.banner.text(), timeout=60_000)


def test_drop_opens_a_session(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")
    window, _ = live(open_window, qtbot)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    drop = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(drop)
    qtbot.waitUntil(lambda: part(window, Replay).session is not None, timeout=60_000)


def test_a_recording_that_was_cut_is_said_once_and_opens(open_window: OpenWindow, qtbot, folder: Path) -> None:
    whole = make_session(folder / "whole.kwsession")
    cut = folder / "cut.kwsession"
    cut.write_bytes(whole.read_bytes()[:-3000])
    window = open_window(MICROPHONE, build_source=sources(Device()))
    qtbot.waitUntil(lambda: "cut.kwsession was cut off while recording" in window.banner.text(), timeout=60_000)
    assert "whole.kwsession" not in window.banner.text()
    with Session(cut) as session:
        assert session.complete
    again = open_window(MICROPHONE, build_source=sources(Device()))
    part(again, Recording)._look_for_cut()
    again.tick()
    assert "cut off" not in again.banner.text()


def test_closing_the_window_closes_the_file(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    recording = part(window, Recording)
    qtbot.mouseClick(recording.button, LEFT)
    qtbot.waitUntil(lambda: recording.recorder.position > 16_000, timeout=60_000)
    window.close()
    with Session(recording.path) as session:
        assert session.complete


def test_what_is_no_session_is_said(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = tmp_path / "a.kwsession"
    path.write_bytes(b"no session at all")
    window = open_window(Choice("file", str(path)), build_source=sources(Device()))
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: "is no session" in window.banner.text(), timeout=60_000)
    with pytest.raises(KWScopeError):
        Session(path)


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

"""The false-accept run in the real window."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app import settings as store
from app.session_replay import Replay
from app.sources import Choice
from app.watch import Watch
from app.watch_dialog import LISTED, Word
from kwscore.audio.source import SourceState
from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.session import recorder as recorder_module
from kwscore.session.accepts import report, table
from kwscore.session.container import ChunkWriter
from kwscore.session.reader import Session
from kwscore.stream.detection import DetectionSettings
from tests.app.conftest import OpenWindow
from tests.app.fakes import LoudnessEngine
from tests.app.handling import LEFT, click, live, part, trigger
from tests.stream.fakes import PATIENCE


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs go."""
    monkeypatch.setenv("KWSCOPE_RECORDINGS_DIR", str(tmp_path / "recordings"))
    monkeypatch.setattr(recorder_module, "RESERVE", 0)
    return tmp_path / "recordings"


def watching(open_window: OpenWindow, qtbot, **parts):
    """A window that hears a microphone in a false-accept run, begun with its key."""
    window, device = live(open_window, qtbot, **parts)
    watch = part(window, Watch)
    qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: watch.run is not None and watch.run.recorder.position > SAMPLE_RATE)
    return window, device, watch


def say(watch: Any, device, qtbot, words: int = 1) -> None:
    """So that ``words`` more are reported, each after a pause."""
    for _ in range(words):
        before, heard = watch.run.tally.standing().reported, watch.run.recorder.position
        qtbot.waitUntil(lambda heard=heard: watch.run.recorder.position > heard + 4 * SAMPLE_RATE)
        device.speak()
        qtbot.waitUntil(lambda before=before: watch.run.tally.standing().reported > before)
        device.speak(False)


def ended(window, watch: Any, qtbot) -> Path:
    """End the run; its file once it is closed."""
    click(qtbot, watch.dialog.run_button)
    qtbot.waitUntil(lambda: "The false-accept run heard" in window.banner.text())
    return watch.last.recorder.path


def test_a_run_is_shown_live_and_its_file_says_the_same(open_window: OpenWindow, qtbot, folder: Path) -> None:
    window, device, watch = watching(open_window, qtbot)
    dialog = watch.dialog
    assert watch.action.isChecked()
    assert dialog.isVisible()
    assert not dialog.open_button.isEnabled()
    say(watch, device, qtbot, words=3)
    qtbot.waitUntil(lambda: dialog.list.rowCount() >= 3)
    assert dialog.list.item(0, 1).text() == "yes"
    assert dialog.state.text().startswith("Listening for ")
    assert "words reported" in dialog.figures.text()
    assert "every report counts as a false accept" in dialog.sentence.text()
    assert "False-accept run " in window.status.fields["watch"].text()
    assert window.status.fields["watch"].isVisible()
    path = ended(window, watch, qtbot)
    assert path.parent == folder
    assert path.name.startswith("watch-")
    assert not watch.action.isChecked()
    assert window.status.fields["watch"].text() == ""
    assert dialog.state.text().startswith("Ended after ")
    with Session(path) as session:
        assert session.complete
        assert session.spans
        assert sum(end - start for start, end in session.kept) < session.length
        assert all(any(a <= event.decided < b for a, b in session.kept) for event in session.events)
        made = table(report(session))
        positions = [event.decided for event in session.events]
    assert [word.position for word in watch.dialog.words] == positions[::-1]
    shown = [
        tuple(dialog.table.item(row, column).text() for column in range(dialog.table.columnCount()))
        for row in range(dialog.table.rowCount())
    ]
    assert shown == made[1:]
    click(qtbot, dialog.copy_button)
    assert QApplication.clipboard().text().splitlines()[0] == "\t".join(made[0])
    assert window.controller.running


def test_a_click_shows_the_moment_then_and_afterwards(open_window: OpenWindow, qtbot) -> None:
    window, device, watch = watching(open_window, qtbot)
    dialog = watch.dialog
    say(watch, device, qtbot)
    qtbot.waitUntil(lambda: dialog.list.rowCount() > 0 and len(window.log.model.rows) > 0)
    newest = window.log.model.rows[-1]
    assert dialog.words[0].column == newest.column

    def choose() -> None:
        spot = dialog.list.visualItemRect(dialog.list.item(0, 0)).center()
        qtbot.mouseClick(dialog.list.viewport(), LEFT, pos=spot)

    choose()
    assert window.display.frozen
    assert "“yes”, decided at" in window.banner.text()
    window.do_live()
    window.actions_by_name["reset"].trigger()  # the plots begin anew, the run goes on
    qtbot.waitUntil(lambda: dialog.words[0].history() is not window.controller.worker.history)
    choose()
    assert "no longer hold that moment" in window.banner.text()
    assert watch.run is not None
    path, word = ended(window, watch, qtbot), dialog.words[0]
    choose()
    replay = part(window, Replay)
    qtbot.waitUntil(lambda: replay.source is not None and replay.source.path == path)
    qtbot.waitUntil(lambda: replay.position_of(window.feed.end) > word.position)
    assert window.controller.choice == Choice("file", str(path))


def test_the_menu_the_dialog_and_the_status_bar(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    watch = part(window, Watch)
    trigger(window.toolbar.view_button.menu(), "False-accept run")
    qtbot.waitUntil(lambda: watch.run is not None and watch.run.recorder.position > SAMPLE_RATE)
    click(qtbot, watch.dialog.close_button)
    assert not watch.dialog.isVisible()
    assert watch.run is not None
    window.status.fields["watch"].linkActivated.emit("watch")
    assert watch.dialog.isVisible()
    first = ended(window, watch, qtbot)
    assert watch.dialog.run_button.text() == "Start a new run"
    click(qtbot, watch.dialog.run_button)
    qtbot.waitUntil(lambda: watch.run is not None and watch.run.recorder.position > SAMPLE_RATE)
    assert watch.last.recorder.path != first
    qtbot.keyClick(watch.dialog, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert watch.run is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda window: window.controller.set_detection(DetectionSettings(smoothing_ms=50)), "settings were changed"),
        (lambda window: window.controller.set_detection(DetectionSettings(threshold=0.1)), "settings were changed"),
    ],
    ids=["smoothing", "below what is kept"],
)
def test_what_would_spoil_the_figures_ends_the_run(open_window: OpenWindow, qtbot, change, sentence: str) -> None:
    window, device, watch = watching(open_window, qtbot)
    say(watch, device, qtbot)
    change(window)
    qtbot.waitUntil(lambda: sentence in window.banner.text())
    assert watch.run is None
    with Session(watch.last.recorder.path) as session:
        assert report(session).reported == 1


def test_another_threshold_goes_into_the_same_run(open_window: OpenWindow, qtbot) -> None:
    window, device, watch = watching(open_window, qtbot)
    window.controller.set_detection(DetectionSettings(threshold=0.7))
    say(watch, device, qtbot)
    with Session(ended(window, watch, qtbot)) as session:
        assert report(session).reported == 1


def test_another_source_ends_the_run(open_window: OpenWindow, qtbot, sound: Path) -> None:
    window, _, watch = watching(open_window, qtbot)
    window.listen_to(Choice("file", str(sound)))
    qtbot.waitUntil(lambda: "another source was chosen" in window.banner.text())
    with Session(watch.last.recorder.path) as session:
        assert session.complete
        assert {segment.source["name"] for segment in session.segments} == {"Fake microphone"}


def test_another_network_ends_the_run(open_window: OpenWindow, qtbot) -> None:
    engines = {"": LoudnessEngine(), "other": LoudnessEngine("Other")}
    engines["other"].model_hash = "ba9876543210"
    window, _, watch = watching(open_window, qtbot, load_engine=lambda name, say: (engines[name], (-50.0, -8.0)))
    window.controller.set_network("other")
    qtbot.waitUntil(lambda: "another network was chosen" in window.banner.text())
    with Session(watch.last.recorder.path) as session:
        assert {segment.engine["hash"] for segment in session.segments} == {"0123456789ab"}


def test_a_lost_microphone_keeps_what_was_heard(open_window: OpenWindow, qtbot) -> None:
    window, device, watch = watching(open_window, qtbot)
    say(watch, device, qtbot)
    device.state = SourceState.LOST
    qtbot.waitUntil(lambda: "is gone; trying to open it again" in window.banner.text())
    held = watch.run.recorder.position
    device.state = SourceState.RUNNING  # it is back: the same run goes on
    qtbot.waitUntil(lambda: watch.run.recorder.position > held + SAMPLE_RATE)
    click(qtbot, window.toolbar.run_button)  # stopping to listen ends the run
    qtbot.waitUntil(lambda: "The false-accept run heard" in window.banner.text())
    with Session(watch.last.recorder.path) as session:
        assert session.complete
        assert len(session.events) == 1
        assert session.length == watch.last.recorder.position


def test_a_full_disk_ends_the_run_and_nothing_else(
    open_window: OpenWindow, qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self, data: bytes) -> None:
        if self.size + len(data) > 60_000:
            raise OSError(28, os.strerror(28))
        write(self, data)

    write = ChunkWriter._write
    monkeypatch.setattr(ChunkWriter, "_write", full)
    window, device, watch = watching(open_window, qtbot)
    device.speak()
    qtbot.waitUntil(lambda: "The disk is full" in window.banner.text())
    assert watch.run is None
    assert "The disk is full" in watch.dialog.sentence.text()
    assert watch.dialog.open_button.isEnabled()
    held = window.feed.end
    qtbot.waitUntil(lambda: window.feed.end > held + 50)
    with Session(watch.last.recorder.path) as session:
        assert session.complete
        assert session.kept


def test_a_folder_that_cannot_be_written_is_said(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    window, _ = live(open_window, qtbot, settings=store.Settings(theme="light", recordings=str(blocked / "inside")))
    window.actions_by_name["watch"].trigger()
    assert "cannot be made" in window.banner.text()
    assert not window.actions_by_name["watch"].isChecked()
    assert window.controller.running


def test_closing_the_window_closes_the_file(open_window: OpenWindow, qtbot) -> None:
    window, device, watch = watching(open_window, qtbot)
    say(watch, device, qtbot)
    window.close()
    watch._ending.join(PATIENCE)
    with Session(watch.last.recorder.path) as session:
        assert session.complete
        assert len(session.events) == 1


def test_the_list_keeps_the_newest(open_window: OpenWindow, qtbot) -> None:
    _window, _, watch = watching(open_window, qtbot)
    words = [Word(n * 16_000, WORDS[n % 10], 0.9, 0, ref(watch)) for n in range(LISTED + 20)]
    watch.dialog.add(words)
    assert watch.dialog.list.rowCount() == LISTED == len(watch.dialog.words)
    assert watch.dialog.words[0] is words[-1]

"""Replay in the real window: words, notes, the strip, verifying and exporting."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog

from app.session_notes import Notes
from app.session_replay import Replay
from app.sources import Choice
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.session.container import FRAMES, scan
from kwscore.session.notes import Note
from kwscore.session.reader import Session
from kwscore.session.replay import verify
from kwscore.session.source import SessionSource
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine
from tests.app.handling import LEFT, live, microphone_or_file, part
from tests.app.sessions import make_session, replaying


def test_a_session_is_replayed_with_its_words_and_notes(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession", notes=(Note(5 * SAMPLE_RATE, "here"),))
    window, replay = replaying(open_window, qtbot, path)
    qtbot.waitUntil(lambda: not window.controller.running)
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
    qtbot.waitUntil(lambda: len(window.feed.marks) == 1)  # the one at 40 s, in the lead
    held = window.feed.column_of(0)
    assert replay.column_of(40 * SAMPLE_RATE) is not None
    qtbot.keyClick(track, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.feed.column_of(0) != held)
    window.controller.stop()
    replay.seek(20 * SAMPLE_RATE)  # opened again
    qtbot.waitUntil(lambda: 19 < (track.position or 0) / SAMPLE_RATE < 24)


def test_a_note_on_a_replayed_session_is_stored_in_it(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")
    window, _ = replaying(open_window, qtbot, path)
    qtbot.waitUntil(lambda: not window.controller.running)
    window.show_moment(850)
    part(window, Notes).add("behind the second word")

    def stored() -> list[Note]:
        with Session(path) as session:
            return session.notes

    qtbot.waitUntil(lambda: len(stored()) == 1)
    (note,) = stored()
    middle = window.display.end - window.shown_columns() // 2
    assert note.position == pytest.approx(middle * 160, abs=800)
    assert [row.text for row in window.panels["notes"].rows] == ["behind the second word"]


def test_verify_says_whether_it_is_the_same(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")

    window, replay = replaying(open_window, qtbot, path)
    qtbot.mouseClick(replay.strip.verify_button, LEFT)
    qtbot.waitUntil(lambda: "cannot be had again" in window.banner.text())
    replay._present_engine = lambda session: LoudnessEngine()
    qtbot.mouseClick(replay.strip.verify_button, LEFT)
    qtbot.waitUntil(lambda: "replays bit for bit" in window.banner.text())
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
    qtbot.waitUntil(lambda: "are equal" in window.banner.text())
    assert "a.kwsession was damaged after it was recorded" in window.banner.text()
    window.banner.dismiss_all()
    replay.export_to(tmp_path / "a.csv", "telemetry_csv")
    qtbot.waitUntil(lambda: "was exported to" in window.banner.text())
    assert "a.kwsession was damaged after it was recorded" in window.banner.text()


def test_export_from_the_strip(open_window: OpenWindow, qtbot, tmp_path: Path, monkeypatch) -> None:
    path = make_session(tmp_path / "a.kwsession")
    window, replay = replaying(open_window, qtbot, path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "words"), "Words (*.csv)"))
    qtbot.mouseClick(replay.strip.export_button, LEFT)
    qtbot.waitUntil(lambda: "was exported to" in window.banner.text())
    assert (tmp_path / "words.csv").read_text().count("\n") == 3
    replay.export_to(tmp_path / "none" / "a.wav", "audio")
    qtbot.waitUntil(lambda: "cannot be written" in window.banner.text())


def test_drop_opens_a_session(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.kwsession")
    window, _ = live(open_window, qtbot)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    drop = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(drop)
    qtbot.waitUntil(lambda: part(window, Replay).session is not None)


def test_what_is_no_session_is_said(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    path = tmp_path / "a.kwsession"
    path.write_bytes(b"no session at all")
    window = open_window(Choice("file", str(path)), build_source=microphone_or_file(Device()))
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: "is no session" in window.banner.text())
    with pytest.raises(KWScopeError):
        Session(path)

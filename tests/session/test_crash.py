"""Whatever happens to the end or the middle of a file: what is complete opens, and what is missing is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kwscore.errors import KWScopeError
from kwscore.session.container import AUDIO, scan
from kwscore.session.notes import Note
from kwscore.session.reader import Session, finish_cut
from kwscore.session.replay import verify
from kwscore.session.source import SessionSource
from kwscore.stream import StreamEngine
from tests.session.conftest import record

PCM = NDArray[np.int16]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, float_engine: StreamEngine, speech: PCM) -> Path:
    return record(tmp_path_factory.mktemp("whole") / "a.kwsession", float_engine, speech, pre_roll=1.0, begin=10)


def opened(path: Path) -> Session | str:
    """The session, or the sentence that refuses it."""
    try:
        return Session(path)
    except KWScopeError as error:
        return str(error)


def test_killed_in_the_middle(tmp_path: Path, repository: Path, float_engine: StreamEngine) -> None:
    path = tmp_path / "a.kwsession"
    command = [sys.executable, "-m", "tests.session.crash_child", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        written = 0
        for line in child.stdout:
            written = int(line)
            if written >= 60_000:
                break
        with Session(path) as session:  # while it is being recorded
            assert session.active
            assert "still being recorded" in session.trouble
            with pytest.raises(KWScopeError, match="still being recorded"):
                session.add_note(Note(0, "not yet"))
        os.kill(child.pid, signal.SIGKILL)
    with Session(path) as session:
        assert not session.complete
        assert not session.active
        assert session.length >= written
        assert f"{path.name} was cut off while recording: its first" in session.trouble
        verdict = verify(session, float_engine)
        assert verdict.equal
        assert verdict.frames == session.rows
        assert session.rows * 160 >= written - 2 * 16_000
    assert finish_cut(path)
    assert finish_cut(path) == ""
    with Session(path) as session:
        assert session.complete
        assert verify(session, float_engine).equal
        session.add_note(Note(7, "it went on"))
    with Session(path) as session:
        assert [note.text for note in session.notes] == ["it went on"]


@given(share=st.floats(0, 1))
@settings(max_examples=25)
def test_cut_anywhere(tmp_path_factory, whole: Path, speech: PCM, share: float) -> None:
    data = whole.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "a.kwsession"
    path.write_bytes(data[: round(share * (len(data) - 1))])
    session = opened(path)
    if isinstance(session, str):
        assert path.stat().st_size < 3000
        assert "no session" in session or "lost its beginning" in session
        return
    with session, Session(whole) as complete:
        assert np.array_equal(session.audio(), complete.audio(0, session.length))
        assert session.events == [event for event in complete.events if event.decided < session.length]
        if not session.complete:
            assert "was cut off" in session.trouble
            assert session.trouble.count(". ") == 0


@given(share=st.floats(0, 1), bit=st.integers(0, 7))
@settings(max_examples=25)
def test_one_bit_wrong_anywhere(tmp_path_factory, whole: Path, share: float, bit: int) -> None:
    data = bytearray(whole.read_bytes())
    at = round(share * (len(data) - 1))
    data[at] ^= 1 << bit
    path = tmp_path_factory.mktemp("bit") / "a.kwsession"
    path.write_bytes(data)
    session = opened(path)
    if isinstance(session, str):
        assert at < 3000
        assert path.name in session
        return
    with session, Session(whole) as complete:
        assert session.check() != ""
        there = complete.audio()
        found = session.audio()
        lacking = np.flatnonzero(found != there[: len(found)])
        if len(lacking):  # no more than one chunk, and zeros in its place
            assert lacking[-1] - lacking[0] < 16_000 + 3000
            assert not found[lacking].any()
        rows = sum(len(block) for block in session.frames())
        assert complete.rows - 120 <= rows <= complete.rows


def test_damage_is_said_as_soon_as_it_is_heard(tmp_path: Path, whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    sound = [chunk for chunk in scan(whole).chunks if chunk.kind == AUDIO]
    data[sound[5].offset + sound[5].length // 2] ^= 1
    (path := tmp_path / "a.kwsession").write_bytes(data)
    now = [0.0]
    source = SessionSource(path, clock=lambda: now[0])
    source.start()
    said = []
    for _ in range(sound[6].first // 1600):
        now[0] += 0.1
        source.read()
        said.append(source.status().message)
    source.stop()
    assert said[sound[5].first // 1600 - 2] == ""
    assert "a.kwsession was damaged after it was recorded" in said[-1]


def test_a_power_cut_leaves_zeros_at_the_end(tmp_path: Path, whole: Path) -> None:
    data = whole.read_bytes()
    last = [chunk for chunk in scan(whole).chunks if chunk.kind == b"AUDI"][-1]
    path = tmp_path / "a.kwsession"
    path.write_bytes(data[: last.offset + 100] + bytes(last.length - 100))
    with Session(path) as session, Session(whole) as complete:
        assert session.length == last.first
        assert np.array_equal(session.audio(), complete.audio(0, last.first))
        assert "were not complete" in session.trouble


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "no session"), (b"RIFF1234", "no session"), (b"KWSESS\x00\x09", "newer KWScope"), (None, "is a folder")],
)
def test_what_is_no_session_is_refused_with_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "a.kwsession"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(KWScopeError, match=sentence):
        Session(path)
    with pytest.raises(KWScopeError, match="There is no session"):
        Session(tmp_path / "b.kwsession")

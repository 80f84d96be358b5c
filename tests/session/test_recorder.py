"""What is recorded comes back whole, and the same engine gives it again bit for bit."""

from __future__ import annotations

import csv
import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.fixed.engine import FixedEngine
from kwscore.session.container import ChunkWriter
from kwscore.session.export import parquet, telemetry_csv
from kwscore.session.reader import Session
from kwscore.session.recorder import Recorder
from kwscore.session.replay import compare, verify
from kwscore.session.tap import PreRoll
from kwscore.stream import StreamEngine
from kwscore.stream.calibrator import Calibrator
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.runner import Runner
from tests.session.conftest import SETTINGS, record
from tests.stream.fakes import Blocks
from tests.stream.nets import random_net

PCM = NDArray[np.int16]


def test_sound_frames_and_words_come_back(tmp_path: Path, float_engine: StreamEngine, speech: PCM) -> None:
    path = record(tmp_path / "a.kwsession", float_engine, speech, about={"remark": "on a table"})
    runner = Runner(Blocks([speech]), float_engine, Detector(SETTINGS))
    batch = runner.step()
    with Session(path) as session:
        assert session.complete
        assert session.trouble == ""
        assert session.header["remark"] == "on a table"
        assert session.header["versions"]["kernels"]
        assert np.array_equal(session.audio(), speech)
        assert np.array_equal(session.audio(12_345, 54_321), speech[12_345:54_321])
        assert session.events == batch.events
        assert batch.events
        blocks = list(session.frames())
        assert [b.frame[0] for b in blocks[1:]] == [b.frame[-1] + 1 for b in blocks[:-1]]
        for name in ("mel", "snr", "routing", "delta", "logits"):
            stored = np.concatenate([block.columns[name] for block in blocks])
            assert stored.tobytes() == np.stack([getattr(r, name) for r in batch.telemetry]).tobytes()
        assert np.concatenate([b.posteriors for b in blocks]).tobytes() == batch.posteriors.tobytes()
        (segment,) = session.segments
        assert (segment.start, segment.end, segment.origin) == (0, len(speech), 0)
        assert segment.engine["hash"] == float_engine.model_hash
        assert segment.engine["kind"] == "float"


@given(
    begin=st.integers(0, 40),
    pre_roll=st.sampled_from([None, 0.0, 0.3, 2.0, 60.0]),
    reset=st.integers(0, 69),
    detail=st.sampled_from(["full", "brief"]),
)
@settings(max_examples=8)
def test_the_same_engine_replays_bit_for_bit(
    tmp_path_factory,
    float_engine: StreamEngine,
    speech: PCM,
    begin: int,
    pre_roll: float | None,
    reset: int,
    detail: str,
) -> None:
    """Begun anywhere, with or without the seconds before, with a reset and other settings in the middle."""

    def hook(step: int, runner: Runner, _: Recorder) -> None:
        if step == reset:
            runner.reset()
        if step == 50:
            runner.detector.settings = DetectionSettings(smoothing_ms=90, threshold=0.11, minimum_ms=20, release=0.98)

    path = tmp_path_factory.mktemp("s") / "a.kwsession"
    record(path, float_engine, speech, begin=begin, pre_roll=pre_roll, hook=hook, detail=detail)
    with Session(path) as session:
        verdict = verify(session, float_engine)
        assert verdict.difference == ""
        assert verdict.events
        # begun in the middle of a stream that nobody followed, the first batch has no known past
        assert verdict.unchecked <= (0 if begin == 0 or (pre_roll is not None and begin != reset) else 20)
        assert verdict.frames + verdict.unchecked == session.rows
        assert session.rows >= session.length // 160 - 4
        assert session.events


def test_pre_roll_begins_before_the_button(tmp_path: Path, float_engine: StreamEngine, speech: PCM) -> None:
    path = record(tmp_path / "a.kwsession", float_engine, speech, begin=60, pre_roll=3.0)
    at = sum(len(block) for block in np.array_split(speech, 70)[:60])
    with Session(path) as session:
        before = session.header["pre_roll"]
        assert 3 * 16_000 <= before < 4.2 * 16_000
        assert np.array_equal(session.audio(), speech[at - before :])


@pytest.mark.parametrize("field", ["snr", "posteriors", "logits"])
def test_a_single_changed_bit_is_found(tmp_path: Path, float_engine: StreamEngine, speech: PCM, field: str) -> None:
    runner = Runner(Blocks(np.array_split(speech, 70)), float_engine, Detector(SETTINGS))
    recorder = Recorder(tmp_path / "a.kwsession", patient=True, reserve=0)
    recorder.start()
    spoilt = -1
    for number in range(70):
        batch = runner.step()
        if number >= 30 and spoilt < 0 and batch.telemetry:
            row = batch.posteriors[0] if field == "posteriors" else getattr(batch.telemetry[0], field)
            row.view(np.uint32)[3] ^= 1
            spoilt = batch.telemetry[0].frame
        recorder.feed(batch, runner)
    recorder.stop()
    with Session(recorder.path) as session:
        verdict = verify(session, float_engine)
    assert not verdict.equal
    assert verdict.difference.startswith(f"Frame {spoilt} at ")
    assert f"differs in {field}" in verdict.difference
    assert verdict.frames == spoilt


def test_another_network_is_compared_and_not_taken_for_the_same(
    tmp_path: Path, float_engine: StreamEngine, speech: PCM
) -> None:
    path = record(tmp_path / "a.kwsession", float_engine, speech)
    other = StreamEngine(random_net("NanoMamba-Tiny", seed=1))
    with Session(path) as session:
        with pytest.raises(KWScopeError, match="not with NanoMamba-Tiny"):
            verify(session, other)
        same, different = compare(session, float_engine), compare(session, other)
        assert (same.agreement, same.largest, same.matched) == (1.0, 0.0, len(session.events))
        assert (same.only_new, same.only_recorded) == ([], [])
        assert different.frames == session.rows
        assert different.largest > 0
        assert different.agreement < 1
        assert different.largest_at < session.length
        assert different.matched + len(different.only_recorded) == len(session.events)


def test_engine_and_source_may_change_while_recording(tmp_path: Path, float_engine: StreamEngine, speech: PCM) -> None:
    other = StreamEngine(random_net("NanoMamba-Tiny", seed=1))
    recorder = Recorder(tmp_path / "a.kwsession", patient=True, reserve=0)
    first = Runner(Blocks(np.array_split(speech[:60_001], 20)), float_engine, Detector(SETTINGS))
    recorder.start()
    for number in range(20):
        if number == 11:
            first.swap(engine=other)
        recorder.feed(first.step(), first)
    second = Runner(Blocks(np.array_split(speech[60_001:], 20)), float_engine, Detector(SETTINGS))
    for _ in range(20):
        recorder.feed(second.step(), second)
    recorder.stop()
    with Session(recorder.path) as session:
        assert np.array_equal(session.audio(), speech)
        assert [s.engine["name"] for s in session.segments] == [float_engine.name, other.name, float_engine.name]
        assert session.segments[2].origin == session.segments[2].start == 60_001
        mine, others = verify(session, float_engine), verify(session, other)
        assert mine.equal
        assert others.equal
        assert mine.frames + others.frames == session.rows
        assert mine.unchecked == others.frames
        with telemetry_csv(session, tmp_path / "a.csv").open(encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == session.rows
        told = [line["routing_00"] != "" for line in lines]
        assert told.count(False) == others.frames, "networks without routing leave its columns empty"
        pq = pytest.importorskip("pyarrow.parquet")
        stored = pq.read_table(parquet(session, tmp_path / "a.parquet")).column("routing_00").to_numpy()
    assert [not np.isnan(value) for value in stored] == told


def test_the_engine_thread_never_waits_for_a_disk_that_hangs(
    tmp_path: Path, float_engine: StreamEngine, speech: PCM
) -> None:
    hang = threading.Event()

    class Hanging(ChunkWriter):
        def append(self, kind: bytes, first: int, count: int, payload: bytes) -> None:
            hang.wait()
            super().append(kind, first, count, payload)

    runner = Runner(Blocks(np.array_split(speech, 30)), float_engine, Detector(SETTINGS))
    recorder = Recorder(tmp_path / "a.kwsession", reserve=0, open_writer=Hanging)
    recorder.start()
    for _ in range(30):  # would never end if feeding waited
        recorder.feed(runner.step(), runner)
    assert recorder.progress().written == 0
    hang.set()
    assert recorder.stop().written == len(speech)
    with Session(recorder.path) as session:
        assert np.array_equal(session.audio(), speech)


def test_a_disk_too_slow_for_a_minute_ends_the_recording(tmp_path: Path, float_engine: StreamEngine) -> None:
    hang = threading.Event()

    class Hanging(ChunkWriter):
        def append(self, kind: bytes, first: int, count: int, payload: bytes) -> None:
            hang.wait()
            super().append(kind, first, count, payload)

    silence = np.zeros(62 * 16_000, np.int16)
    runner = Runner(Blocks(np.array_split(silence, 62)), float_engine, Detector(SETTINGS))
    recorder = Recorder(tmp_path / "a.kwsession", reserve=0, open_writer=Hanging)
    recorder.start()
    for _ in range(62):
        recorder.feed(runner.step(), runner)
    assert not recorder.recording
    assert "too slow" in recorder.progress().message
    hang.set()
    recorder.stop()


@pytest.mark.parametrize("room", [3_000, 20_000, 150_000])
def test_a_full_disk_ends_with_one_sentence_and_keeps_what_was_written(
    tmp_path: Path, float_engine: StreamEngine, speech: PCM, room: int
) -> None:
    class Small(ChunkWriter):
        """A disk with ``room`` bytes: a write that does not fit is done in part, as disks do."""

        def _write(self, data: bytes) -> None:
            left = room - self.size
            if len(data) <= left:
                super()._write(data)
                return
            begin = self.size
            super()._write(data[: max(left, 0)])
            self.truncate(begin)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = record(tmp_path / "a.kwsession", float_engine, speech, open_writer=Small)
    with Session(path) as session:
        assert session.complete
        assert "The disk is full" in session.ending["reason"]
        assert session.ending["reason"].count(".") <= 2  # one sentence, and the dot of the file's name
        assert session.ending["samples"] == session.length or room == 3_000
        assert np.array_equal(session.audio(), speech[: session.length])
        if session.rows:
            assert verify(session, float_engine).difference == ""


def test_a_limit_ends_the_recording(tmp_path: Path, float_engine: StreamEngine) -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 16_000 * 40).astype(np.int16)
    source = Blocks(np.array_split(noise, 400))
    runner = Runner(source, float_engine, Detector(SETTINGS))
    recorder = Recorder(tmp_path / "a.kwsession", reserve=0, limit=400_000, patient=True)
    recorder.start()
    while recorder.recording and not runner.finished:
        recorder.feed(runner.step(), runner)
    assert "limit of 0 MB" in recorder.stop().message
    assert recorder.path.stat().st_size < 600_000


def test_the_file_must_be_new_and_writable(tmp_path: Path) -> None:
    (tmp_path / "a.kwsession").touch()
    with pytest.raises(KWScopeError, match="exists already"):
        Recorder(tmp_path / "a.kwsession")
    with pytest.raises(KWScopeError, match="another folder"):
        Recorder(tmp_path / "none" / "a.kwsession", reserve=0)
    with pytest.raises(KWScopeError, match="make room"):
        Recorder(tmp_path / "b.kwsession", reserve=1 << 60)
    with pytest.raises(KWScopeError, match="no detail"):
        Recorder(tmp_path / "b.kwsession", detail="some")


def test_notes_and_pins(tmp_path: Path, float_engine: StreamEngine, speech: PCM) -> None:
    def hook(step: int, runner: Runner, recorder: Recorder) -> None:
        if step == 20:
            recorder.note("the lorry\n passes", 16_000)
            recorder.note()

    path = record(tmp_path / "a.kwsession", float_engine, speech, hook=hook)
    with Session(path) as session:
        first, second = session.notes
        assert (first.position, first.text) == (16_000, "the lorry passes")
        assert second.text == ""
        assert second.position == sum(len(block) for block in np.array_split(speech, 70)[:20])
        session.add_note(type(first)(5, "later"))
        session.add_note(type(first)(first.position, "", id=first.id, deleted=True))
    with Session(path) as session:
        assert session.complete
        assert [note.text for note in session.notes] == ["later", ""]
        assert verify(session, float_engine).equal


def test_a_calibration_in_the_middle_is_replayed(tmp_path: Path, float_engine: StreamEngine, speech: PCM) -> None:
    own = float_engine.calibration

    def hook(step: int, runner: Runner, _: Recorder) -> None:
        if step == 35:
            float_engine.calibration = own * np.float32(1.3)

    path = record(tmp_path / "a.kwsession", float_engine, speech, hook=hook)
    float_engine.calibration = own
    with Session(path) as session:
        assert [change.position > 0 for change in session.changes if change.what == "calibration"] == [False, True]
        assert verify(session, float_engine).equal
        assert np.array_equal(float_engine.calibration, own)
        assert compare(session, float_engine).largest == 0


def test_what_was_measured_is_recorded_where_it_began_and_ended(
    tmp_path: Path, float_engine: StreamEngine, speech: PCM
) -> None:
    calibrator = Calibrator(float_engine)
    calibrator.add(speech[: 2 * SAMPLE_RATE])
    steps = np.cumsum([0, *(len(block) for block in np.array_split(speech, 70))])

    def hook(step: int, runner: Runner, _: Recorder) -> None:
        if step == 30:
            calibrator.apply(3.0)
        if step == 50:
            calibrator.undo()

    path = record(tmp_path / "a.kwsession", float_engine, speech, hook=hook)
    assert float_engine.calibrated is None
    with Session(path) as session:
        began, ended = [change for change in session.changes if change.what == "calibrated"]
        assert (began.position, ended.position, ended.to) == (steps[30], steps[50], None)
        assert (began.to["snr_db"], began.to["model_hash"]) == (3.0, float_engine.model_hash)
        assert len(began.to["noise"]["spectrum_dbfs"]) == 257
        constants = [change for change in session.changes if change.what == "calibration"]
        assert [change.position for change in constants] == [0, steps[30], steps[50]]
        np.testing.assert_allclose(constants[1].to, began.to["after"], rtol=1e-6)
        assert constants[2].to == constants[0].to
        verdict = verify(session, float_engine)
        assert (verdict.equal, verdict.unchecked, verdict.frames) == (True, 0, session.rows)


def test_a_calibration_right_after_the_first_state_is_replayed(
    tmp_path: Path, float_engine: StreamEngine, speech: PCM
) -> None:
    """Begun in the middle of a stream without the seconds before, the replay starts where the state was stored."""
    own = float_engine.calibration

    def hook(step: int, runner: Runner, _: Recorder) -> None:
        if step == 31:
            float_engine.calibration = own * np.float32(0.5)

    path = record(tmp_path / "a.kwsession", float_engine, speech, begin=30, hook=hook)
    float_engine.calibration = own
    with Session(path) as session:
        assert session.segments[0].origin < 0
        verdict = verify(session, float_engine)
        assert verdict.difference == ""
        assert verdict.frames == session.rows - verdict.unchecked > 500


def test_constants_of_two_networks_are_kept_apart(tmp_path: Path, float_engine: StreamEngine, speech: PCM) -> None:
    other = StreamEngine(random_net("NanoMamba-Tiny-DualPCEN", seed=5, layers=1))
    assert other.blocks != float_engine.blocks

    def hook(step: int, runner: Runner, _: Recorder) -> None:
        if step == 35:
            other.calibration = other.calibration * np.float32(1.2)
            runner.swap(engine=other)

    path = record(tmp_path / "a.kwsession", float_engine, speech, hook=hook)
    with Session(path) as session:
        assert [segment.engine["hash"] for segment in session.segments] == [float_engine.model_hash, other.model_hash]
        for engine in (float_engine, other):
            verdict = verify(session, engine)
            assert (verdict.difference, verdict.frames + verdict.unchecked) == ("", session.rows)
            assert verdict.frames > 500


def test_an_integer_engine_replays_bit_for_bit_and_a_reference_is_named(
    tmp_path: Path, float_net, float_engine: StreamEngine, speech: PCM
) -> None:
    integer = FixedEngine(float_net)
    runner = Runner(Blocks(np.array_split(speech, 40)), integer, Detector(SETTINGS), reference=float_engine)
    recorder = Recorder(tmp_path / "a.kwsession", patient=True, reserve=0)
    before = PreRoll(0.5)
    for step in range(40):
        if step == 20:
            recorder.start(before)
        batch = runner.step()
        if step >= 20:
            recorder.feed(batch, runner)
        before.feed(batch, runner)
    recorder.stop()
    with Session(recorder.path) as session:
        (segment,) = session.segments
        assert segment.engine["kind"] == "integer"
        assert segment.reference is not None
        assert segment.reference["kind"] == "float"
        assert segment.origin < 0
        verdict = verify(session, FixedEngine(integer.image))
        assert verdict.equal
        assert verdict.frames == session.rows
        with pytest.raises(KWScopeError, match="not with"):
            verify(session, float_engine)
        found = compare(session, float_engine)
        assert found.frames > 0
        assert found.largest > 0

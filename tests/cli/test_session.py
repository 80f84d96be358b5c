"""``kwscope session``: every sub-command on a recording of the demo's kind."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from kwscore.cli.main import app
from kwscore.constants import WORDS
from kwscore.session.reader import Session
from kwscore.session.replay import load_engine, verify
from tests.pulse import PulseServer, missing

THRESHOLD = 0.05  # random weights are unsure of everything


def session(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["session", *map(str, arguments)])


def the_object(result: Result) -> dict[str, Any]:
    (line,) = result.stdout.splitlines()
    return json.loads(line)


@pytest.fixture(scope="module")
def recording(checkpoint: Path, sounds: Path, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "a.kwsession"
    result = session("record", sounds / "long.flac", "--out", path, "--model", checkpoint, "--threshold", THRESHOLD)
    assert result.exit_code == 0, result.stderr
    assert "Recording long.flac with NanoMamba-Tiny-DualPCEN" in result.stderr
    assert result.stdout.count(" s  ") > 0
    return path


def test_recorded_is_what_the_file_holds(recording: Path, sounds: Path) -> None:
    samples, _ = soundfile.read(sounds / "long.flac", dtype="int16")
    with Session(recording) as opened:
        assert np.array_equal(opened.audio(), samples)


def test_info(recording: Path, tmp_path: Path) -> None:
    text = session("info", recording, "--check")
    assert text.exit_code == 0, text.stderr
    assert "3.00 s (48000 samples)" in text.stdout
    values = the_object(session("info", recording, "--json"))
    assert values["samples"] == 48_000
    assert values["complete"] is True
    cut = tmp_path / "cut.kwsession"
    cut.write_bytes(recording.read_bytes()[:-5000])
    result = session("info", cut)
    assert result.exit_code == 1
    assert "was cut off while recording" in result.stderr


def test_verify(recording: Path, checkpoint: Path, tmp_path: Path) -> None:
    result = session("verify", recording, "--model", checkpoint)
    assert result.exit_code == 0, result.stderr + result.stdout
    assert "297 hops are equal bit for bit" in result.stdout
    values = the_object(session("verify", recording, "--model", checkpoint, "--json"))
    assert (values["equal"], values["frames"], values["unchecked"]) == (True, 297, 0)
    standard = session("verify", recording)
    assert standard.exit_code == 2
    assert "give its file with --model" in standard.stderr


@pytest.mark.parametrize("engine", ["float", "integer"])
def test_replay_compares(recording: Path, checkpoint: Path, engine: str) -> None:
    values = the_object(session("replay", recording, "--model", checkpoint, "--engine", engine, "--json"))
    assert values["frames"] == 297
    assert values["engine"]["kind"] == engine
    assert (values["largest_logit_difference"] == 0) == (engine == "float")
    if engine == "float":
        assert values["same_class"] == 297
        assert values["events_matched"] == values["events_recorded"] > 0
        text = session("replay", recording, "--model", checkpoint)
        assert "297 of 297 hops (100.000 %)" in text.stdout


def test_export(recording: Path, sounds: Path, tmp_path: Path) -> None:
    expected, _ = soundfile.read(sounds / "long.flac", dtype="int16")
    for suffix in ("wav", "flac"):
        out = tmp_path / f"sound.{suffix}"
        assert session("export", recording, out, "--what", "audio").exit_code == 0
        assert np.array_equal(soundfile.read(out, dtype="int16")[0], expected)
    part = tmp_path / "part.wav"
    session("export", recording, part, "--what", "audio", "--start", 1, "--stop", 1.5)
    assert np.array_equal(soundfile.read(part, dtype="int16")[0], expected[16_000:24_000])
    with Session(recording) as opened:
        (frames,) = [block[np.array([40])] for block in opened.frames(0, 16_000)]
        events = opened.events
    out = tmp_path / "telemetry.csv"
    assert session("export", recording, out, "--what", "telemetry").exit_code == 0
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 297
    assert np.float32(rows[40]["snr_07"]) == frames.columns["snr"][0, 7]
    assert np.float32(rows[40]["delta_1_03"]) == frames.columns["delta"][0, 1, 3]
    assert np.float32(rows[40]["logit_stop"]) == frames.logits[0, 8]
    out = tmp_path / "events.csv"
    assert session("export", recording, out, "--what", "events").exit_code == 0
    assert [row["word"] for row in csv.DictReader(out.open())] == [event.word for event in events]
    assert session("export", recording, tmp_path / "clips", "--what", "clips").exit_code == 0
    assert len(list((tmp_path / "clips").iterdir())) == len(events)
    out = tmp_path / "about.json"
    assert session("export", recording, out, "--what", "json").exit_code == 0
    assert json.loads(out.read_text())["detail"] == "full"
    assert not list(tmp_path.glob("*.part"))


def test_parquet(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "a.parquet"
    assert session("export", recording, out, "--what", "parquet").exit_code == 0
    table = pq.read_table(out)
    assert table.num_rows == 297
    assert json.loads(table.schema.metadata[b"kwscope"])["samples"] == 48_000
    with Session(recording) as opened:
        stored = np.concatenate([block.columns["snr"][:, 7] for block in opened.frames()])
    assert np.array_equal(table["snr_07"].to_numpy(), stored)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = session("export", recording, out, "--what", "parquet")
    assert result.exit_code == 2
    assert "pip install kwscope[parquet]" in result.stderr


def test_wrong_use_is_a_sentence(recording: Path, tmp_path: Path) -> None:
    for arguments, sentence in (
        (["info", tmp_path / "none.kwsession"], "There is no session"),
        (["export", recording, tmp_path / "a.mp3", "--what", "audio"], "as .wav or .flac"),
        (["export", recording, tmp_path / "a.wav", "--what", "audio", "--start", 9], "which lasts 3.0 s"),
        (["export", recording, tmp_path / "no" / "a.csv", "--what", "events"], "cannot be written"),
        (["record", "demo", "--out", recording], "exists already"),
    ):
        result = session(*arguments)
        assert result.exit_code == 2, result.output
        assert sentence in result.stderr
        assert "Traceback" not in result.stderr


def test_watch_keeps_what_lies_around_words_and_reports(checkpoint: Path, tmp_path: Path) -> None:
    """Long near silence with bursts: the report from what was kept is that from everything."""
    rng = np.random.default_rng(3)
    sound = 0.0003 * rng.standard_normal(16_000 * 30)
    for second in (3, 11, 12, 24):
        sound[second * 16_000 : second * 16_000 + 9000] += 0.2 * rng.standard_normal(9000)
    soundfile.write(tmp_path / "room.wav", sound, 16_000)
    common = ["--model", checkpoint, "--threshold", 0.3]
    for what, more in (("record", []), ("watch", ["--lowest", 0.2])):
        result = session(what, tmp_path / "room.wav", "--out", tmp_path / f"{what}.kwsession", *common, *more)
        assert result.exit_code == 0, result.stderr
    with Session(tmp_path / "watch.kwsession") as kept, Session(tmp_path / "record.kwsession") as whole:
        assert kept.length == whole.length == len(sound)
        assert kept.events == whole.events
        for start, end in kept.kept:
            assert np.array_equal(kept.audio(start, end), whole.audio(start, end))
        assert kept.rows <= whole.rows
    reports = [
        the_object(session("report", tmp_path / f"{what}.kwsession", "--threshold", 0.22, "--threshold", 0.4, "--json"))
        for what in ("record", "watch")
    ]
    assert reports[0]["rows"] == reports[1]["rows"]
    assert [row["threshold"] for row in reports[0]["rows"]] == [0.22, 0.3, 0.4]
    assert reports[0]["hours"] == pytest.approx(30 / 3600)
    for row in reports[0]["rows"]:
        assert sum(row["by_word"].values()) == pytest.approx(row["false_accepts_per_hour"])
    at_use = next(row for row in reports[0]["rows"] if row["threshold"] == 0.3)
    assert at_use["score"]["false_accepts"] == reports[0]["reported"]
    text = session("report", tmp_path / "watch.kwsession")
    assert text.stdout.split()[:3] == ["threshold", *WORDS[:2]]
    refused = session("verify", tmp_path / "watch.kwsession", "--model", checkpoint)
    assert refused.exit_code == 2
    assert "kept only what lies around words" in refused.stderr


def test_interrupted_in_order(checkpoint: Path, repository: Path, tmp_path: Path) -> None:
    """Ctrl-C closes the file: nothing is cut off."""
    path = tmp_path / "a.kwsession"
    command = [sys.executable, "-m", "kwscore", "session", "record", "demo", "--realtime", "--out", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    with subprocess.Popen(
        [*command, "--model", str(checkpoint)], stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("Recording"):
                break
        while not path.exists() or path.stat().st_size < 3000:
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
    assert child.returncode == 0, said
    with Session(path) as opened:
        assert opened.complete
        assert opened.length > 0


def test_a_session_as_the_only_argument_opens_the_window_on_it(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def open_window(*given: Any, **named: Any) -> int:
        opened.append(given)
        return 0

    monkeypatch.setattr("kwscore.cli.window.open_window", open_window)
    result = CliRunner().invoke(app, [str(recording), "--seconds", "1"])
    assert result.exit_code == 0, result.stderr
    assert opened[0][0] == str(recording)


def test_listen_hears_a_session_like_a_file(recording: Path, checkpoint: Path, sounds: Path) -> None:
    heard = [
        CliRunner().invoke(app, ["listen", str(name), "--model", str(checkpoint), "--threshold", str(THRESHOLD)])
        for name in (recording, sounds / "long.flac")
    ]
    assert heard[0].exit_code == 0, heard[0].stderr
    assert heard[0].stdout == heard[1].stdout != ""


@pytest.mark.skipif(bool(missing()), reason=missing() or "present")
def test_a_microphone_is_recorded_sample_by_sample(checkpoint: Path, tmp_path: Path) -> None:
    """A real capture: what the session says was heard is what the network computed from, and nothing was lost."""
    path = tmp_path / "a.kwsession"
    command = [
        sys.executable,
        "-m",
        "kwscore",
        "session",
        "record",
        "mic",
        "--seconds",
        "3",
        "--out",
        str(path),
        "--json",
    ]
    with PulseServer() as server:
        process = subprocess.Popen(
            [*command, "--model", str(checkpoint)],
            env=server.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Recording ")
        rng = np.random.default_rng(2)
        server.play((3000 * rng.standard_normal(32_000)).astype(np.int16))
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    made = json.loads(out)
    with Session(path) as opened:
        assert opened.complete
        assert opened.length == made["samples"] >= 48_000
        assert opened.segments[0].source["kind"] == "Microphone"
        assert opened.changes
        assert [change.to for change in opened.changes if change.what == "dropped"] == [0]
        assert verify(opened, load_engine(str(checkpoint))).equal


def test_a_source_that_does_not_open_leaves_no_file(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("This is no sound.")
    path = tmp_path / "a.kwsession"
    result = session("record", tmp_path / "bad.wav", "--out", path, "--model", checkpoint)
    assert result.exit_code == 2
    assert "bad.wav" in result.stderr
    assert not path.exists()

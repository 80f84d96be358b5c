"""``kwscope listen``: events and telemetry of files and playlists; the microphone's absence is a sentence."""

from __future__ import annotations

import json
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
from kwscore.constants import LABELS, WORDS
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.engine import StreamEngine

THRESHOLD = 0.05  # random weights are unsure of everything


def listen(checkpoint: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["listen", "--model", str(checkpoint), *map(str, arguments)])


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def events(checkpoint: Path, sounds: Path) -> list[Any]:
    """What the library finds in the long file."""
    samples, _ = soundfile.read(sounds / "long.flac", dtype="int16")
    detector = Detector(DetectionSettings(threshold=THRESHOLD))
    found = [detector.update(record) for record in StreamEngine.load(checkpoint).process(samples)]
    return [event for event in found if event]


def test_the_library_hears_something_here(events: list[Any]) -> None:
    assert events, "otherwise the tests below could not fail"


def test_lines_equal_the_library(checkpoint: Path, sounds: Path, events: list[Any]) -> None:
    result = listen(checkpoint, sounds / "long.flac", "--threshold", THRESHOLD)
    assert result.exit_code == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[2] for row in rows] == [event.word for event in events]
    assert [float(row[0]) for row in rows] == pytest.approx([event.decided / 16_000 for event in events], abs=0.006)
    assert "long.flac" in result.stderr


def test_json_is_complete(checkpoint: Path, sounds: Path, events: list[Any]) -> None:
    result = listen(checkpoint, sounds / "long.flac", "--threshold", THRESHOLD, "--json")
    first, *middle, last = objects(result)
    assert first["type"] == "start"
    assert tuple(first["labels"]) == LABELS
    assert first["detection"]["threshold"] == THRESHOLD
    hops = [record for record in middle if record["type"] == "telemetry"]
    assert [hop["frame"] for hop in hops] == list(range((48_000 - 512) // 160 + 1))
    assert hops[0]["time_s"] == 0.032
    assert np.shape(hops[0]["mel"]) == np.shape(hops[0]["snr"]) == (40,)
    assert np.shape(hops[0]["delta"]) == (first["blocks"], first["channels"])
    assert len(hops[0]["routing"]) == len(first["experts"])
    assert len(hops[0]["logits"]) == len(hops[0]["posteriors"]) == 12
    heard = [record for record in middle if record["type"] == "event"]
    assert [(record["word"], record["decided"]) for record in heard] == [(e.word, e.decided) for e in events]
    for index, record in enumerate(middle):
        if record["type"] == "event":
            assert middle[index - 1]["frame"] == record["frame"], "an event follows the hop that decided it"
    assert last == {**last, "type": "end", "samples": 48_000, "frames": len(hops), "events": len(events), "dropped": 0}


def test_events_only(checkpoint: Path, sounds: Path, events: list[Any]) -> None:
    result = listen(checkpoint, sounds / "long.flac", "--threshold", THRESHOLD, "--json", "--events-only")
    assert [record["type"] for record in objects(result)] == ["start", *["event"] * len(events), "end"]


def test_seconds_end_it(checkpoint: Path, sounds: Path) -> None:
    last = objects(listen(checkpoint, sounds / "long.flac", "--seconds", 1, "--json"))[-1]
    assert 16_000 <= last["samples"] < 24_000


def test_until_a_word(checkpoint: Path, sounds: Path, events: list[Any]) -> None:
    file = sounds / "long.flac"
    found = listen(checkpoint, file, "--threshold", THRESHOLD, "--until", events[0].word)
    assert found.exit_code == 0
    assert len(found.stdout.splitlines()) >= 1
    absent = next(word for word in WORDS if word not in {event.word for event in events})
    assert listen(checkpoint, file, "--threshold", THRESHOLD, "--until", absent).exit_code == 1


def test_word_threshold(checkpoint: Path, sounds: Path, events: list[Any]) -> None:
    word = events[0].word
    result = listen(checkpoint, sounds / "long.flac", "--threshold", THRESHOLD, "--word-threshold", f"{word}=1")
    assert f" {word} " not in result.stdout


def test_demo_is_heard_to_its_end(checkpoint: Path) -> None:
    result = listen(checkpoint, "demo", "--json", "--events-only")
    assert result.exit_code == 0, result.stderr
    last = objects(result)[-1]
    assert last["samples"] > 30 * 16_000
    score = last["score"]
    assert score["words"] == score["hits"] + score["misses"] > 10
    assert score["hits"] + score["false_accepts"] <= last["events"]
    assert f"Of {score['words']} words said: {score['hits']} found" in result.stderr


def test_only_a_playlist_knows_what_is_said(checkpoint: Path, sounds: Path) -> None:
    assert objects(listen(checkpoint, sounds / "long.flac", "--json", "--events-only"))[-1]["score"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.wav"],
        ["{sounds}/empty.wav"],
        ["{sounds}/text.wav"],
        ["{sounds}/header.wav"],
        ["{sounds}/folder.wav"],
        ["nowhere.json"],
        ["demo", "--threshold", "7"],
        ["demo", "--word-threshold", "stop"],
        ["demo", "--word-threshold", "stop=x"],
        ["demo", "--word-threshold", "banana=0.5"],
        ["demo", "--until", "banana"],
        ["demo", "--device", "USB"],
        ["demo", "--smoothing-ms", "nan"],
    ],
)
def test_wrong_use_is_one_line(checkpoint: Path, sounds: Path, arguments: list[str]) -> None:
    result = listen(checkpoint, *(argument.format(sounds=sounds) for argument in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("kwscope: ")


def test_cut_file_is_heard_as_far_as_it_goes(checkpoint: Path, sounds: Path) -> None:
    result = listen(checkpoint, sounds / "cut.wav", "--json")
    assert result.exit_code == 1  # as classify counts it
    assert objects(result)[-1]["samples"] == pytest.approx(8_000, abs=50)
    assert "cut short" in result.stderr


def test_no_microphone_is_a_sentence(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kwscore.audio import microphone
    from kwscore.errors import KWScopeError

    def fail(self: Any) -> None:
        raise KWScopeError("No microphone was found: connect one.")

    monkeypatch.setattr(microphone.Microphone, "start", fail)
    result = listen(checkpoint)
    assert result.exit_code == 2
    assert result.stderr == "kwscope: No microphone was found: connect one.\n"


def test_interrupt_ends_cleanly(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "kwscore", "listen", "demo", "--realtime", "--json", "--model", str(checkpoint)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # it runs
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["type"] == "end"
    assert "Traceback" not in err


def test_closed_pipe_is_silent(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "kwscore", "listen", "demo", "--json", "--model", str(checkpoint)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["type"] == "start"
    process.stdout.close()
    said = process.stderr.read().splitlines()
    assert process.wait(timeout=30) == 141
    assert len(said) == 1
    assert said[0].startswith("Listening to")

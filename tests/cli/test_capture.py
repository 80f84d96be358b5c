"""The whole way in the terminal: a spoken word, a sound server, PortAudio, the trained network, an exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kwscore.audio.file import read_audio
from kwscore.audio.playlist import load_manifest
from kwscore.models.checkpoint import shipped_checkpoints
from tests.pulse import PulseServer, missing

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "present"),
    pytest.mark.skipif("NanoMamba-Tiny-DualPCEN" not in shipped_checkpoints(), reason="no trained weights here"),
]


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with PulseServer() as server:
        yield server


@pytest.fixture(scope="module")
def spoken(repository: Path) -> Path:
    """The demo's first clean "yes"."""
    _, items = load_manifest(repository / "assets" / "demo" / "playlist.json")
    return next(item.path for item in items if item.label == "yes" and item.snr_db is None)


def test_a_word_into_the_microphone_is_detected(pulse: PulseServer, spoken: Path) -> None:
    command = [sys.executable, "-m", "kwscore", "listen", "mic", "--json", "--until", "yes", "--seconds", "40"]
    process = subprocess.Popen(command, env=pulse.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "start", "the device is open before this line"
    pulse.play(read_audio(spoken))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["word"] for record in records if record["type"] == "event"] == ["yes"]
    assert records[-1]["dropped"] == 0


def test_interrupt_at_the_microphone_ends_cleanly(pulse: PulseServer) -> None:
    command = [sys.executable, "-m", "kwscore", "listen", "mic", "--json", "--events-only"]
    process = subprocess.Popen(command, env=pulse.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["type"] == "end"
    assert "Traceback" not in err


def test_devices_name_the_server(pulse: PulseServer) -> None:
    command = [sys.executable, "-m", "kwscore", "devices"]
    done = subprocess.run(command, env=pulse.env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("* ")
    assert "pulse" in done.stdout

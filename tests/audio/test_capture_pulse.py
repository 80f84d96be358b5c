"""Real capture: PortAudio hears a private PulseAudio server; the server is killed, restarted and frozen under it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kwscore.audio.file import read_audio
from tests.pulse import DEVICE, PulseServer, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "present")


class Child:
    """The capturing process, driven line by line."""

    def __init__(self, pulse: PulseServer, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.audio.capture_child", *arguments],
            cwd=Path(__file__).parents[2],
            env=pulse.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the capturing process ended at '{command}'"
        return json.loads(line)

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 20) -> dict[str, Any]:
        """Ask for the status until it fits."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.ask("status")
            if condition(status):
                return status
            assert time.monotonic() < deadline, f"never reached; last {status}"
            time.sleep(0.03)

    def deliver(self) -> dict[str, Any]:
        """Wait until another 0.3 s of samples have arrived."""
        begin = self.ask("status")["position"]
        return self.until(lambda s: s["position"] >= begin + 4_800 and s["state"] == "running")

    def heard(self, path: Path) -> np.ndarray:
        self.ask(f"save {path}")
        return np.load(path)

    def quit(self, seconds: float = 10) -> float:
        """Seconds that the process took to end."""
        assert self.process.stdin is not None
        began = time.monotonic()
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        assert self.process.wait(seconds) == 0
        return time.monotonic() - began


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with PulseServer() as server:
        yield server


@pytest.fixture
def child(pulse: PulseServer) -> Iterator[Child]:
    if not pulse.running:
        pulse.restart()
    child = Child(pulse)
    try:
        assert child.ask("start").get("error") is None
        child.deliver()
        yield child
    finally:
        pulse.thaw()
        if child.process.poll() is None:
            child.process.kill()
        child.process.wait()
        for pipe in (child.process.stdin, child.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


def pattern() -> np.ndarray:
    """1 s: a chirp 200 to 6000 Hz, then two tones, with faded ends."""
    t = np.arange(8_000) / 16_000
    chirp = np.sin(2 * np.pi * (200 * t + 5800 * t**2))
    tones = 0.5 * np.sin(2 * np.pi * 440 * t) + 0.4 * np.sin(2 * np.pi * 3100 * t)
    x = np.concatenate((chirp, tones))
    x[:160] *= np.linspace(0, 1, 160)
    x[-160:] *= np.linspace(1, 0, 160)
    return (12_000 * x).astype(np.int16)


def correlation(heard: np.ndarray, played: np.ndarray) -> float:
    """Of what was played with the stretch of what was heard that fits it best."""
    n = 1 << (len(heard) + len(played)).bit_length()
    fit = np.fft.irfft(np.fft.rfft(heard, n) * np.conj(np.fft.rfft(played, n)), n)
    lag = int(fit[: len(heard) - len(played) + 1].argmax())
    return float(np.corrcoef(heard[lag : lag + len(played)], played)[0, 1])


def spoken_word(folder: Path) -> np.ndarray:
    path = folder / "word.wav"
    subprocess.run(["espeak-ng", "-w", str(path), "yes"], check=True, capture_output=True)
    return read_audio(path)


def test_what_is_played_is_heard(pulse: PulseServer, child: Child, tmp_path: Path) -> None:
    played = {"pattern": pattern()}
    if shutil.which("espeak-ng"):
        played["word"] = spoken_word(tmp_path)
    for samples in played.values():
        pulse.play(samples)
    status = child.deliver()
    heard = child.heard(tmp_path / "heard.npy")
    for name, samples in played.items():
        assert correlation(heard, samples) > 0.9999, name
    assert (status["dropped"], status["overflows"], status["rate"]) == (0, 0, 16_000)
    assert child.ask("stop")["seconds"] < 2
    assert child.ask("status")["state"] == "idle"
    assert child.quit() < 5


def test_server_killed_and_restarted(pulse: PulseServer, child: Child, tmp_path: Path) -> None:
    pulse.kill()
    lost = child.until(lambda s: s["state"] == "lost")
    assert "went away" in lost["message"]
    pulse.restart()
    assert child.until(lambda s: s["state"] == "running")["message"] == ""
    child.deliver()
    pulse.play(pattern())
    child.deliver()
    assert correlation(child.heard(tmp_path / "heard.npy"), pattern()) > 0.9999
    assert child.ask("stop")["seconds"] < 2
    assert child.quit() < 5


def test_server_frozen_stop_and_exit_do_not_hang(pulse: PulseServer, child: Child) -> None:
    pulse.freeze()
    stalled = child.until(lambda s: s["state"] == "stalled")
    assert "delivers no sound at the moment" in stalled["message"]
    stop = child.ask("stop")
    assert stop["seconds"] < 2
    assert stop["state"] == "idle"
    again = child.ask("start")
    assert "did not" in again["error"]
    assert again["seconds"] < 5
    assert child.quit() < 5  # still frozen


@pytest.mark.parametrize("frozen", [False, True])
def test_exit_without_stop_neither_hangs_nor_crashes(pulse: PulseServer, child: Child, frozen: bool) -> None:
    if frozen:
        pulse.freeze()
        child.until(lambda s: s["state"] == "stalled")
    assert child.quit() < 5


def test_server_frozen_and_thawed(pulse: PulseServer, child: Child) -> None:
    pulse.freeze()
    child.until(lambda s: s["state"] == "stalled")
    pulse.thaw()
    child.until(lambda s: s["state"] == "running")
    child.deliver()
    assert child.ask("stop")["seconds"] < 2


def test_server_frozen_until_the_stream_is_renewed(pulse: PulseServer, child: Child) -> None:
    pulse.freeze()
    begin = time.monotonic()
    child.until(lambda s: s["state"] == "stalled" and time.monotonic() - begin > 6)  # after RECYCLE
    pulse.thaw()
    child.until(lambda s: s["state"] == "running")
    child.deliver()
    assert child.ask("stop")["seconds"] < 2


def test_devices_by_name_and_rescan(pulse: PulseServer) -> None:
    child = Child(pulse, DEVICE)
    try:
        assert DEVICE in child.ask("devices")["devices"]
        child.ask("start")
        child.deliver()
        assert "stop it first" in child.ask("rescan")["error"]
        child.ask("stop")
        assert DEVICE in child.ask("rescan")["devices"]
        child.ask("start")
        child.deliver()
        child.ask("stop")
        assert child.quit() < 5
    finally:
        child.process.kill()
        child.process.wait()

"""``kwscope`` without a screen, end to end: the sentence, the detections, the picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kwscore.audio import devices
from kwscore.cli.main import app


def without_screen(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    command = [sys.executable, "-m", "kwscore", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_without_a_screen_it_says_so_and_leaves_a_picture(checkpoint: Path, tmp_path: Path) -> None:
    done = without_screen(tmp_path, "--model", str(checkpoint), "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert "no screen" in done.stderr
    picture = tmp_path / "kwscope-window.png"
    assert done.stdout.splitlines()[-1] == f"Picture of the window: {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000, "a window with panels, not an empty one"


def test_without_screen_and_microphone_it_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(devices, "list_devices", list)
    result = CliRunner().invoke(app, ["--source", "mic"])
    assert result.exit_code == 2
    assert result.stderr == "kwscope: No microphone was found: connect one, or use --source demo or a file\n"


def test_a_missing_source_is_a_sentence() -> None:
    result = CliRunner().invoke(app, ["--source", "nowhere.wav"])
    assert result.exit_code == 2
    assert result.stderr.startswith("kwscope: There is no file nowhere.wav")


def test_the_board_is_handed_to_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def run(**given: object) -> int:
        seen.update(given)
        return 0

    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr("app.main.run", run)
    assert CliRunner().invoke(app, ["--board", "sim"]).exit_code == 0
    assert (seen["board"], seen["baud"]) == ("sim", None)
    assert CliRunner().invoke(app, ["--board", "sim", "--baud", "2000000"]).exit_code == 0
    assert seen["baud"] == 2_000_000


def test_a_rate_that_cannot_carry_audio_is_refused_before_the_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr("app.main.run", lambda **given: pytest.fail("the window was opened"))
    result = CliRunner().invoke(app, ["--board", "sim", "--baud", "115200"])
    assert result.exit_code == 2
    assert result.stderr.startswith("kwscope: 115,200 baud cannot be used (audio takes 334,000 bit/s): choose one of")
    late = CliRunner().invoke(app, ["--baud", "2000000", "models"])
    assert late.exit_code == 2
    assert "put it after" in late.stderr

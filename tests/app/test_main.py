"""The application as a process: pictures, bad input, an unwritable settings folder, ends by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app.main import run
from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import shipped_checkpoints
from tests.app.conftest import OpenWindow
from tests.app.fakes import write_sound

needs_network = pytest.mark.skipif(not shipped_checkpoints(), reason="no trained network is installed")
CALL = """
import sys
from app.main import run
sys.exit(run(source={source!r}, screenshot={picture!r}, seconds=1.5, theme={theme!r}, preset={preset!r}))
"""


def start(
    source: str, picture: Path, theme: str = "light", preset: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    code = CALL.format(source=source, picture=str(picture), theme=theme, preset=preset)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def pixels(path: Path) -> np.ndarray:
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).copy()


@needs_network
@pytest.mark.parametrize(("scale", "theme", "preset"), [("1", "light", None), ("2", "dark", "booth")])
def test_a_picture_of_the_window(tmp_path: Path, scale: str, theme: str, preset: str | None) -> None:
    sound = write_sound(tmp_path / "bursts.wav", seconds=2.0)
    picture = tmp_path / "window.png"
    done = start(str(sound), picture, theme, preset, QT_SCALE_FACTOR=scale, KWSCOPE_WINDOW_SIZE="1280x720")
    assert done.returncode == 0, done.stderr
    image = pixels(picture)
    assert image.shape[:2] == (720 * int(scale), 1280 * int(scale))
    assert len(np.unique(image.reshape(-1, 4)[::7], axis=0)) > 200
    assert (image[:, :, 0].mean() > 128) == (theme == "light")
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.glob("*.part")] == []


@needs_network
def test_an_unwritable_settings_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = "import sys; from app.main import run; sys.exit(run(source='demo', seconds=0.3))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KWSCOPE_CONFIG_DIR": str(tmp_path / "file" / "folder")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "KWSCOPE_CONFIG_DIR" in line]
    assert "Traceback" not in done.stderr


def test_a_source_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match=r"There is no file .*nothing\.wav"):
        run(source=str(tmp_path / "nothing.wav"))


def test_the_window_starts_before_heavy_libraries() -> None:
    code = "import sys, app.main; sys.exit(bool({'torch', 'numba', 'sounddevice', 'soundfile'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=120)
    assert done.returncode == 0


def test_a_picture_shows_the_state_at_its_moment(
    open_window: OpenWindow, qtbot: Any, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import window as module
    from app.main import _Ending
    from app.sources import Choice

    monkeypatch.setattr(module, "STATUS_EVERY", 10**9)  # only the first frame refreshes the status
    window = open_window(Choice("file", str(sound)))
    window.controller.start()
    ending = _Ending(window, str(tmp_path / "picture.png"), 0.5)
    qtbot.waitUntil(lambda: not ending.timer.isActive(), timeout=60_000)
    assert window.status.health.network == "Loudness · 0123456789ab"
    assert window.status.health.notice == ""
    assert (tmp_path / "picture.png").exists()


@pytest.mark.parametrize("content", [b"", b"no audio"])
def test_a_picture_of_a_source_that_does_not_open_is_given_up_at_once(
    open_window: OpenWindow, qtbot: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    from app.main import _Ending
    from app.sources import Choice

    bad = tmp_path / "bad.wav"
    bad.write_bytes(content)
    window = open_window(Choice("file", str(bad)))
    window.controller.start()
    ending = _Ending(window, str(tmp_path / "picture.png"), 0.5)
    qtbot.waitUntil(lambda: not ending.timer.isActive(), timeout=60_000)  # far below PICTURE_PATIENCE
    assert ending.status == 1
    said = capsys.readouterr().err
    assert said.startswith("kwscope: no sound to take a picture of: ")
    assert "bad.wav is " in said


@pytest.mark.parametrize("size", ["axb", "x", "1280", "0x720", "1280x-1"])
def test_an_odd_window_size_is_a_sentence(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("KWSCOPE_WINDOW_SIZE", size)
    with pytest.raises(KWScopeError, match=f"KWSCOPE_WINDOW_SIZE={size}: write WIDTHxHEIGHT"):
        run(source="demo", screenshot="never.png")


def test_sigterm_closes_in_order(open_window: OpenWindow, qtbot: Any) -> None:
    from PySide6.QtWidgets import QApplication

    from app.main import _interruptible
    from app.sources import DEMO

    window = open_window(DEMO)
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    with _interruptible(app):
        os.kill(os.getpid(), signal.SIGTERM)
        qtbot.waitUntil(lambda: not window.isVisible())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_probe_that_fails_is_said_in_the_window(
    qapp: object, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings folder cannot be written: the live window says so at the start, before anything is lost."""
    from PySide6.QtCore import QTimer

    from app import main as module
    from app.controller import Controller
    from app.window import MainWindow
    from tests.app.fakes import Device, LoudnessEngine, loads

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KWSCOPE_CONFIG_DIR", str(tmp_path / "file" / "folder"))
    seen: list[str] = []

    def controller(*given: Any, **named: Any) -> Controller:
        return Controller(*given, **named, build_source=lambda choice: Device(), load_engine=loads(LoudnessEngine()))

    class Window(MainWindow):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.ready.connect(lambda: QTimer.singleShot(0, self.look))

        def look(self) -> None:
            seen.append(self.banner.text() if self.banner_bar.isVisible() else "")
            self.close()

    monkeypatch.setattr(module, "Controller", controller)
    monkeypatch.setattr(module, "MainWindow", Window)
    assert run(source="mic") == 0
    (sentence,) = seen
    assert "KWSCOPE_CONFIG_DIR" in sentence
    assert str(tmp_path / "file" / "folder") in sentence

"""The application as a process: pictures, bad input, an unwritable settings folder, ends by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app.main import run
from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import shipped_checkpoints
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine, fast_files, loads, write_sound

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


def run_with(monkeypatch: pytest.MonkeyPatch, load_engine: Any, **parts: Any) -> int:
    """``app.main.run`` with a stand-in for the network."""
    from app import main as module
    from app.controller import Controller

    made = partial(Controller, load_engine=load_engine, build_source=fast_files)
    monkeypatch.setattr(module, "Controller", made)
    return run(theme="light", **parts)


@pytest.mark.parametrize("content", [b"", b"no audio"])
@pytest.mark.parametrize("seconds", [None, 60.0])
def test_unseen_a_source_that_does_not_open_ends_it_with_a_sentence(
    qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    content: bytes, seconds: float | None,
) -> None:  # fmt: skip
    (tmp_path / "bad.wav").write_bytes(content)
    assert run_with(monkeypatch, loads(LoudnessEngine()), source=str(tmp_path / "bad.wav"), seconds=seconds) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("kwscope: ")
    assert said.err.count("bad.wav is ") == 1


def test_unseen_another_network_than_the_one_asked_for_is_said_and_counts(
    qapp: object, sound: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        if name:
            raise KWScopeError(f"{name} is damaged: get it again.")
        return LoudnessEngine("standard"), None

    picture = str(tmp_path / "picture.png")
    assert run_with(monkeypatch, load, source=str(sound), model="mine.safetensors", screenshot=picture) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "kwscope: mine.safetensors is damaged: get it again. The standard network is used instead."
    ]
    assert [line.split()[2] for line in said.out.splitlines()] == ["yes", "yes"]
    assert Path(picture).exists()


def test_unseen_nothing_wrong_is_nothing_said(
    qapp: object, sound: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = str(tmp_path / "picture.png")
    assert run_with(monkeypatch, loads(LoudnessEngine()), source=str(sound), screenshot=picture) == 0
    assert capsys.readouterr().err == ""


def test_a_picture_waits_for_a_network_that_is_still_being_compiled(
    qapp: object, sound: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from app import main as module

    looked, begun = threading.Event(), []

    class Ending(module._Ending):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.patience.start = lambda: begun.append(self.window.controller.waiting)  # type: ignore[assignment]

        def _look(self) -> None:
            super()._look()
            if len(begun) >= 3:
                looked.set()

    def load(name: str, progress: Any) -> Any:
        assert looked.wait(60)
        return loads(LoudnessEngine())(name, progress)

    monkeypatch.setattr(module, "_Ending", Ending)
    assert run_with(monkeypatch, load, source=str(sound), screenshot=str(tmp_path / "a.png")) == 0
    assert set(begun) == {"Loading the network…"}


def test_trouble_that_is_over_does_not_count(open_window: OpenWindow, capsys: pytest.CaptureFixture[str]) -> None:
    from app.controller import Notice
    from app.sources import MICROPHONE
    from app.unseen import Unseen

    unseen = Unseen(open_window(MICROPHONE, build_source=lambda choice: Device()))
    lost = Notice("device", "The microphone is gone.")
    for notice in (lost, lost, Notice("remark", "Quiet.", "warning")):
        unseen.event(notice)
    assert unseen.failed
    unseen.event(Notice("device", ""))
    assert not unseen.failed
    assert capsys.readouterr().err == "kwscope: The microphone is gone.\nkwscope: Quiet.\n"


@pytest.mark.parametrize("size", ["axb", "x", "1280", "0x720", "1280x-1"])
def test_an_odd_window_size_is_a_sentence(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("KWSCOPE_WINDOW_SIZE", size)
    with pytest.raises(KWScopeError, match=f"KWSCOPE_WINDOW_SIZE={size}: write WIDTHxHEIGHT"):
        run(source="demo", screenshot="never.png")


def test_sigterm_closes_in_order_and_not_while_it_paints(open_window: OpenWindow, qtbot: Any) -> None:
    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QApplication, QWidget

    from app.main import _interruptible
    from app.sources import DEMO

    window = open_window(DEMO)
    seen: list[bool] = []

    class Picture(QWidget):
        def paintEvent(self, event: QPaintEvent) -> None:
            if not seen:
                os.kill(os.getpid(), signal.SIGTERM)
                seen.append(window.isVisible())

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    with _interruptible(app):
        Picture(window).show()
        qtbot.waitUntil(lambda: not window.isVisible())
    assert seen == [True]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_probe_that_fails_is_said_in_the_window(
    qapp: object, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings folder cannot be written: the live window says so at the start, before anything is lost."""
    from PySide6.QtCore import QTimer

    from app import main as module
    from app.controller import Controller
    from app.window import MainWindow

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

"""Windows that close themselves, on an application dressed as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app import settings as store
from app.controller import Controller
from app.main import application
from app.sources import Choice
from app.window import MainWindow
from tests.app.driving import drive as drive
from tests.app.experiments import experiment as experiment
from tests.app.experiments import stand_in as stand_in
from tests.app.fakes import LoudnessEngine, fast_files, loads, write_sound
from tests.stream.fakes import PATIENCE

OpenWindow = Callable[..., MainWindow]


@pytest.fixture(scope="session")
def qapp():
    return application("light")


@pytest.fixture
def qtbot(qtbot):
    """pytest-qt's, which gives up waiting after five seconds: a busy machine may need more."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=round(1000 * PATIENCE))
    return qtbot


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A file with two loud bursts."""
    return write_sound(tmp_path / "bursts.wav")


@pytest.fixture
def engine() -> LoudnessEngine:
    return LoudnessEngine()


@pytest.fixture
def open_window(qapp, qtbot, engine: LoudnessEngine) -> Iterator[OpenWindow]:
    """Open a shown window on a choice of source; the controller's parts may be replaced by keyword."""
    opened: list[MainWindow] = []

    def make(choice: Choice, settings: store.Settings | None = None, **parts: Any) -> MainWindow:
        given: dict[str, Any] = {"build_source": fast_files, "load_engine": loads(engine), **parts}
        window = MainWindow(Controller(choice, **given), settings or store.Settings(theme="light"))
        opened.append(window)
        window.resize(1280, 720)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        return window

    yield make
    for window in opened:
        window.close()
        window.deleteLater()

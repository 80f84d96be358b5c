"""A window that hears a room, an engine that can be set, and the moves of a user who calibrates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel

from app.calibration import Calibration
from app.calibration_dialog import CalibrationDialog
from app.calibration_feature import CalibrationFeature
from app.sources import MICROPHONE
from app.window import MainWindow
from kwscore.audio.source import SourceStatus
from kwscore.models.calibration import DEFAULT_CALIBRATION
from kwscore.models.config import NetworkConfig, network_config
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine, loads

LEFT = Qt.MouseButton.LeftButton
PCM = NDArray[np.int16]
OWN = np.tile(np.asarray(DEFAULT_CALIBRATION["v1"], np.float32), (2, 1))


class Tuned(LoudnessEngine):
    """A fake float engine whose constants can be set."""

    def __init__(self, name: str = "Tuned", **shape: Any) -> None:
        super().__init__(name, **shape)
        self.config: NetworkConfig = network_config("NanoMamba-Tiny-DualPCEN", schedule="stream")
        self._constants = OWN.copy()
        self.calibrated = None
        self.noise_floor = np.full(257, 1e-3, np.float32)

    @property
    def calibration(self) -> NDArray[np.float32]:
        return self._constants.copy()

    @calibration.setter
    def calibration(self, values: NDArray[np.floating]) -> None:
        self._constants = np.asarray(values, np.float32).copy()
        self.calibrated = None


class Room(Device):
    """A microphone in a hissing room; ``level``: RMS of the hiss. Keeps what it delivered. ``lost`` samples."""

    def __init__(self, level: float = 0.002) -> None:
        super().__init__("Room microphone")
        self.level = level
        self.lost = 0
        self.heard: list[PCM] = []
        self._rng = np.random.default_rng(3)

    def read(self, timeout: float = 0.0) -> PCM:
        block = super().read(timeout)
        if len(block):
            hiss = self._rng.standard_normal(len(block)) * self.level * 32767
            block = np.clip(block + np.rint(hiss), -32768, 32767).astype(np.int16)
            self.heard.append(block)
        return block

    def status(self) -> SourceStatus:
        return SourceStatus(self.state, self.message, 48_000, dropped=self.lost, position=self._position)


def feature(window: MainWindow) -> CalibrationFeature:
    return next(each for each in window.features if isinstance(each, CalibrationFeature))


def calibration(window: MainWindow) -> Calibration:
    return window.controller.calibration


def dialog(window: MainWindow) -> CalibrationDialog:
    found = feature(window).dialog
    assert found is not None
    return found


def listening(open_window: OpenWindow, qtbot: Any, engine: Any, room: Device | None = None, **given: Any) -> MainWindow:
    """A window that hears the room."""
    source = room or Room()
    parts = {"build_source": lambda choice: source, "load_engine": loads(engine), **given}
    window = open_window(MICROPHONE, **parts)
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.feed.end > 60)
    return window


def press(qtbot: Any, window: MainWindow, key: Qt.Key, shift: bool = False) -> None:
    """A key, wherever the focus is: in the window or in the dialog; E belongs to the window alone."""
    target = QApplication.activeWindow() or window
    if key is Qt.Key.Key_E:
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        target = window
    qtbot.keyClick(target, key, Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier)


def click(qtbot: Any, button: QAbstractButton) -> None:
    """Once the button is there: the engine thread may be ahead of what is shown."""
    qtbot.waitUntil(lambda: button.isEnabled() and button.isVisible())
    qtbot.mouseClick(button, LEFT)


def measured(window: MainWindow, qtbot: Any) -> CalibrationDialog:
    """Press the key, keep quiet, and wait until the constants are set."""
    press(qtbot, window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: calibration(window).calibrated)
    window.refresh_status()
    return dialog(window)


def refused(window: MainWindow, qtbot: Any) -> str:
    """Press the key and wait for the refusal, which the dialog shows."""
    press(qtbot, window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: bool(calibration(window).refusal))
    shown = dialog(window)
    qtbot.waitUntil(lambda: shown.sentence.text() == calibration(window).refusal)
    assert shown.state.text() == "Not measured"
    assert shown.lamp.text() == "✗"
    assert not shown.bar.isVisible()
    return calibration(window).refusal


def collected(window: MainWindow) -> float:
    """Seconds of silence that are collected."""
    silence = calibration(window).silence
    return silence.collected if silence is not None else 0.0


def status(window: MainWindow) -> str:
    window.refresh_status()
    label: QLabel = window.status.fields["calibration"]
    return label.accessibleName().removeprefix("calibration: ") if label.text() else ""


def constants(engine: Any) -> tuple[float, ...]:
    return tuple(np.round(engine.calibration[0].astype(float), 4))

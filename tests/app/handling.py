"""What a user does with the real window, and where a test finds its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt

from app.panels.timepanel import TimePanel
from app.sources import MICROPHONE, Choice
from app.window import MainWindow
from kwscore.audio.source import Source
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, fast_files

LEFT = Qt.MouseButton.LeftButton


def click(qtbot: Any, widget: Any) -> None:
    qtbot.mouseClick(widget, LEFT)


def trigger(menu: Any, text: str) -> None:
    """Choose the entry ``text`` of a menu."""
    next(action for action in menu.actions() if action.text().partition("\t")[0].strip() == text).trigger()


def part(window: MainWindow, kind: type) -> Any:
    """The window's feature of this kind."""
    return next(feature for feature in window.features if isinstance(feature, kind))


def shown_plots(window: MainWindow) -> list[TimePanel]:
    """The visible panels on the time axis."""
    return [panel for panel in window.time_panels.values() if panel.isVisible()]


def microphone_or_file(device: Device) -> Callable[[Choice], Source]:
    """Builds ``device`` for any microphone, and stored things as fast as they are read."""
    return lambda choice: device if choice.kind == "mic" else fast_files(choice)


def live(open_window: OpenWindow, qtbot: Any, **parts: Any) -> tuple[MainWindow, Device]:
    """A window that hears a fake microphone, and the microphone."""
    device = Device()
    window = open_window(MICROPHONE, build_source=microphone_or_file(device), **parts)
    click(qtbot, window.toolbar.run_button)
    qtbot.waitUntil(lambda: window.feed.end > 100)
    return window, device

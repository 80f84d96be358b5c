"""The tour and the About box, driven by clicks and keys."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QPushButton

from app import about
from app import settings as store
from app.catalogue import BY_KEY
from app.sources import DEMO, MICROPHONE, Choice
from app.tour import STEPS, Overlay, Tour
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, fast_files

LEFT = Qt.MouseButton.LeftButton


def build(choice: Choice):
    return Device() if choice.kind == "mic" else fast_files(choice)


@pytest.fixture
def window(open_window: OpenWindow, qtbot):
    """A window that hears a microphone."""
    made = open_window(MICROPHONE, store.Settings(theme="light", source="mic"), build_source=build)
    made.controller.start()
    qtbot.waitUntil(lambda: made.feed.end > 20, timeout=60_000)
    return made


def tour_of(window) -> Tour:
    return next(feature for feature in window.features if isinstance(feature, Tour))


def overlay_of(window) -> Overlay:
    overlay = tour_of(window).overlay
    assert overlay is not None
    return overlay


def test_every_step_lights_panels_of_the_standard_layout_and_says_two_sentences() -> None:
    assert len(STEPS) == 5
    for step in STEPS:
        assert step.targets
        assert all("standard" in BY_KEY[key].presets for key in step.targets)
        assert step.text.count(". ") == 1, step.text


def test_the_tour_plays_the_demo_and_puts_everything_back(window, qtbot) -> None:
    tour = tour_of(window)
    window.docks["delta"].hide()
    qtbot.keyClick(window, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    assert tour.running
    overlay = overlay_of(window)
    qtbot.waitUntil(lambda: window.controller.choice == DEMO and window.controller.running, timeout=60_000)
    assert window.docks["delta"].isVisible()
    seen = []
    for number, step in enumerate(STEPS):
        window.tick()
        assert overlay.bubble.title.text() == step.title
        assert overlay.bubble.count.text() == f"Step {number + 1} of 5"
        assert len(overlay._lit) == len(step.targets)
        assert overlay.rect().contains(overlay.bubble.geometry())
        seen.append(overlay.bubble.title.text())
        qtbot.mouseClick(overlay.bubble.next, LEFT)
    assert len(set(seen)) == 5
    assert not tour.running
    assert window.docks["delta"].isHidden()
    assert window.settings.source == "mic"
    qtbot.waitUntil(lambda: window.controller.choice == MICROPHONE, timeout=60_000)


@pytest.mark.parametrize("leave", ["escape", "skip", "again"])
def test_the_tour_can_be_left_at_any_step(window, qtbot, leave: str) -> None:
    tour = tour_of(window)
    window.actions_by_name["tour"].trigger()
    overlay = overlay_of(window)
    qtbot.keyClick(overlay, Qt.Key.Key_Right)
    qtbot.keyClick(overlay, Qt.Key.Key_Right)
    qtbot.keyClick(overlay, Qt.Key.Key_Left)
    assert overlay.number == 1
    if leave == "escape":
        qtbot.keyClick(overlay, Qt.Key.Key_Escape)
    elif leave == "skip":
        qtbot.mouseClick(overlay.bubble.skip, LEFT)
    else:
        window.actions_by_name["tour"].trigger()
    assert not tour.running
    qtbot.waitUntil(lambda: window.controller.choice == MICROPHONE, timeout=60_000)


def test_the_keyboard_alone_leads_through_the_tour(window, qtbot) -> None:
    def press(key: Qt.Key) -> str:
        qtbot.keyClick(QApplication.focusWidget(), key)
        widget = QApplication.focusWidget()
        assert isinstance(widget, QAbstractButton)
        return widget.text()

    window.actions_by_name["tour"].trigger()
    overlay = overlay_of(window)
    assert QApplication.focusWidget() is overlay.bubble.next
    assert [press(Qt.Key.Key_Tab) for _ in range(2)] == ["Skip", "Next"]  # there is no step before
    press(Qt.Key.Key_Right)
    assert overlay.number == 1
    assert [press(Qt.Key.Key_Backtab) for _ in range(3)] == ["Back", "Skip", "Next"]
    press(Qt.Key.Key_Left)
    assert overlay.number == 0
    theme = window.theme.name
    press(Qt.Key.Key_T)  # a command of the window behind
    assert window.theme.name == theme
    for number in range(1, 5):
        press(Qt.Key.Key_Return if number % 2 else Qt.Key.Key_Space)
        assert overlay.number == number
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert not tour_of(window).running


def test_the_last_step_leads_to_the_microphone(open_window: OpenWindow, qtbot) -> None:
    window = open_window(DEMO, build_source=build)
    window.actions_by_name["tour"].trigger()
    overlay = overlay_of(window)
    overlay.go(4)
    assert overlay.bubble.microphone.isVisible()
    qtbot.mouseClick(overlay.bubble.microphone, LEFT)
    qtbot.waitUntil(lambda: window.controller.choice == MICROPHONE, timeout=60_000)
    assert not tour_of(window).running


@pytest.mark.parametrize("size", [(900, 560), (1280, 720), (3840, 2160)])
def test_the_bubble_covers_nothing_that_it_explains_where_there_is_room(
    open_window: OpenWindow, qtbot, size: tuple[int, int]
) -> None:
    window = open_window(DEMO, build_source=build)
    window.resize(*size)
    window.actions_by_name["tour"].trigger()
    overlay = overlay_of(window)
    qtbot.wait(1)
    for number, step in enumerate(STEPS):
        overlay.go(number)
        bubble = overlay.bubble.geometry()
        assert overlay.rect().contains(bubble), step.title
        for rectangle in overlay._lit:
            shared = bubble.intersected(rectangle)
            covered = max(shared.width(), 0) * max(shared.height(), 0)
            assert covered <= rectangle.width() * rectangle.height() * (0.34 if size[0] < 1000 else 0.0), step.title


def test_closing_during_the_tour_keeps_layout_and_source(window, qtbot) -> None:
    window.docks["snr"].hide()
    window.actions_by_name["tour"].trigger()
    assert window.docks["snr"].isVisible()
    window.close()
    kept, _ = store.load()
    assert kept.source == "mic"
    assert kept.toured
    assert window.docks["snr"].isHidden()


def test_the_tour_is_offered_once(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=build)
    window.offer_tour()
    (row,) = window.banner.rows
    assert "five steps" in row.label.text()
    qtbot.mouseClick(row.action_button, LEFT)
    assert tour_of(window).running
    assert window.banner.rows == []
    window.offer_tour()
    assert window.banner.rows == []


def test_about_names_versions_and_copies_them(window, qtbot, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    window.actions_by_name["about"].trigger()
    dialog = window.about_dialog
    text = dialog.versions.toPlainText()
    for part in ("KWScope", "Python", "Qt", "PySide6", "NumPy", "Numba", "Loudness · 0123456789ab"):
        assert part in text
    assert "PyTorch" not in text
    qtbot.mouseClick(dialog.copy, LEFT)
    copied = QApplication.clipboard().text().splitlines()
    assert copied[1] == "Network: Loudness · 0123456789ab"
    assert dialog.copy.text() == "Copied"
    licences = dialog.licences.toPlainText()
    assert "SIL OPEN FONT LICENSE" in licences.upper()
    assert "CC BY 4.0" in licences
    assert all(button.text() for button in dialog.findChildren(QPushButton))
    dialog.close()


def test_torch_is_named_only_when_loaded(monkeypatch) -> None:
    class Torch:
        __version__ = "9.9"

    monkeypatch.setitem(sys.modules, "torch", Torch)
    assert ("PyTorch", "9.9") in about.facts("", "")
    monkeypatch.delitem(sys.modules, "torch")
    assert "PyTorch" not in dict(about.facts("", ""))
    assert dict(about.facts("", ""))["Network"] == "none loaded"


def test_every_required_package_has_its_licence_named(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {line.split(">")[0].split("=")[0] for line in project["dependencies"]}
    named = {part.distribution for part in about.COMPONENTS}
    assert required - named - {"rich"} == set()  # Rich stands beside Typer

"""Names for screen readers, keys for everything, and nothing cut off from small windows to 4K."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)

from app import settings as store
from app.commands import COMMANDS
from app.help import EDGE, FOOT
from app.presets import PRESETS
from app.sources import MICROPHONE
from app.statusbar import GIVES_WAY, Health
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device

SIZES = [(1024, 640), (1280, 720), (1920, 1080), (3840, 2160)]
FULL = Health(
    "listening · 48 kHz", "good", 25.0, 46.0, 0.0025, 0, 0, -18.0, "good level", "NanoMamba-Tiny · 0123456789"
)
CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


def fake(open_window: OpenWindow, settings: store.Settings | None = None):
    return open_window(MICROPHONE, settings, build_source=lambda choice: Device())


def place(widget: QWidget) -> QRect:
    return QRect(widget.mapTo(widget.window(), QPoint(0, 0)), widget.size())


def unnamed(root: QWidget) -> list[str]:
    """Controls that a screen reader could not name."""
    found = []
    for widget in root.findChildren(QWidget):
        inner = widget.objectName().startswith("qt_") or isinstance(widget, QScrollBar)
        belongs = isinstance(widget.parent(), QAbstractSpinBox | QComboBox | QLineEdit)  # parts of another control
        if isinstance(widget, CONTROLS) and not inner and not belongs:
            said = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
            if not said:
                found.append(f"{type(widget).__name__} in {type(widget.parent()).__name__}")
    return found


def test_every_control_of_the_window_has_a_name(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window)
    window.use_preset("researcher")
    window.do_settings()
    window.do_about()
    window.actions_by_name["tour"].trigger()
    window.notify("one", "A message.", "warning")
    assert unnamed(window) == []
    assert window.settings_dialog is not None
    window.settings_dialog.close()


def test_every_panel_and_bar_has_a_name(open_window: OpenWindow) -> None:
    window = fake(open_window)
    for key, dock in window.docks.items():
        assert dock.accessibleName(), key
        assert window.panels[key].accessibleName() or dock.accessibleName(), key
    for part in (window.timeline, window.banner, window.overlay, window.status.lamp):
        assert part.accessibleName()


def test_every_command_has_a_key_or_a_menu() -> None:
    for command in COMMANDS:
        assert command.keys or command.menu or command.dock, command.name


def test_tab_reaches_the_buttons_of_the_toolbar(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window)
    wanted = {button for button in window.toolbar.findChildren(QAbstractButton) if button.isVisible()}
    wanted = {button for button in wanted if not button.objectName().startswith("qt_")}
    reached: set[QWidget] = set()
    window.toolbar.run_button.setFocus()
    for _ in range(200):
        focus = QApplication.focusWidget()
        if focus is None or wanted <= reached:
            break
        reached.add(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert wanted <= reached, [button.accessibleName() for button in wanted - reached]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_panels_have_their_room_and_do_not_overlap(
    open_window: OpenWindow, qtbot, preset, size: tuple[int, int]
) -> None:
    window = fake(open_window)
    window.resize(*size)
    window.use_preset(preset.name)
    qtbot.wait(20)  # sizes are shared out
    check_room(window, size)


@pytest.mark.parametrize("percent", [150, 200])
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_panels_have_their_room_with_large_text(open_window: OpenWindow, qtbot, preset, percent: int) -> None:
    """Set in the running window, as a user does, and back again."""
    size = (1280, 720)
    window = fake(open_window)
    window.resize(*size)
    window.use_preset(preset.name)
    qtbot.wait(20)
    before = {key: place(dock) for key, dock in window.docks.items() if dock.isVisible()}
    window.set_preference("text_percent", percent)
    qtbot.wait(40)
    check_room(window, size)
    window.set_preference("text_percent", 100)
    qtbot.wait(40)
    check_room(window, size)
    assert {key for key, dock in window.docks.items() if dock.isVisible()} == set(before), "none stays behind a tab"


def test_a_panel_that_is_shown_without_room_shares_a_place(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window, store.Settings(theme="light", text_percent=200))
    window.resize(1280, 720)
    window.use_preset("booth")
    qtbot.wait(20)
    for name in ("detection", "noise_panel", "notes"):
        window.actions_by_name[name].trigger()
        qtbot.wait(20)
        check_room(window, (1280, 720))
        assert not window.docks[name.removesuffix("_panel")].bar.visibleRegion().isEmpty(), "it is in front"
    window.docks["delta"].toggleViewAction().trigger()
    qtbot.wait(20)
    check_room(window, (1280, 720))
    window.set_preference("text_percent", 100)


def check_room(window, size: tuple[int, int]) -> None:
    """Every panel that is seen has its least size, none lies over another, and the window fits its screen."""
    assert (window.width(), window.height()) == size, "the window fits its screen"
    seen = {key: dock for key, dock in window.docks.items() if not dock.bar.visibleRegion().isEmpty()}
    assert seen
    for key, dock in seen.items():
        panel = dock.widget()
        least = panel.minimumSize().expandedTo(panel.minimumSizeHint())
        assert panel.height() >= least.height(), f"{key}: {panel.height()} of {least.height()}"
        assert panel.width() >= least.width(), f"{key}: {panel.width()} of {least.width()}"
        assert window.rect().contains(place(dock)), key
        assert place(dock).bottom() <= place(window.timeline_bar).top(), key
    for (one, first), (other, second) in itertools.combinations(seen.items(), 2):
        assert not place(first).intersects(place(second)), f"{one} and {other}"


def cut(window) -> list[str]:
    """What of toolbar and status bar is not shown whole."""
    found = []
    for widget in (*window.toolbar.findChildren(QAbstractButton), *window.status.findChildren(QLabel)):
        name = widget.accessibleName() or widget.text()
        if not widget.isVisible():
            continue
        if widget.objectName().startswith("qt_"):
            found.append("buttons behind the extension of the toolbar")
        elif widget.text() and widget.width() < widget.sizeHint().width():
            found.append(f"{name}: {widget.width()} of {widget.sizeHint().width()}")
        elif not window.rect().contains(place(widget)):
            found.append(f"{name} lies outside")
    return found


@pytest.mark.parametrize(("width", "percent"), [(900, 100), (900, 200), (1024, 150), (1280, 100), (1280, 200)])
def test_no_text_of_the_bars_is_cut(open_window: OpenWindow, qtbot, width: int, percent: int) -> None:
    window = fake(open_window, store.Settings(theme="light", text_percent=percent))
    window.resize(width, 720)
    window.toolbar.set_network("NanoMamba-Matched-DualPCEN-v2-SSMv2")
    window.tick()
    window.timer.stop()
    window.status.show_health(FULL)
    qtbot.waitUntil(lambda: cut(window) == [], timeout=10_000)
    assert window.status.fields["lost"].isVisible()
    assert window.status.fields["source"].isVisible()


def test_the_status_bar_gives_way_in_order(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window)
    hidden: list[int] = []
    for width in (3000, 900, 600, 400, 200):
        window.status.setFixedWidth(width)
        window.status.show_health(FULL, force=True)
        window.status._fit()
        gone = [name for name in GIVES_WAY if window.status.fields[name].isHidden()]
        assert gone == list(GIVES_WAY[: len(gone)])
        hidden.append(len(gone))
    assert hidden == sorted(hidden)
    assert hidden[0] == 0
    assert hidden[-1] == len(GIVES_WAY)


@pytest.mark.parametrize("size", [(900, 560), *SIZES], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_shortcut_overlay_holds_every_entry(open_window: OpenWindow, size: tuple[int, int]) -> None:
    window = fake(open_window)
    columns, row = window.overlay.arrange(*size)
    entries = [line for column in columns for line in column if isinstance(line, tuple)]
    assert sorted(entries) == sorted(entry for group in window.overlay.groups().values() for entry in group)
    assert max(len(column) for column in columns) * row + 2 * EDGE + FOOT <= size[1]
    assert row >= 15


@pytest.mark.parametrize("percent", [90, 100, 200])
def test_no_label_of_the_settings_dialog_is_cut(open_window: OpenWindow, qtbot, percent: int) -> None:
    window = fake(open_window, store.Settings(theme="light", text_percent=percent))
    window.do_settings()
    dialog = window.settings_dialog
    assert dialog is not None
    qtbot.wait(1)
    for row in dialog.rows.values():
        for label in (row.label, row.help):
            needed = label.heightForWidth(label.width()) if label.wordWrap() else label.sizeHint().height()
            assert label.height() >= needed, label.text()
        assert row.control.width() >= row.control.minimumSizeHint().width(), row.label.text()
    for button in dialog.buttons.values():
        assert button.width() >= button.sizeHint().width(), button.text()
    dialog.close()
    window.set_preference("text_percent", 100)


def test_full_screen_by_key_and_escape(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window)
    window.banner.dismiss_all()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    qtbot.waitUntil(window.isFullScreen)
    assert window.actions_by_name["full_screen"].isChecked()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.isFullScreen())
    assert not window.actions_by_name["full_screen"].isChecked()
    window.showMaximized()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    qtbot.waitUntil(window.isFullScreen)
    qtbot.keyClick(window, Qt.Key.Key_F11)
    qtbot.waitUntil(lambda: not window.isFullScreen())
    assert window.isMaximized()


def test_the_empty_state_leads_to_the_tour(open_window: OpenWindow) -> None:
    window = fake(open_window)
    assert "Shift + F1" in window.readout.empty

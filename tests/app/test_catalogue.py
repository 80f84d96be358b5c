"""The list of panels and commands holds together; presets show what they say; old layouts survive new panels."""

from __future__ import annotations

import base64

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QWidget

from app import settings as store
from app import window as module
from app.catalogue import ALWAYS, BY_KEY, PANELS, Area, PanelSpec, keys_in
from app.commands import COMMANDS
from app.feature import Feature
from app.presets import PRESETS, find
from app.sources import MICROPHONE
from kwscore.errors import KWScopeError
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device

FIRST = 11  # panels of the first version that saved layouts


class Extra(QWidget):
    """A panel as somebody else might add it."""

    title = "Extra: a panel that came later"
    about = "Nothing."

    def set_theme(self, theme: object) -> None:
        pass


def fake(open_window: OpenWindow, settings: store.Settings | None = None):
    return open_window(MICROPHONE, settings, build_source=lambda choice: Device())


def add_panel(monkeypatch: pytest.MonkeyPatch, spec: PanelSpec) -> None:
    from app import arrangement, catalogue, presets

    panels = (*PANELS, spec)
    for where in (catalogue, module, presets):
        monkeypatch.setattr(where, "PANELS", panels)
    monkeypatch.setitem(arrangement.BY_KEY, spec.key, spec)


def test_keys_and_names_are_given_once() -> None:
    assert len({spec.key for spec in PANELS}) == len(PANELS)
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    keys = [QKeySequence(key).toString() for command in COMMANDS for key in command.keys]
    assert sorted(keys) == sorted(set(keys))
    assert not [key for key in keys if key.startswith("Ctrl+") and key[5:].isdigit()]  # the panels' own


def test_every_command_is_carried_out_by_somebody(open_window: OpenWindow) -> None:
    window = fake(open_window)
    for command in COMMANDS:
        if command.dock:
            assert command.dock in window.docks
        else:
            assert callable(window.handler(command.name))
        assert command.menu in ("", "view", "layout", "help")


def test_presets_of_panels_exist() -> None:
    names = {preset.name for preset in PRESETS}
    assert names == set(ALWAYS)
    for spec in PANELS:
        assert set(spec.presets) <= names, spec.key
    for preset in PRESETS:
        assert set(preset.shares) <= set(BY_KEY)
        assert preset.shown
    with pytest.raises(KWScopeError, match="no preset 'tv': use one of standard"):
        find("tv")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_shows_its_panels_and_no_others(open_window: OpenWindow, qtbot, preset) -> None:
    window = fake(open_window)
    window.docks["snr"].setFloating(True)
    window.use_preset(preset.name)
    assert tuple(key for key, dock in window.docks.items() if not dock.isHidden()) == preset.shown
    assert [key for key, dock in window.docks.items() if dock.isFloating()] == []
    assert window.display.pitch == preset.pitch
    qtbot.wait(20)  # sizes are shared out once hidden docks are shown
    column = [window.docks[key] for key in keys_in(Area.TIME) if not window.docks[key].bar.visibleRegion().isEmpty()]
    assert [dock.y() for dock in column] == sorted({dock.y() for dock in column})


def test_a_preset_of_the_command_line(open_window: OpenWindow) -> None:
    from kwscore.cli.window import Preset

    assert [preset.name for preset in PRESETS] == [choice.value for choice in Preset]
    first = fake(open_window)
    first.docks["delta"].hide()
    first.close()
    kept, _ = store.load()
    window = fake(open_window, kept)
    window.use_preset("booth")
    window.keep_layout = False
    window.close()
    assert store.load()[0].layout == kept.layout


def test_preset_keys(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window)
    for key, name in ((Qt.Key.Key_F2, "booth"), (Qt.Key.Key_F3, "researcher"), (Qt.Key.Key_F4, "fpga")):
        qtbot.keyClick(window, key)
        assert window.arrangement.preset is find(name)
    qtbot.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert window.arrangement.preset is find("standard")


@pytest.mark.parametrize("area", list(Area))
@pytest.mark.parametrize("presets", [(), ALWAYS], ids=["hidden", "shown"])
def test_a_layout_saved_before_a_panel_came_still_counts(
    open_window: OpenWindow, monkeypatch, area: Area, presets: tuple[str, ...]
) -> None:
    old = fake(open_window)
    old.docks["delta"].hide()
    old.docks["log"].setFloating(area is Area.BEHIND)
    kept = base64.b64encode(old.saveState(store.VERSION).data()).decode()
    old.close()
    add_panel(monkeypatch, PanelSpec("extra", lambda w: Extra(), area, presets=presets))
    window = fake(open_window, store.Settings(theme="light", layout=kept))
    assert window.docks["delta"].isHidden()
    assert not window.docks["snr"].isHidden()
    assert window.docks["extra"].isHidden() == (not presets)
    assert window.dockWidgetArea(window.docks["extra"]) is not Qt.DockWidgetArea.NoDockWidgetArea
    window.docks["extra"].show()
    assert window.docks["extra"].isVisible()


def test_a_layout_with_a_panel_that_is_gone_still_counts(open_window: OpenWindow, monkeypatch) -> None:
    with monkeypatch.context() as later:
        add_panel(later, PanelSpec("extra", lambda w: Extra(), Area.SIDE, presets=ALWAYS))
        new = fake(open_window)
        new.docks["delta"].hide()
        kept = base64.b64encode(new.saveState(store.VERSION).data()).decode()
        new.close()
    window = fake(open_window, store.Settings(theme="light", layout=kept))
    assert [key for key in keys_in(Area.TIME) if window.docks[key].isHidden()] == [
        key for key in keys_in(Area.TIME) if key == "delta" or "standard" not in BY_KEY[key].presets
    ]


def test_hooks_of_panels_and_features(open_window: OpenWindow, monkeypatch) -> None:
    seen: list[object] = []

    class Watcher(Feature):
        def frame(self) -> None:
            seen.append("feature frame")

        def status(self, health: object) -> None:
            seen.append("feature status")

        def event(self, event: object) -> None:
            seen.append(("feature", event))

        def close(self) -> None:
            seen.append("closed")

        def do_reset(self) -> None:  # the window's own comes first
            seen.append("never")

    add_panel(
        monkeypatch,
        PanelSpec(
            "extra",
            lambda w: Extra(),
            Area.SIDE,
            presets=ALWAYS,
            frame=lambda w, panel: seen.append("frame"),
            status=lambda w, panel: seen.append("status"),
            event=lambda w, panel, event: seen.append(("panel", event)),
            connect=lambda w, panel: seen.append("connect"),
        ),
    )
    monkeypatch.setattr(module, "FEATURES", (Watcher,))
    window = fake(open_window)
    assert seen[0] == "connect"
    window.tick()
    window.refresh_status()
    window._handle("news")
    assert {"frame", "status", "feature frame", "feature status", ("panel", "news"), ("feature", "news")} <= set(seen)
    window.docks["extra"].hide()
    seen.clear()
    window.tick()
    assert "frame" not in seen
    window.actions_by_name["reset"].trigger()
    window.close()
    assert "closed" in seen
    assert "never" not in seen

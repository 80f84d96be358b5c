"""Everything without a mouse: Tab goes where one sees it, in the order in which one reads; every action has its way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu, QTabBar, QToolBar, QWidget

from app.commands import COMMANDS
from app.panels.log import LogRow
from app.panels.notes import NoteRow
from app.window import MainWindow
from tests.app.conftest import OpenWindow
from tests.app.test_comfort import CONTROLS, fake, unnamed

ROW = 14  # px: what lies within is one line


def walk(window: MainWindow, qtbot, most: int = 300) -> list[QWidget]:
    """What Tab reaches from the Start button on until it comes back there."""
    first = window.toolbar.run_button
    first.setFocus()
    reached: list[QWidget] = [first]
    for _ in range(most):
        focus = QApplication.focusWidget()
        assert focus is not None
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        if focus is first or focus is None:
            return reached
        reached.append(focus)
    raise AssertionError(f"Tab does not come back within {most} steps")


def everything(open_window: OpenWindow, qtbot, front: str = "") -> MainWindow:
    """All panels shown, ``front`` on top of its tabs, a message, a word and a note."""
    window = fake(open_window)
    window.resize(1920, 1080)
    for dock in window.docks.values():
        dock.show()
    window.log.add(LogRow(1.0, "yes", 0.9, 100.0, 90))
    window.panels["notes"].show_rows([NoteRow("a", 1.0, "a lorry", 90)])
    window.notify("one", "A message.", "warning")
    if front:
        window.docks[front].raise_()
    qtbot.wait(20)
    return window


def title_of(window: MainWindow, widget: QWidget) -> str:
    return next((key for key, dock in window.docks.items() if dock.isAncestorOf(widget)), "")


@pytest.mark.parametrize("front", ["log", "noise", "detection", "notes"])
def test_tab_reaches_what_is_seen_and_nothing_else(open_window: OpenWindow, qtbot, front: str) -> None:
    window = everything(open_window, qtbot, front)
    reached = walk(window, qtbot)
    seen = {key for key, dock in window.docks.items() if not dock.bar.visibleRegion().isEmpty()}
    assert front in seen
    assert {title_of(window, each) for each in reached} - {""} <= seen
    wanted = [
        each
        for each in window.findChildren(QWidget)
        if isinstance(each, CONTROLS)
        and each.isVisible()
        and each.isEnabled()
        and each.focusPolicy() & Qt.FocusPolicy.TabFocus
        and title_of(window, each) in seen | {""}
        and not each.objectName().startswith("qt_")
        and each.focusProxy() is None
        and not isinstance(each.parent(), CONTROLS)
        and not isinstance(each, QTabBar)
    ]
    missed = [each.accessibleName() for each in wanted if each not in reached]
    assert missed == []


def test_tab_goes_as_one_reads(open_window: OpenWindow, qtbot) -> None:
    """Along the toolbar, and in every panel line by line."""
    for front in ("detection", "noise"):
        window = everything(open_window, qtbot, front)
        parts: dict[QWidget, list[QWidget]] = {}
        for each in walk(window, qtbot):
            owner = next((p for p in (window.toolbar, *window.docks.values()) if p.isAncestorOf(each)), None)
            if owner is not None:
                parts.setdefault(owner, []).append(each)
        assert len(parts[window.toolbar]) >= 9
        assert len(parts[window.docks[front]]) >= 5
        for owner, stops in parts.items():
            places = [each.mapTo(owner, QPoint(0, each.height() // 2)) for each in stops]
            for (one, here), (following, there) in pairwise(zip(stops, places, strict=True)):
                down = there.y() - here.y()
                names = f"{one.accessibleName()} before {following.accessibleName()}"
                assert down > ROW or (abs(down) <= ROW and there.x() > here.x()), names


def test_backwards_is_the_same_way(open_window: OpenWindow, qtbot) -> None:
    window = everything(open_window, qtbot, "notes")
    forward = walk(window, qtbot)
    for expected in reversed(forward[1:]):
        focus = QApplication.focusWidget()
        assert focus is not None
        qtbot.keyClick(focus, Qt.Key.Key_Backtab)
        assert QApplication.focusWidget() is expected


def test_every_control_of_every_panel_and_dialog_has_a_name(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("app.board_dialog.list_boards_and_ports", lambda: [])
    window = everything(open_window, qtbot)
    for name in ("settings", "about", "tour", "board", "experiment"):
        window.actions_by_name[name].trigger()
    qtbot.wait(20)
    assert window.findChildren(QTabBar)
    for top in (window, *(each for each in QApplication.topLevelWidgets() if each.isVisible())):
        assert unnamed(top) == [], top.windowTitle()
        for bar in top.findChildren(QTabBar):
            assert bar.accessibleName(), top.windowTitle()
        for button in top.findChildren(QAbstractButton):
            shown, said = button.text().replace("&", "").lower(), button.accessibleName().lower()
            if shown and said and not button.accessibleDescription():  # which says what a choice is now
                assert any(word[:5].rstrip("…") in said for word in shown.split()), f"{shown!r} is called {said!r}"
    for top in QApplication.topLevelWidgets():
        if top is not window and top.isVisible() and not isinstance(top, QMenu | QLabel):
            top.close()


def test_every_action_has_a_key_or_stands_in_a_menu(open_window: OpenWindow) -> None:
    window = fake(open_window)
    for menu in window.toolbar.findChildren(QMenu):
        menu.aboutToShow.emit()
    listed = {action for menu in window.findChildren(QMenu) for action in menu.actions()}
    direct = {command.text for command in COMMANDS if command.direct}
    bars = {bar.toggleViewAction() for bar in window.findChildren(QToolBar)}  # which cannot be hidden
    for action in window.findChildren(QAction):
        if action.text() and not action.isSeparator() and action not in bars:
            assert action.shortcuts() or action in listed or action.text() in direct, action.text()
    panels = {dock.toggleViewAction().text() for dock in window.docks.values()}
    shown = {action.text() for action in window.toolbar.view_button.menu().actions()}
    assert panels <= shown, "every panel is shown and hidden from the View menu"


def test_f6_enlarges_one_panel_after_the_other(open_window: OpenWindow, qtbot) -> None:
    window = fake(open_window)
    shown = [key for key, dock in window.docks.items() if not dock.isHidden()]
    for key in shown:
        qtbot.keyClick(window, Qt.Key.Key_F6)
        assert window.arrangement.enlarged == key
    qtbot.keyClick(window, Qt.Key.Key_F6)
    assert window.arrangement.enlarged is None
    assert [key for key, dock in window.docks.items() if not dock.isHidden()] == shown
    qtbot.keyClick(window, Qt.Key.Key_F6)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.arrangement.enlarged is None


def test_enter_shows_the_moment_of_a_word_and_of_a_note(open_window: OpenWindow, qtbot) -> None:
    window = everything(open_window, qtbot)
    notes = window.panels["notes"]
    for panel in (window.log, notes):
        panel.table.setCurrentIndex(panel.table.model().index(0, 0))
        with qtbot.waitSignal(panel.moment_wanted) as said:
            qtbot.keyClick(panel.table, Qt.Key.Key_Return)
        assert said.args == [90]

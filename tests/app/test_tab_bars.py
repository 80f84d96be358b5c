"""Panels that share a place leave no tab bar behind when the layout changes."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QApplication, QTabBar

from app.sources import MICROPHONE
from app.window import MainWindow
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device


def bars(window: MainWindow) -> list[QTabBar]:
    """The bars of panels that share a place."""
    every = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return [bar for bar in every if bar.isVisible() and bar.count() > 1]


def forgotten(window: MainWindow, tabs: tuple[str, ...], place: QRect) -> QTabBar:
    """A bar as Qt leaves it behind, now and then, when docks are taken out of a place that they shared."""
    bar = QTabBar(window)
    for text in tabs:
        bar.addTab(text)
    bar.setGeometry(place)
    bar.show()
    bar.raise_()
    return bar


def test_bars_that_qt_forgot_are_emptied_and_all_others_stay(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    window.do_researcher()
    qtbot.waitUntil(lambda: len(bars(window)) > 1)
    QApplication.processEvents()
    window.arrangement.sweep()
    kept = bars(window)
    tabs = [[bar.tabText(at) for at in range(bar.count())] for bar in kept]
    plot = window.docks["posteriors"].geometry()
    over = forgotten(window, tuple(tabs[0]), QRect(plot.left(), plot.top() + 9, 300, 28))  # over a panel
    old = forgotten(window, ("Waveform", "Posteriors"), kept[0].geometry())  # over a bar that is in use
    window.arrangement.sweep()
    assert [bar.count() for bar in (over, old)] == [0, 0]
    assert [bar.isVisible() for bar in (over, old)] == [False, False]
    assert bars(window) == kept
    assert [[bar.tabText(at) for at in range(bar.count())] for bar in kept] == tabs


def test_bars_are_swept_once_a_layout_has_settled(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    swept: list[bool] = []
    monkeypatch.setattr(window.arrangement, "sweep", lambda: swept.append(True))
    window.do_booth()
    qtbot.waitUntil(lambda: bool(swept), timeout=60_000)

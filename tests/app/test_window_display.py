"""What the real window shows: scrolling back, holding still, one time axis, panels that come and go."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from app.catalogue import STANDARD
from app.presets import find
from app.sources import DEMO, MICROPHONE, Choice
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine, write_sound
from tests.app.handling import LEFT, click, live, shown_plots


def test_freeze_holds_the_display_while_listening_goes_on(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert window.toolbar.freeze_button.isChecked()
    held = window.display.end
    qtbot.waitUntil(lambda: window.feed.end > held + 50)
    assert window.display.end == held
    qtbot.keyClick(window, Qt.Key.Key_F)
    window.tick()
    assert window.display.end >= held + 50
    assert not window.toolbar.freeze_button.isChecked()


def test_keys_scroll_back_and_end_returns(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    for _ in range(5):
        qtbot.keyClick(window, Qt.Key.Key_Plus)  # fewest columns on the screen
    window.tick()
    shown = window.shown_columns()
    qtbot.waitUntil(lambda: window.feed.end > 3 * shown)
    newest = window.display.end
    qtbot.keyClick(window, Qt.Key.Key_Left)
    assert window.display.frozen
    at = window.display.end
    assert at >= newest - 50
    qtbot.keyClick(window, Qt.Key.Key_PageUp)
    assert window.display.end == max(at - shown * 9 // 10, shown)
    qtbot.keyClick(window, Qt.Key.Key_Home)
    assert window.display.end == shown
    window.tick()
    assert {panel.end for panel in shown_plots(window)} == {shown}
    qtbot.keyClick(window, Qt.Key.Key_Right)
    assert window.display.end == shown + 50
    qtbot.keyClick(window, Qt.Key.Key_End)
    assert not window.display.frozen


def test_wheel_and_drag_scroll_back(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.display.pitch = 8
    window.tick()
    shown = window.shown_columns()
    qtbot.waitUntil(lambda: window.feed.end > 2 * shown)
    panel = window.time_panels["spectrogram"]
    middle = QPointF(panel.plot.center())
    wheel = QWheelEvent(
        middle, panel.mapToGlobal(middle), QPoint(), QPoint(0, 120), LEFT & ~LEFT, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(panel, wheel)
    assert window.display.frozen
    window.tick()
    before = window.display.end
    start = middle.toPoint()
    qtbot.mousePress(panel, LEFT, pos=start)
    qtbot.mouseMove(panel, start + QPoint(80, 0))
    qtbot.mouseRelease(panel, LEFT, pos=start + QPoint(80, 0))
    assert window.display.end == before - 10


def test_the_timeline_is_dragged_and_leads_back(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.display.pitch = 8
    window.tick()
    qtbot.waitUntil(lambda: window.feed.end > 3 * window.shown_columns())
    window.tick()
    track = window.timeline.track
    qtbot.mouseClick(window.timeline, LEFT, pos=QPoint(round(track.left() + track.width() / 2), 12))
    assert window.display.frozen
    assert window.display.end < window.feed.end - 50
    qtbot.mouseClick(window.timeline, LEFT, pos=QPoint(window.timeline.width() - 40, 12))
    assert not window.display.frozen


def test_reset_begins_anew(open_window: OpenWindow, qtbot, engine: LoudnessEngine) -> None:
    window, _ = live(open_window, qtbot)
    before, resets = window.controller.worker.history, engine.resets
    click(qtbot, window.toolbar.reset_button)
    qtbot.waitUntil(lambda: window.controller.worker.history is not before)
    qtbot.waitUntil(lambda: window.feed.end > 0)
    assert engine.resets > resets
    assert window.feed.first == 0


def test_all_plots_share_one_axis(open_window: OpenWindow, qtbot) -> None:
    window, _ = live(open_window, qtbot)
    window.tick()
    assert len({panel.x_of(50) for panel in shown_plots(window)}) == 1
    panel = window.time_panels["snr"]
    qtbot.mouseMove(panel, panel.plot.center().toPoint())
    assert {each.cursor_column for each in window.time_panels.values()} == {panel.column_at(panel.plot.center().x())}


def test_a_click_in_the_log_shows_the_moment(open_window: OpenWindow, qtbot, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "long.wav", bursts=4, seconds=20)
    window = open_window(Choice("file", str(sound)))
    window.controller.start()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 4)
    qtbot.waitUntil(lambda: not window.controller.running)
    index = window.log.model.index(2, 1)
    window.log.table.clicked.emit(index)
    column = window.log.model.rows[1].column
    assert window.display.frozen
    assert window.display.end - window.shown_columns() < column < window.display.end


def test_panels_hide_come_back_and_enlarge(open_window: OpenWindow, qtbot) -> None:
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    dock = window.docks["snr"]
    click(qtbot, dock.bar.hide_button)
    assert dock.isHidden()
    dock.toggleViewAction().trigger()
    assert dock.isVisible()
    tall = window.docks["delta"].height()
    qtbot.mouseDClick(window.docks["delta"].bar, LEFT)
    assert [key for key in window.time_panels if window.docks[key].isVisible()] == ["delta"]
    qtbot.waitUntil(lambda: window.docks["delta"].height() > 3 * tall)
    qtbot.waitUntil(lambda: window.time_panels["delta"]._axis)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert all(window.docks[key].isVisible() for key in find(STANDARD).shown)
    qtbot.waitUntil(lambda: [k for k, p in window.time_panels.items() if p._axis] == ["posteriors"])


def test_demo_words_are_marked_beside_what_is_heard(open_window: OpenWindow, qtbot) -> None:
    from kwscore.audio.playlist import PlaylistSource

    window = open_window(DEMO, build_source=lambda choice: PlaylistSource(pace="fast"))
    window.controller.start()
    qtbot.waitUntil(lambda: bool(window.feed.truths(0, window.feed.end)))
    qtbot.waitUntil(lambda: window.readout.caption.startswith("playing: "))

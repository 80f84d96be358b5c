"""The cursor through all panels, the moment of a detection, and the word beside it in clean, in the real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication

from app.clean import Clean, word_to_compare
from app.cursor import Cursor
from app.feed import Mark, Moment
from app.moments import AROUND, Moments, moment_of
from app.panels.bandmap import centre
from app.sources import Choice
from app.window import MainWindow
from tests.app.conftest import OpenWindow
from tests.app.fakes import LoudnessEngine, SteadyFeed, write_sound
from tests.app.handling import live, part


@pytest.fixture
def heard(open_window: OpenWindow, qtbot, tmp_path: Path) -> MainWindow:
    """A window that has heard two words in 8 s and stands still."""
    sound = write_sound(tmp_path / "words.wav", bursts=2, seconds=8)
    window = open_window(
        Choice("file", str(sound)), load_engine=lambda name, progress: (LoudnessEngine(), (-50.0, -8.0))
    )
    window.controller.start()
    qtbot.waitUntil(lambda: len(window.log.model.rows) == 2, timeout=60_000)
    qtbot.waitUntil(lambda: not window.controller.running, timeout=60_000)
    window.tick()
    return window


def spot(window: MainWindow, key: str, column: float, height: float = 0.5) -> QPoint:
    panel = window.time_panels[key]
    plot = panel.plot
    return QPointF(panel.x_of(column + 0.5), plot.bottom() - height * plot.height()).toPoint()


def test_the_mouse_moves_one_cursor_through_all_panels(heard: MainWindow, qtbot) -> None:
    column = heard.display.end - 100
    qtbot.mouseMove(heard.time_panels["spectrogram"], spot(heard, "spectrogram", column, 0.51))
    assert all(panel.cursor_column == column for panel in heard.time_panels.values())
    values = {key: heard.docks[key].bar.value.text() for key in heard.time_panels}
    assert values["spectrogram"].startswith("1.8 kHz: ")
    assert "dB" in values["spectrogram"]
    assert values["snr"].startswith("1.8 kHz: 0.50")
    assert values["routing"] == "non-stationary 0.50, stationary 0.50"
    assert values["delta"] == "block 1 0.50, block 2 0.50"
    assert values["posteriors"].startswith("silence")
    heard.time_panels["spectrogram"].leaveEvent(None)
    assert not any(heard.docks[key].bar.value.text() for key in heard.time_panels)


def test_the_keys_move_a_placed_cursor_and_say_what_is_there(heard: MainWindow, qtbot) -> None:
    cursor = part(heard, Cursor)
    assert isinstance(cursor, Cursor)
    qtbot.keyClick(heard, Qt.Key.Key_Left)
    assert heard.display.end == heard.feed.end - 50, "without a cursor the arrows move in time"
    qtbot.keyClick(heard, Qt.Key.Key_C)
    assert heard.display.frozen
    before = cursor.column
    assert before is not None
    for _ in range(3):
        qtbot.keyClick(heard, Qt.Key.Key_Left)
    assert cursor.column == before - 3
    qtbot.keyClick(heard, Qt.Key.Key_Right)
    assert cursor.column == before - 2
    qtbot.keyClick(heard, Qt.Key.Key_Up)
    assert heard.docks["spectrogram"].bar.value.text().startswith("1.8 kHz")
    qtbot.keyClick(heard, Qt.Key.Key_Up)
    assert heard.docks["spectrogram"].bar.value.text().startswith("2.0 kHz")
    assert cursor.spoken.startswith(f"{(before - 2) / 100 + 0.032:.2f} s. Waveform: ")
    assert "Routing: non-stationary 0.50" in cursor.spoken
    assert heard.timeline.accessibleDescription() == cursor.spoken
    qtbot.mouseMove(heard.time_panels["snr"], spot(heard, "snr", heard.display.end - 5))
    assert cursor.column == before - 2, "it stays where it was put"
    qtbot.keyClick(heard, Qt.Key.Key_Escape)
    assert cursor.column is None
    qtbot.keyClick(heard, Qt.Key.Key_C)
    qtbot.keyClick(heard, Qt.Key.Key_End)
    heard.tick()
    assert cursor.column is None, "back to live, the cursor follows the mouse"


def test_the_cursor_takes_the_display_along(heard: MainWindow, qtbot) -> None:
    cursor = heard.time_cursor
    for _ in range(6):
        heard.do_zoom_in()
    heard.tick()
    shown = heard.shown_columns()
    cursor.place(heard.display.end - shown)
    end = heard.display.end
    assert cursor.step(-10)
    assert heard.display.end == end - 10
    cursor.place(heard.feed.first)
    assert cursor.step(-1)
    assert cursor.column == heard.feed.first


def test_words_from_before_a_reset_are_listed_and_their_moment_is_gone(heard: MainWindow, qtbot) -> None:
    heard.controller.start()  # the same file again: the same words in the same columns of another history
    qtbot.waitUntil(lambda: len(heard.log.model.rows) == 4, timeout=60_000)
    heard.tick()
    assert [row.column > 0 for row in heard.log.model.rows] == [False, False, True, True]
    heard.log.table.clicked.emit(heard.log.model.index(3, 0))
    assert part(heard, Moments).moment is None
    assert "no longer held" in heard.banner.text()
    assert not heard.display.frozen
    heard.log.table.clicked.emit(heard.log.model.index(0, 0))
    assert part(heard, Moments).moment is not None


@pytest.mark.parametrize("by", ["mark", "tag", "log"])
def test_a_click_on_a_detection_shows_the_second_around_it(heard: MainWindow, qtbot, by: str) -> None:
    mark = heard.feed.marks[-1]
    pitch = heard.display.pitch
    if by == "log":
        heard.log.table.clicked.emit(heard.log.model.index(0, 0))
    else:
        column = mark.start + 1 if by == "mark" else mark.column + 6
        place = spot(heard, "waveform", column, 0.9)
        qtbot.mouseClick(heard.time_panels["waveform"], Qt.MouseButton.LeftButton, pos=place)
    heard.tick()
    moments = part(heard, Moments)
    assert isinstance(moments, Moments)
    assert moments.moment is not None
    assert (moments.moment.start, moments.moment.decided) == (mark.start, mark.column - 1)
    assert moments.moment.start <= moments.moment.peak
    assert heard.display.frozen
    shown = heard.shown_columns()
    assert AROUND <= shown < 300
    assert heard.display.end - shown + 20 < mark.start < mark.column < heard.display.end - 20
    assert "“yes”, decided at" in heard.banner.text()
    assert all(panel.moment == moments.moment for panel in heard.time_panels.values())
    heard.do_live()
    heard.tick()
    assert heard.display.pitch == pitch
    assert all(panel.moment is None for panel in heard.time_panels.values())


def test_a_click_beside_a_word_places_the_cursor_on_a_frozen_display_only(heard: MainWindow, qtbot) -> None:
    column = heard.display.end - 50
    place = spot(heard, "waveform", column)
    qtbot.mouseClick(heard.time_panels["waveform"], Qt.MouseButton.LeftButton, pos=place)
    assert not heard.display.frozen
    heard.actions_by_name["freeze"].setChecked(True)
    qtbot.mouseClick(heard.time_panels["waveform"], Qt.MouseButton.LeftButton, pos=place)
    assert heard.time_cursor.placed
    assert heard.time_cursor.column == column


def test_the_peak_is_the_highest_posterior() -> None:
    feed = SteadyFeed()
    moment = moment_of(feed, Mark(130, 151, "stop"))
    stop = feed.columns(130, 210).posteriors[:, 8]
    first = int(np.flatnonzero(stop >= 0.98 * stop.max())[0])
    assert (moment.start, moment.decided, moment.peak) == (130, 150, 130 + first)


def test_compare_with_the_word_in_clean(heard: MainWindow, qtbot) -> None:
    qtbot.keyClick(heard, Qt.Key.Key_W)  # without a moment: the newest word
    clean = part(heard, Clean)
    assert isinstance(clean, Clean)
    assert clean.dialog is not None
    qtbot.waitUntil(lambda: clean.dialog is not None and clean.dialog.sides is not None, timeout=60_000)
    dialog = clean.dialog
    assert dialog is not None
    assert dialog.sides is not None
    left, right = dialog.sides
    assert left.moment.decided == int(heard.feed.marks[-1].column) - 1
    assert right.feed.said[0].label == "yes"
    assert right.moment.start <= right.moment.decided
    QApplication.processEvents()
    a, b = dialog.panels[0][1], dialog.panels[1][1]
    assert a.pitch == b.pitch
    a.hovered.emit(left.moment.decided - 7, 0.5)
    assert b.cursor_column == right.moment.decided - 7
    assert all("dB" in label.text() for label in dialog.values[1])
    qtbot.keyClick(dialog, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(dialog, Qt.Key.Key_Right)
    assert b.cursor_column == right.moment.decided - 16
    assert dialog.accessibleDescription().startswith("this moment: Waveform:")
    assert ". in clean: Waveform:" in dialog.accessibleDescription()
    heard.apply_theme(heard.theme)
    dialog.close()
    qtbot.waitUntil(lambda: clean.dialog is None)


def test_the_true_snr_is_known_while_noise_is_mixed_in(open_window: OpenWindow, qtbot) -> None:
    window, device = live(open_window, qtbot)
    device.speak()
    window.docks["truesnr"].show()
    panel = window.time_panels["truesnr"]
    qtbot.waitUntil(panel.isVisible)
    heard = window.feed.end
    assert np.isnan(window.feed.columns(0, heard).true_snr).all()
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: window.feed.end > heard + 400, timeout=60_000)
    qtbot.waitUntil(lambda: np.isfinite(window.feed.columns(0, window.feed.end).true_snr[-50:]).all(), timeout=30_000)
    newest = window.feed.columns(window.feed.end - 50, window.feed.end).true_snr
    tone = newest.mean(0).argmax()
    assert centre(int(tone)) == pytest.approx(440, rel=0.15), "the tone stands out of white noise in its band"
    window.time_cursor.point(window.display.end - 10, (tone + 0.5) / 80)
    assert "true" in window.docks["truesnr"].bar.value.text()


def test_what_was_said_is_compared_where_it_is_known() -> None:
    moment = Moment("left", 100, 110, 104)
    assert word_to_compare(moment, []) == "left"
    assert word_to_compare(moment, [Mark(60, 108, "yes")]) == "yes"
    assert word_to_compare(moment, [Mark(60, 108, "unknown")]) == "left"
    assert word_to_compare(moment, [Mark(-90, 20, "go"), Mark(150, 190, "no")]) == "left"


def test_compare_says_when_there_is_nothing(open_window: OpenWindow, sound: Path, qtbot) -> None:
    window = open_window(Choice("file", str(sound)))
    qtbot.keyClick(window, Qt.Key.Key_W)
    assert "No word was detected yet" in window.banner.text()

"""Calibration on silence in the real window: measured, refused, set without a gap, taken back, recorded, replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import Qt

from app import settings as store
from app.calibration import LEAD, NOTHING_HEARD, why_fixed
from app.calibration_measured import caption
from app.sources import MICROPHONE, Choice
from kwscore.audio.file import FileSource
from kwscore.audio.source import SourceState
from kwscore.constants import SAMPLE_RATE
from kwscore.models.calibration import values_for_snr
from kwscore.stream.calibrator import NoiseMeter
from kwscore.stream.deferred import DeferredEngine
from kwscore.stream.runner import Batch
from tests.app.calibrating import (
    LEFT,
    Room,
    Tuned,
    calibration,
    click,
    collected,
    constants,
    dialog,
    listening,
    measured,
    press,
    refused,
    status,
)
from tests.app.conftest import OpenWindow
from tests.app.fakes import LoudnessEngine, loads

# -- measuring ------------------------------------------------------------------------------------------------


def test_the_key_measures_the_very_samples_and_sets_the_constants(open_window: OpenWindow, qtbot: Any) -> None:
    engine, room = Tuned(), Room()
    window = listening(open_window, qtbot, engine, room)
    taken: list[Batch] = []
    window.controller.listen_in(taken.append)
    press(qtbot, window, Qt.Key.Key_K)
    shown = dialog(window)
    assert shown.isVisible()
    assert not shown.isModal()
    assert "for 2 s" in shown.sentence.text()
    assert status(window).startswith("keep quiet: ")
    silence = calibration(window).silence
    assert silence is not None
    qtbot.waitUntil(lambda: shown.bar.value() > 0)
    assert shown.state.text().startswith("Keep quiet: ")
    qtbot.waitUntil(lambda: calibration(window).calibrated)
    sound, begin = np.concatenate(room.heard), silence.start
    meter = NoiseMeter()
    meter.add(sound[begin : begin + 2 * SAMPLE_RATE])
    setting = calibration(window).setting
    assert setting is not None
    np.testing.assert_allclose(setting.noise.spectrum, meter.profile().spectrum, rtol=1e-9)
    assert begin >= taken[0].position + round(LEAD * SAMPLE_RATE) - len(taken[0].samples)
    expected = values_for_snr(setting.noise.snr_of_level(-25.0), "v1")
    assert constants(engine) == pytest.approx(expected)
    window.controller.listen_in(taken.append, False)
    cuts = [batch.position for batch in taken]
    assert cuts == list(np.cumsum([cuts[0], *(len(batch.samples) for batch in taken[:-1])]))  # nothing was lost
    frames = [record.frame for batch in taken for record in batch.telemetry]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    assert engine.resets == 1  # only at the start: no gap


def test_what_was_measured_and_changed_is_shown(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot, Tuned(), Room(0.02))
    shown = measured(window, qtbot)
    assert shown.figures["Noise"].text() == "−34.0 dBFS"
    assert shown.figures["Speech"].text() == "−25.0 dBFS"
    assert "assumed" in shown.notes["Speech"].text()
    assert shown.figures["Estimated SNR"].text() == "6.9 dB"
    assert "Loudest at" in shown.plot.accessibleDescription()
    assert "network's own floor" in shown.plot.accessibleDescription()
    rows = [line[0].text() for line in shown.constants.values]
    after = values_for_snr(6.9, "v1")
    assert rows[0] == f"0.05 → {after[0]:g}"
    assert rows[1] == "0.15"
    assert rows[4].startswith("0.3 → 0.2")
    assert shown.engines.text() == "● Tuned, Tuned: calibrated for 6.9 dB"
    assert shown.help.text() == caption("0123456789ab", "Tuned", "continuous")
    assert status(window).startswith("calibrated ")
    assert "undo" in window.status.fields["calibration"].text()


def test_speech_that_was_heard_before_sets_the_snr(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot, Tuned())
    calibration(window)._speech = lambda: (-31.5, True)
    shown = measured(window, qtbot)
    assert (shown.figures["Speech"].text(), shown.notes["Speech"].text()) == ("−31.5 dBFS", "heard before")
    assert shown.figures["Estimated SNR"].text() == "20.4 dB"
    calibration(window)._speech = lambda: (-52.0, True)  # the meter took the room itself for speech
    click(qtbot, shown.measure)
    qtbot.waitUntil(lambda: shown.figures["Speech"].text() == "−25.0 dBFS")
    assert shown.notes["Speech"].text() == "the usual, assumed"


def test_the_length_and_the_law_are_settings(open_window: OpenWindow, qtbot: Any) -> None:
    settings = store.Settings(theme="light", calibration_seconds=1, calibration_law="profile")
    engine = Tuned()
    window = listening(open_window, qtbot, engine, Room(0.02), settings=settings)
    shown = measured(window, qtbot)
    assert "By 1.0 s of silence of Default microphone." in shown.sentence.text()
    assert constants(engine) == pytest.approx((0.05, 0.15, 0.1, 0.2, 0.3))
    assert "profile moderate" in shown.engines.text()
    shown.law.setCurrentIndex(0)
    shown.law.activated.emit(0)
    qtbot.waitUntil(lambda: constants(engine)[0] < 0.05)
    assert window.settings.calibration_law == "continuous"
    click(qtbot, shown.undo)
    qtbot.waitUntil(lambda: constants(engine)[0] == pytest.approx(0.05))
    window.do_settings()
    assert window.settings_dialog is not None
    window.settings_dialog.search.setText("calibrate silence")
    assert not window.settings_dialog.rows["calibrate"].isHidden()
    assert window.settings_dialog.rows["theme"].isHidden()


# -- refusing -------------------------------------------------------------------------------------------------


def test_a_word_refuses_it_and_may_be_taken_for_the_noise(open_window: OpenWindow, qtbot: Any) -> None:
    engine, room = Tuned(), Room(0.02)
    window = listening(open_window, qtbot, engine, room)
    press(qtbot, window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: collected(window) > 0.2)
    room.speak()
    qtbot.waitUntil(lambda: bool(calibration(window).refusal))
    shown = dialog(window)
    qtbot.waitUntil(lambda: "The word “yes” was heard" in shown.sentence.text())
    assert constants(engine) == constants(Tuned())
    assert status(window) == ""
    assert shown.anyway.isVisible()
    click(qtbot, shown.anyway)
    qtbot.waitUntil(lambda: calibration(window).calibrated)
    assert not shown.anyway.isVisible()
    assert shown.state.text().startswith("Calibrated at")


def test_digital_silence_lost_samples_and_nothing_heard_are_refused(open_window: OpenWindow, qtbot: Any) -> None:
    room = Room()
    window = open_window(MICROPHONE, build_source=lambda choice: room, load_engine=loads(Tuned()))
    assert refused(window, qtbot) == NOTHING_HEARD
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: window.feed.end > 60)
    room.level = 0.0
    assert "Digital silence" in refused(window, qtbot)
    assert not dialog(window).anyway.isVisible()
    room.level = 0.002
    press(qtbot, window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: collected(window) > 0)
    room.lost = 480
    qtbot.waitUntil(lambda: "480 samples were lost" in dialog(window).sentence.text())


@pytest.mark.parametrize("how", ["stop", "lost", "reset", "noise", "source"])
def test_what_interrupts_the_silence_is_said(open_window: OpenWindow, qtbot: Any, how: str) -> None:
    rooms = {MICROPHONE: Room(), Choice("mic", "Fake: other"): Room()}
    window = listening(open_window, qtbot, Tuned(), rooms[MICROPHONE], build_source=lambda choice: rooms[choice])
    window.set_preference("calibration_seconds", 10)
    qtbot.waitUntil(lambda: window.controller.noise.ready)
    press(qtbot, window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: collected(window) > 0)
    if how == "stop":
        window.controller.stop()
    elif how == "lost":
        rooms[MICROPHONE].state = SourceState.LOST
    elif how == "reset":
        window.do_reset()
    elif how == "noise":
        window.controller.noise.choose("white")
    else:
        window.listen_to(Choice("mic", "Fake: other"))
    qtbot.waitUntil(lambda: bool(calibration(window).refusal))
    said = {"reset": "Listening began anew", "noise": "mixed-in noise was changed"}.get(
        how, "The source stopped after "
    )
    assert said in calibration(window).refusal
    qtbot.waitUntil(lambda: said in dialog(window).sentence.text())


def test_a_file_is_searched_for_quiet_and_may_be_too_short(open_window: OpenWindow, qtbot: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    sound = 0.002 * rng.standard_normal(9 * SAMPLE_RATE)
    for second in (1, 2, 3, 4):
        sound[second * SAMPLE_RATE : second * SAMPLE_RATE + 8000] += 0.3 * np.sin(np.arange(8000) / 5)
    path = tmp_path / "words.wav"
    soundfile.write(path, sound, SAMPLE_RATE)

    now = [0.0]
    engine = Tuned()
    window = open_window(
        Choice("file", str(path)),
        build_source=lambda choice: FileSource(choice.value, clock=lambda: now[0]),
        load_engine=loads(engine),
    )
    for seconds, outcome in ((2, ""), (8, "The source stopped after 4")):
        window.set_preference("calibration_seconds", seconds)
        qtbot.mouseClick(window.toolbar.run_button, LEFT)
        qtbot.waitUntil(lambda: window.controller.running)
        now[0] += 1.5
        qtbot.waitUntil(lambda: 140 < window.feed.end < 150)
        press(qtbot, window, Qt.Key.Key_K)
        now[0] += 2.0
        qtbot.waitUntil(lambda: dialog(window).state.text().startswith("Waiting for quiet"))
        now[0] += 6.0
        qtbot.waitUntil(lambda: not window.controller.running and not calibration(window).measuring)
        assert calibration(window).refusal.startswith(outcome)
        assert bool(calibration(window).refusal) is bool(outcome)
    setting = calibration(window).setting
    assert setting is not None
    assert (setting.heard, round(setting.noise.level_dbfs)) == ("words.wav", -54)
    assert setting.noise.steady
    assert engine.calibrated is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [("FixedEngine", "quantised"), ("BoardEngine", "memory image"), ("WindowEngine", "exactly as it was published")],
)
def test_every_engine_that_is_fixed_says_why(name: str, reason: str) -> None:
    engine = type(name, (LoudnessEngine,), {})()
    assert reason in why_fixed(engine)
    deferred = DeferredEngine(engine)  # as a board, or a second network in window mode
    try:
        assert reason in why_fixed(deferred)
    finally:
        deferred.close()
    assert why_fixed(LoudnessEngine("Mine")) == "Mine has fixed constants."
    assert why_fixed(Tuned()) == ""


def test_escape_the_key_and_the_link_cancel(open_window: OpenWindow, qtbot: Any) -> None:
    engine = Tuned()
    window = listening(open_window, qtbot, engine)
    window.set_preference("calibration_seconds", 10)
    for cancel in (
        lambda: press(qtbot, window, Qt.Key.Key_K),
        lambda: qtbot.keyClick(dialog(window), Qt.Key.Key_Escape),
        lambda: window.status.fields["calibration"].linkActivated.emit("cancel"),
        lambda: qtbot.mouseClick(dialog(window).cancel, LEFT),
    ):
        press(qtbot, window, Qt.Key.Key_K)
        assert calibration(window).measuring
        assert "cancel" in window.status.fields["calibration"].text() or status(window).endswith("cancel")
        cancel()
        assert not calibration(window).measuring
        assert not calibration(window).refusal
    assert window.controller.running
    assert constants(engine) == constants(Tuned())

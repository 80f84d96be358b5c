"""Calibration on silence in the real window: measured, refused, set without a gap, taken back, recorded, replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel

from app import settings as store
from app.calibration import LEAD, NOTHING_HEARD, Calibration, why_fixed
from app.calibration_dialog import CalibrationDialog
from app.calibration_feature import CalibrationFeature
from app.calibration_measured import caption
from app.session_recording import Recording
from app.sources import MICROPHONE, Choice
from app.window import MainWindow
from kwscore.audio.file import FileSource
from kwscore.audio.source import SourceState, SourceStatus
from kwscore.constants import SAMPLE_RATE
from kwscore.models.calibration import DEFAULT_CALIBRATION, values_for_snr
from kwscore.models.config import DEFAULT_NETWORK, NetworkConfig, network_config
from kwscore.session import recorder as recorder_module
from kwscore.session.reader import Session
from kwscore.session.replay import verify
from kwscore.stream import StreamEngine
from kwscore.stream.calibrator import NoiseMeter
from kwscore.stream.deferred import DeferredEngine
from kwscore.stream.runner import Batch
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


def status(window: MainWindow) -> str:
    window.refresh_status()
    label: QLabel = window.status.fields["calibration"]
    return label.accessibleName().removeprefix("calibration: ") if label.text() else ""


def constants(engine: Any) -> tuple[float, ...]:
    return tuple(np.round(engine.calibration[0].astype(float), 4))


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
    qtbot.waitUntil(lambda: bool(calibration(window).silence and calibration(window).silence.collected > 0.2))
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
    qtbot.waitUntil(lambda: bool(calibration(window).silence and calibration(window).silence.collected > 0))
    room.lost = 480
    qtbot.waitUntil(lambda: "480 samples were lost" in dialog(window).sentence.text())


@pytest.mark.parametrize("how", ["stop", "lost", "reset", "noise", "source"])
def test_what_interrupts_the_silence_is_said(open_window: OpenWindow, qtbot: Any, how: str) -> None:
    rooms = {MICROPHONE: Room(), Choice("mic", "Fake: other"): Room()}
    window = listening(open_window, qtbot, Tuned(), rooms[MICROPHONE], build_source=lambda choice: rooms[choice])
    window.set_preference("calibration_seconds", 10)
    qtbot.waitUntil(lambda: window.controller.noise.ready)
    press(qtbot, window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: bool(calibration(window).silence and calibration(window).silence.collected > 0))
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


# -- taking back ----------------------------------------------------------------------------------------------


def test_undo_redo_and_the_networks_own(open_window: OpenWindow, qtbot: Any) -> None:
    engine, room = Tuned(), Room(0.005)
    window = listening(open_window, qtbot, engine, room)
    own = constants(engine)
    shown = measured(window, qtbot)
    first = constants(engine)
    room.level = 0.02
    click(qtbot, shown.measure)
    qtbot.waitUntil(lambda: constants(engine) not in (own, first))
    second = constants(engine)

    def reached(wanted: tuple[float, ...]) -> None:
        qtbot.waitUntil(lambda: constants(engine) == wanted)

    click(qtbot, shown.undo)
    reached(first)
    click(qtbot, shown.redo)
    reached(second)
    click(qtbot, shown.reset)
    reached(own)
    qtbot.waitUntil(lambda: shown.state.text() == "Not calibrated")
    assert shown.figures["Noise"].text() == "–"
    assert status(window) == ""
    press(qtbot, window, Qt.Key.Key_K, shift=True)
    reached(second)
    qtbot.waitUntil(lambda: status(window).startswith("calibrated"))
    for wanted in (first, own):
        window.status.fields["calibration"].linkActivated.emit("undo")
        reached(wanted)
    qtbot.waitUntil(lambda: not shown.undo.isEnabled())
    assert shown.redo.isEnabled()
    assert engine.resets == 1


def test_it_survives_a_reset_and_a_restart_of_its_source(open_window: OpenWindow, qtbot: Any) -> None:
    engine = Tuned()
    window = listening(open_window, qtbot, engine)
    measured(window, qtbot)
    wanted = constants(engine)
    window.do_reset()
    qtbot.waitUntil(lambda: engine.resets == 2)
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: not window.controller.running)
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: engine.resets == 3)
    assert constants(engine) == wanted
    assert status(window).startswith("calibrated")


def test_it_ends_with_its_source_and_may_be_kept(open_window: OpenWindow, qtbot: Any) -> None:
    engine = Tuned()
    window = listening(open_window, qtbot, engine, build_source=lambda choice: Room())
    measured(window, qtbot)
    wanted = constants(engine)
    window.listen_to(Choice("mic", "Fake: other"))
    qtbot.waitUntil(lambda: constants(engine) == constants(Tuned()))
    qtbot.waitUntil(lambda: "ended with its source: it was the silence of Default microphone" in window.banner.text())
    qtbot.waitUntil(lambda: status(window) == "")
    (row,) = [row for row in window.banner.rows if row.key == "calibration"]
    assert row.action_button is not None
    click(qtbot, row.action_button)
    qtbot.waitUntil(lambda: constants(engine) == wanted)
    qtbot.waitUntil(lambda: status(window).startswith("calibrated"))


def test_other_noise_afterwards_is_said(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot, Tuned())
    qtbot.waitUntil(lambda: window.controller.noise.ready)
    shown = measured(window, qtbot)
    window.controller.noise.choose("white")
    qtbot.waitUntil(lambda: status(window).endswith("noise changed since · undo"))
    qtbot.waitUntil(lambda: "measure again" in shown.sentence.text())
    click(qtbot, shown.measure)
    qtbot.waitUntil(lambda: "white +10 dB mixed in" in shown.sentence.text())
    setting = calibration(window).setting
    assert setting is not None
    assert setting.noise.level_dbfs == pytest.approx(-35.0, abs=1.5)
    window.controller.noise.switch(False)
    qtbot.waitUntil(lambda: "noise changed since" in status(window))


# -- engines --------------------------------------------------------------------------------------------------


def test_it_goes_on_with_another_network_from_its_first_frame(open_window: OpenWindow, qtbot: Any) -> None:
    engines = {"": Tuned("First"), "second": Tuned("Second", experts=2)}
    window = listening(
        open_window, qtbot, None, load_engine=lambda name, _: (engines[name], None), build_source=lambda _: Room(0.02)
    )
    measured(window, qtbot)
    seen: list[tuple[float, ...]] = []
    second = engines["second"]
    process = second.process
    second.process = lambda samples: (seen.append(constants(second)), process(samples))[1]  # type: ignore[method-assign]
    window.use_network("second")
    qtbot.waitUntil(lambda: bool(seen))
    expected = calibration(window).setting
    assert expected is not None
    assert set(seen) == {tuple(values_for_snr(expected.noise.snr_of_level(-25.0), "v1"))}
    qtbot.waitUntil(lambda: "goes on with Second" in window.banner.text())
    assert status(window).startswith("calibrated")
    calibration(window).undo()
    qtbot.waitUntil(lambda: constants(second) == constants(Tuned()))


def test_what_cannot_be_calibrated_is_said_and_why(open_window: OpenWindow, qtbot: Any) -> None:
    integer = type("FixedEngine", (LoudnessEngine,), {})
    engine = Tuned()
    window = listening(open_window, qtbot, engine, load_integer=lambda name, _: integer("Tuned"))
    shown = measured(window, qtbot)
    wanted = constants(engine)
    press(qtbot, window, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: status(window).endswith("rests · undo"))
    assert "cannot be calibrated. The integer engine's constants were quantised" in shown.engines.text()
    assert "rests" in window.banner.text()
    assert shown.state.text().endswith("rests")
    assert "quantised" in refused(window, qtbot)
    press(qtbot, window, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: status(window).startswith("calibrated"))
    assert constants(engine) == wanted
    press(qtbot, window, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: "rests" in status(window))
    calibration(window).undo()  # also where it does not run now
    qtbot.waitUntil(lambda: constants(engine) == constants(Tuned()))


def test_of_two_engines_each_is_told(open_window: OpenWindow, qtbot: Any) -> None:
    integer = type("FixedEngine", (LoudnessEngine,), {})
    engine = Tuned()
    window = listening(open_window, qtbot, engine, load_integer=lambda name, _: integer("Tuned"))
    press(qtbot, window, Qt.Key.Key_E, shift=True)
    qtbot.waitUntil(lambda: len(calibration(window).parts) == 2)
    shown = measured(window, qtbot)
    lines = shown.engines.text().splitlines()
    assert [line[0] for line in lines] == ["●", "○"]
    assert constants(engine) != constants(Tuned())
    assert len(shown.constants.values[0]) == 1


def test_a_network_without_constants_of_its_own_is_refused(open_window: OpenWindow, qtbot: Any) -> None:
    engine = Tuned()
    engine.config = network_config("NC-TCN-20K", schedule="stream")
    window = listening(open_window, qtbot, engine)
    assert "no state-space model" in refused(window, qtbot)
    assert "no state-space model" in dialog(window).engines.text()


def test_themes_and_names(open_window: OpenWindow, qtbot: Any) -> None:
    window = listening(open_window, qtbot, Tuned())
    shown = measured(window, qtbot)
    before = shown.grab().toImage()
    window.do_theme()
    assert shown.plot.theme is window.theme
    assert shown.grab().toImage() != before
    from tests.app.test_comfort import unnamed

    assert unnamed(shown) == []
    window.close()
    assert not shown.isVisible()


# -- sessions -------------------------------------------------------------------------------------------------


def test_a_recording_keeps_it_and_replays_bit_for_bit(
    open_window: OpenWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped network in the real window: calibrated and undone while it records."""
    monkeypatch.setenv("KWSCOPE_RECORDINGS_DIR", str(tmp_path))
    monkeypatch.setattr(recorder_module, "RESERVE", 0)
    engine = StreamEngine.load(DEFAULT_NETWORK)
    own = constants(engine)
    window = listening(open_window, qtbot, engine)
    recording = next(each for each in window.features if isinstance(each, Recording))
    window.set_preference("calibration_seconds", 1)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recording.recorder is not None and recording.recorder.position > SAMPLE_RATE)
    measured(window, qtbot)
    assert constants(engine) != own
    qtbot.wait(200)
    calibration(window).undo()
    qtbot.waitUntil(lambda: constants(engine) == own)
    qtbot.wait(200)
    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: "Recorded " in window.banner.text())
    assert recording.path is not None
    with Session(recording.path) as session:
        (began, ended) = [change for change in session.changes if change.what == "calibrated"]
        assert began.to["snr_from"] == "speech level"
        assert (began.to["model_hash"], ended.to) == (engine.model_hash, None)
        assert 0 < began.position < ended.position < session.length
        verdict = verify(session, StreamEngine.load(DEFAULT_NETWORK))
        assert (verdict.difference, verdict.unchecked, verdict.frames) == ("", 0, session.rows)
        assert len(session.segments) == 1

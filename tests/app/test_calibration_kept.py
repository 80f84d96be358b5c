"""What became of a calibration: undone, carried to other networks, ended, recorded and replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from typer.testing import CliRunner

from app.session_recording import Recording
from app.sources import Choice
from kwscore.cli.main import app
from kwscore.constants import SAMPLE_RATE
from kwscore.models.calibration import values_for_snr
from kwscore.models.config import DEFAULT_NETWORK, network_config
from kwscore.session import recorder as recorder_module
from kwscore.session.reader import Session
from kwscore.session.replay import verify
from kwscore.session.source import SessionSource
from kwscore.stream import StreamEngine
from tests.app.calibrating import (
    LEFT,
    Room,
    Tuned,
    calibration,
    click,
    constants,
    dialog,
    listening,
    measured,
    press,
    refused,
    status,
)
from tests.app.conftest import OpenWindow
from tests.app.fakes import LoudnessEngine

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

    def watched(samples: Any) -> Any:
        seen.append(constants(second))
        return process(samples)

    second.process = watched  # type: ignore[method-assign]
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
    room = Room()

    def build(choice: Choice) -> Any:
        return SessionSource(choice.value, "fast") if choice.kind == "file" else room

    window = listening(open_window, qtbot, engine, room, build_source=build)
    recording = next(each for each in window.features if isinstance(each, Recording))
    window.set_preference("calibration_seconds", 1)

    def recorded() -> int:
        return recording.recorder.position if recording.recorder is not None else 0

    def heard_more() -> None:
        before = recorded()
        qtbot.waitUntil(lambda: recorded() > before + SAMPLE_RATE)

    click(qtbot, recording.button)
    qtbot.waitUntil(lambda: recorded() > SAMPLE_RATE)
    measured(window, qtbot)
    assert constants(engine) != own
    heard_more()
    calibration(window).undo()
    qtbot.waitUntil(lambda: constants(engine) == own)
    heard_more()
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
    info = CliRunner().invoke(app, ["session", "info", str(recording.path)]).stdout
    level = began.to["noise"]["level_dbfs"]
    assert level == pytest.approx(-54.0, abs=1.0), "the hiss of the room"
    assert f"calibrated: noise {level:g} dBFS, SNR {began.to['snr_db']:g} dB" in info
    assert "the network's own constants" in info
    window.listen_to(Choice("file", str(recording.path)))
    qtbot.waitUntil(lambda: "was calibrated while it was recorded" in window.banner.text())


def test_a_network_of_ones_own_use_is_calibrated_alike(open_window: OpenWindow, qtbot: Any) -> None:
    made: list[Tuned] = []

    def load(name: str, progress: object) -> tuple[Tuned, None]:
        made.append(Tuned())
        return made[-1], None

    window = listening(open_window, qtbot, None, load_engine=load)
    measured(window, qtbot)
    spare = window.controller.load_spare()
    assert spare is made[1]
    assert constants(spare) == constants(made[0]) != constants(Tuned())

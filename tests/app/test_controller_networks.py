"""The controller against networks and engines that load slowly, late or not at all; no window needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.controller import Controller, NetworkTried, Notice
from app.sources import Choice
from kwscore.errors import KWScopeError
from tests.app.driving import Driver, work_through
from tests.app.fakes import Device, LoudnessEngine, fast_files, loads, write_sound
from tests.stream.fakes import PATIENCE


def test_another_network_goes_on_without_losing_columns(drive: Callable[..., Driver]) -> None:
    engines = {"": LoudnessEngine("one"), "two": LoudnessEngine("two"), "three": LoudnessEngine("three", experts=0)}
    driver = drive(load_engine=lambda name, progress: (engines[name], None))
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 60)
    controller.set_network("two")
    driver.until(lambda: controller.network_name == "two")
    driver.until(lambda: len(_restarts(controller)) == 2)
    assert controller.feed.first == 0
    controller.set_network("three")  # has no experts: its columns do not fit, the history begins anew
    driver.until(lambda: tuple(controller.feed.expert_names) == ())
    driver.until(lambda: controller.feed.end > 0)


def _restarts(controller: Controller) -> list[tuple[int, int]]:
    controller.feed.refresh(controller.feed.end, 10_000)
    return list(controller.feed.warm_up(0, 10_000))


@pytest.mark.parametrize("failure", [KWScopeError("weights.safetensors is damaged: use another."), ValueError("odd")])
def test_a_network_that_does_not_load_leaves_the_old_one(drive: Callable[..., Driver], failure: Exception) -> None:
    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        if name:
            raise failure
        return LoudnessEngine("good"), None

    driver = drive(load_engine=load)
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    controller.set_network("weights.safetensors")
    driver.until(lambda: driver.notices("network"))
    assert "weights.safetensors" in driver.notices("network")[0].text
    assert "Traceback" not in driver.notices("network")[0].text
    assert controller.network_name == "good"
    assert controller.running


@pytest.mark.parametrize("kind", ["missing", "truncated", "nan", "text"])
def test_bad_checkpoints_become_sentences(drive: Callable[..., Driver], tmp_path: Path, kind: str) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    path = tmp_path / "mine.safetensors"
    if kind == "nan":
        save_file({"a": np.full(3, np.nan, np.float32)}, path)
    elif kind != "missing":
        path.write_bytes(b"\x08\0\0\0\0\0\0\0{}" if kind == "truncated" else b"hello")
    driver = drive(load_engine=None)
    driver.controller.set_network(str(path))
    driver.until(lambda: driver.notices("network"))
    assert str(path) in driver.notices("network")[0].text


def test_a_failing_engine_is_a_sentence_and_start_goes_on(drive: Callable[..., Driver]) -> None:
    engine = LoudnessEngine()
    driver = drive(load_engine=loads(engine))
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    engine.fails = True
    driver.until(lambda: driver.notices("engine"))
    assert driver.notices("engine")[0].text == "The board is gone: connect it again."
    assert not controller.running
    engine.fails = False
    controller.start()
    driver.until(lambda: controller.running and controller.feed.end > 5)


def test_compiling_is_announced(drive: Callable[..., Driver]) -> None:
    def load(name: str, progress: Callable[[str], None]) -> tuple[LoudnessEngine, None]:
        progress("Compiling the streaming engine (once after installation) ...")
        return LoudnessEngine(), None

    driver = drive(load_engine=load)
    driver.controller.start()
    driver.until(lambda: driver.controller.network_name)
    assert driver.notices("compile")[0].level == "info"
    assert Notice("compile", "") in driver.said  # and taken away again


def test_nothing_is_opened_before_there_is_an_engine(drive: Callable[..., Driver]) -> None:
    gate, built = threading.Event(), []

    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        gate.wait(PATIENCE)
        return LoudnessEngine(), None

    def build(choice: Choice) -> Device:
        built.append(gate.is_set())
        return Device()

    driver = drive(build_source=build, load_engine=load)
    controller = driver.controller
    controller.start()
    controller.set_source(Choice("mic", "another"))
    for _ in range(20):
        driver.said += controller.poll()
    assert built == []
    assert not controller.running
    assert controller.waiting == "Loading the network…"
    gate.set()
    driver.until(lambda: controller.feed.end > 5)
    assert built == [True]  # once, and the source that was wanted last
    assert controller.choice.value == "another"


def test_a_slow_network_costs_no_sound_and_makes_no_burst(drive: Callable[..., Driver], tmp_path: Path) -> None:
    from kwscore.audio.file import FileSource

    sound, gate = write_sound(tmp_path / "long.wav", seconds=30.0), threading.Event()
    now = [0.0]  # the source's clock: stands still unless the test moves it
    started: list[float] = []

    def build(choice: Choice) -> FileSource:
        started.append(now[0])
        return FileSource(choice.value, clock=lambda: now[0], sleep=lambda seconds: None)

    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        gate.wait(PATIENCE)
        return LoudnessEngine(), None

    driver = drive(Choice("file", str(sound)), build_source=build, load_engine=load)
    controller = driver.controller
    controller.start()
    driver.said += controller.poll()
    now[0] = 12.0
    gate.set()
    driver.until(lambda: controller.running)
    driver.until(lambda: controller.worker.runner is not None)
    now[0] += 1.0
    driver.until(lambda: controller.feed.end > 90)
    assert started == [12.0]
    assert controller.feed.end <= 100  # of the second that went by, none of the twelve before it
    assert controller.health().dropped == 0


def test_stopping_while_the_network_loads_opens_nothing(drive: Callable[..., Driver]) -> None:
    gate, built = threading.Event(), []

    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        gate.wait(PATIENCE)
        return LoudnessEngine("late"), None

    driver = drive(build_source=lambda choice: built.append(choice) or Device(), load_engine=load)  # type: ignore[func-returns-value]
    driver.controller.start()
    driver.controller.stop()
    gate.set()
    driver.until(lambda: driver.controller.network_name == "late")
    assert (built, driver.controller.waiting) == ([], "")


def test_another_network_after_the_end_of_a_file_keeps_the_display(
    drive: Callable[..., Driver], tmp_path: Path
) -> None:
    engines = {"": LoudnessEngine("one"), "two": LoudnessEngine("two"), "three": LoudnessEngine("three", experts=0)}
    driver = drive(
        Choice("file", str(write_sound(tmp_path / "two.wav"))),
        build_source=fast_files,
        load_engine=lambda name, progress: (engines[name], None),
    )
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.source_note == "ended")
    heard, words = controller.feed.end, len(controller.feed.marks)
    for name in ("two", "three"):
        controller.set_network(name)
        driver.until(lambda name=name: controller.network_name == name)  # type: ignore[misc]
        work_through(driver)
        assert (controller.feed.end, len(controller.feed.marks)) == (heard, words)
        assert controller.worker.runner is None
    controller.start()
    driver.until(lambda: controller.running or controller.source_note == "ended")
    driver.until(lambda: controller.source_note == "ended" and controller.feed.end == heard)


def test_another_network_after_the_engine_failed_begins_nothing(drive: Callable[..., Driver]) -> None:
    engine = LoudnessEngine()
    driver = drive(load_engine=lambda name, progress: (engine if not name else LoudnessEngine(name), None))
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    engine.fails = True
    driver.until(lambda: not controller.running)
    heard = controller.feed.end
    controller.set_network("two")
    driver.until(lambda: controller.network_name == "two")
    work_through(driver)
    assert controller.worker.runner is None
    assert controller.feed.end == heard


def test_a_bad_network_at_start_is_replaced_by_the_standard_one(drive: Callable[..., Driver]) -> None:
    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        if name:
            raise KWScopeError(f"There is no checkpoint {name}: give the path of a file.")
        return LoudnessEngine("standard"), None

    driver = drive(load_engine=load, network="/nope/x.safetensors")
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    assert controller.running
    assert (controller.network_choice, controller.network_name) == ("", "standard")
    said = [event.text for event in driver.said if isinstance(event, Notice) and event.key == "network"]
    assert said == [
        "There is no checkpoint /nope/x.safetensors: give the path of a file. The standard network is used instead."
    ]  # and nothing took it away
    tried = [event for event in driver.said if isinstance(event, NetworkTried)]
    assert tried == [NetworkTried("/nope/x.safetensors", False), NetworkTried("", True)]


def test_without_any_network_nothing_runs_and_start_tries_again(drive: Callable[..., Driver]) -> None:
    built: list[Choice] = []

    def load(name: str, progress: object) -> tuple[LoudnessEngine, None]:
        raise KWScopeError(f"No network {name}: install one.")

    driver = drive(build_source=lambda choice: built.append(choice) or Device(), load_engine=load, network="mine")  # type: ignore[func-returns-value]
    controller = driver.controller
    controller.start()
    driver.until(lambda: driver.notices("standard-network"))
    assert (built, controller.running, controller.waiting) == ([], False, "")
    assert controller.health().source == "stopped"
    controller.start()
    driver.until(lambda: driver.notices("network")[-1].text == "No network : install one.")
    assert built == []

"""The controller against sources and devices that misbehave; no window needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app import listening as module
from app.controller import Detected, DevicesFound, Notice
from app.sources import DEMO, MICROPHONE, Choice
from kwscore.audio.source import SourceState
from kwscore.errors import KWScopeError
from kwscore.stream.detection import DetectionSettings
from tests.app.driving import Driver, work_through
from tests.app.fakes import Device, fast_files, write_sound
from tests.stream.fakes import PATIENCE


def test_a_file_is_heard_to_its_end(drive: Callable[..., Driver], tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "two.wav")
    driver = drive(Choice("file", str(sound)), build_source=fast_files)
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.source_note == "ended")
    driver.until(lambda: len(driver.words()) == 2)
    assert controller.feed.end == (3 * 16_000 - 512) // 160 + 1
    assert not controller.running
    controller.start()  # plays again from the beginning
    driver.until(lambda: len(driver.words()) == 4)


def test_times_of_detections_lie_on_the_shared_axis(drive: Callable[..., Driver], tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "one.wav", bursts=1)
    driver = drive(Choice("file", str(sound)), build_source=fast_files)
    driver.controller.start()
    driver.until(driver.words)
    event = next(event for event in driver.said if isinstance(event, Detected))
    assert 1.5 < event.seconds < 1.8
    assert event.column == pytest.approx(100 * event.seconds - 2.2, abs=0.5)
    mark = driver.controller.feed.marks[0]
    assert (mark.column, mark.label) == (event.column, "yes")
    assert 0 < event.latency_ms < 300


def test_the_old_source_is_kept_until_the_new_one_opens(drive: Callable[..., Driver]) -> None:
    first, second = Device("first"), Device("second")
    gate = threading.Event()

    def build(choice: Choice) -> Device:
        if choice.value == "second":
            gate.wait(PATIENCE)
            return second
        return first

    driver = drive(Choice("mic", "first"), build_source=build)
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    controller.set_source(Choice("mic", "second"))
    heard = controller.feed.end
    driver.until(lambda: controller.feed.end > heard + 5)
    assert controller.choice.value == "first"
    assert not first.stopped.is_set()
    gate.set()
    driver.until(first.stopped.is_set)
    assert controller.choice.value == "second"


def test_a_source_that_cannot_open_leaves_the_old_one_running(drive: Callable[..., Driver], tmp_path: Path) -> None:
    driver = drive(build_source=lambda choice: Device() if choice.kind == "mic" else choice.build())
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    (tmp_path / "text.wav").write_text("this is no sound")
    controller.set_source(Choice("file", str(tmp_path / "text.wav")))
    driver.until(lambda: driver.notices("source"))
    assert "text.wav" in driver.notices("source")[0].text
    assert controller.running
    assert controller.choice == MICROPHONE
    heard = controller.feed.end
    driver.until(lambda: controller.feed.end > heard)


def test_a_source_that_opens_too_late_is_given_up_and_closed(
    drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPEN_DEADLINE", 0.05)
    late, gate = Device(), threading.Event()

    def build(choice: Choice) -> Device:
        gate.wait(PATIENCE)
        return late

    driver = drive(build_source=build)
    driver.controller.start()
    driver.until(lambda: driver.notices("source"))
    assert "did not open" in driver.notices("source")[0].text
    gate.set()
    driver.until(late.stopped.is_set)
    assert not driver.controller.running


def test_without_a_microphone_the_demo_plays(drive: Callable[..., Driver]) -> None:
    demo = Device("Demo playlist")

    def build(choice: Choice) -> Device:
        if choice == DEMO:
            return demo
        raise KWScopeError("No microphone was found: connect one.")

    driver = drive(build_source=build, fall_back=True)
    driver.controller.start()
    driver.until(lambda: driver.controller.running)
    assert driver.controller.choice == DEMO
    assert driver.notices("fall-back")[0].text == "No microphone was found: connect one. Playing the demo instead."


def test_a_vanished_device_is_announced_and_recovers(drive: Callable[..., Driver]) -> None:
    device = Device()
    driver = drive(build_source=lambda choice: device)
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    device.message = "Fake microphone was unplugged: plug it in again."
    device.state = SourceState.LOST
    driver.until(lambda: driver.notices("device"))
    assert driver.notices("device")[0].text == device.message
    assert controller.health().state == "bad"
    device.state = SourceState.RUNNING
    heard = controller.feed.end
    driver.until(lambda: controller.feed.end > heard)
    assert driver.said[-1] == Notice("device", "") or Notice("device", "") in driver.said
    assert controller.health().state == "good"


@pytest.mark.parametrize("by", ["another source", "stop"])
def test_the_message_of_a_lost_device_goes_when_it_is_not_heard_any_more(drive: Callable[..., Driver], by: str) -> None:
    device = Device()
    driver = drive(build_source=lambda choice: device if choice.kind == "mic" else Device())
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    device.state = SourceState.LOST
    driver.until(lambda: driver.notices("device"))
    if by == "stop":
        controller.stop()
    else:
        controller.set_source(DEMO)
    driver.until(lambda: Notice("device", "") in driver.said)
    assert controller.health().state == ("idle" if by == "stop" else "good")


def test_closing_does_not_wait_for_a_source_that_hangs(
    drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.controller.CLOSE_DEADLINE", 0.2)
    device = Device()
    device.hang = threading.Event()
    driver = drive(build_source=lambda choice: device)
    driver.controller.start()
    driver.until(lambda: driver.controller.feed.end > 5)
    driver.controller.close()  # would never return if it waited
    assert device.stopped.is_set()
    assert not driver.controller.worker.is_alive()
    device.hang.set()


def test_stop_keeps_what_was_heard(drive: Callable[..., Driver]) -> None:
    device = Device()
    driver = drive(build_source=lambda choice: device)
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 20)
    controller.stop()
    driver.until(device.stopped.is_set)
    held = controller.feed.end
    assert held > 20
    assert controller.health().source == "stopped"
    controller.reset()
    assert controller.feed.end == 0


def test_detection_settings_act_at_once(drive: Callable[..., Driver]) -> None:
    device = Device()
    driver = drive(build_source=lambda choice: device)
    controller = driver.controller
    controller.set_detection(DetectionSettings(threshold=1.0))
    controller.start()
    device.speak()
    driver.until(lambda: controller.feed.end > 120)
    assert driver.words() == []
    controller.set_detection(DetectionSettings(threshold=0.5))
    driver.until(driver.words)


def test_devices_are_listed_or_there_is_a_reason(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    from kwscore.audio import devices

    def none() -> None:
        raise KWScopeError("The PortAudio library is missing: install it.")

    monkeypatch.setattr(devices, "list_devices", none)
    driver = drive()
    driver.controller.find_devices()
    driver.until(lambda: any(isinstance(event, DevicesFound) for event in driver.said))
    found = next(event for event in driver.said if isinstance(event, DevicesFound))
    assert (list(found.devices), found.notice) == ([], "The PortAudio library is missing: install it.")


def test_rescan_closes_the_microphone_and_opens_it_again(
    drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kwscore.audio import devices

    built: list[Device] = []

    def build(choice: Choice) -> Device:
        built.append(Device())
        return built[-1]

    driver = drive(build_source=build)
    controller = driver.controller
    seen: list[bool] = []

    def rescan() -> list[object]:
        seen.append(built[0].stopped.is_set())
        return []

    monkeypatch.setattr(devices, "rescan", rescan)
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    controller.find_devices(again=True)
    driver.until(lambda: len(built) == 2 and controller.running)
    assert seen == [True]


def test_the_demo_playlist_names_what_it_plays(drive: Callable[..., Driver]) -> None:
    from kwscore.audio.playlist import PlaylistSource

    driver = drive(DEMO, build_source=lambda choice: PlaylistSource(pace="fast"))
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 600)
    controller.feed.refresh(600, 600)
    assert controller.caption(600).startswith("playing: ")
    truths = controller.feed.truths(0, 600)
    assert "yes" in [mark.label for mark in truths]
    assert "silence" not in [mark.label for mark in truths]


def test_only_a_stall_that_lasts_is_announced(drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    device = Device()
    driver = drive(build_source=lambda choice: device)
    controller = driver.controller
    controller.start()
    pause = threading.Event()
    while controller.feed.end < 5:
        controller.poll()
        pause.wait(0.002)
    for silent in (0.0, 0.9):
        device.state, now[0] = SourceState.STALLED, now[0] + silent
        driver.said += controller.poll()
    device.state = SourceState.RUNNING
    driver.said += controller.poll()
    device.state = SourceState.STALLED
    for seconds in (0.0, 0.9):
        now[0] += seconds
        driver.said += controller.poll()
    assert driver.notices("device") == []  # neither stall alone was long
    now[0] += 0.2
    driver.said += controller.poll()
    assert [notice.level for notice in driver.notices("device")] == ["warning"]


def test_the_level_has_the_meters_verdict(drive: Callable[..., Driver]) -> None:
    from app.feed import HELD
    from kwscore.audio.level import judge_level

    device = Device()
    driver = drive(build_source=lambda choice: device)
    controller = driver.controller
    device.speak()
    controller.start()
    driver.until(lambda: controller.feed.end > HELD)
    device.state = SourceState.LOST  # nothing moves on
    work_through(driver)
    controller.feed.refresh(controller.feed.end, HELD)
    meter = judge_level(controller.feed.columns(controller.feed.end - HELD, controller.feed.end).level, (-50.0, -8.0))
    health = controller.health()
    assert (health.level, health.level_word) == meter
    assert health.level_word == "good level"


def test_a_remark_of_a_running_source_is_shown_once_and_goes_with_it(drive: Callable[..., Driver]) -> None:
    device = Device()
    driver = drive(build_source=lambda choice: device if choice.kind == "mic" else Device())
    controller = driver.controller
    controller.start()
    driver.until(lambda: controller.feed.end > 5)
    device.message = "The channels cancel each other: only the first is used."
    heard = controller.feed.end
    driver.until(lambda: controller.feed.end > heard + 100)
    assert [notice.text for notice in driver.notices("remark")] == [device.message]
    controller.set_source(DEMO)
    driver.until(lambda: Notice("remark", "") in driver.said)

"""The measurement of the window measures what it says, and judges it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from app import soak as module
from app.soak import Order, Soak, Watch
from app.sources import MICROPHONE
from kwscore.cli import soak as command
from kwscore.cli.main import app
from kwscore.errors import KWScopeError
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device

GOOD: dict[str, Any] = {
    "start_s": 1.0, "first_result_s": 2.0, "engines": "float + integer", "panels": 12, "seconds": 1800.0,
    "cpu_percent": 25.0, "frames_per_second": 30.1, "heard_s": 1800.0, "dropped": 0, "lost": 0, "longest_wait_ms": 40.0,
    "resident_start_mib": 300.0, "resident_end_mib": 301.0, "resident_slope_mib_per_hour": 1.0, "hop_us": 30.0,
    "hop_p99_us": 60.0, "size": [1600, 1000], "platform": "offscreen",
    "switches": [{"what": "noise", "ms": 20.0, "missing_samples": 0, "silence_ms": 10.0}],
}  # fmt: skip


def missed(figures: dict[str, Any]) -> list[str]:
    return [name for name, _, _, good in command.judge(figures) if good is False]


def test_good_figures_pass_and_every_bad_one_is_found() -> None:
    assert missed(GOOD) == []
    for change, name in (
        ({"cpu_percent": 60.0}, "processor, of one core"),
        ({"frames_per_second": 28.0}, "frames painted"),
        ({"dropped": 1}, "samples dropped"),
        ({"lost": 160}, "samples lost on the way"),
        ({"resident_slope_mib_per_hour": 50.0}, "memory, slope of the second half"),
        ({"start_s": 3.5}, "start to usable window"),
        ({"switches": [{"what": "noise", "ms": 301.0, "missing_samples": 0, "silence_ms": 0.0}]}, "switch noise"),
        ({"switches": [{"what": "noise", "ms": 3.0, "missing_samples": 9, "silence_ms": 0.0}]}, "switch noise"),
    ):
        assert missed({**GOOD, **change}) == [name]


def test_a_short_run_says_nothing_about_memory() -> None:
    short = {**GOOD, "seconds": 120.0, "resident_slope_mib_per_hour": 500.0}
    assert missed(short) == []
    assert any("too short" in value for _, value, _, _ in command.judge(short))


def test_the_command_prints_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[dict[str, Any]] = []

    def run(order: dict[str, Any], on_screen: bool) -> dict[str, Any]:
        orders.append(order)
        return {**GOOD, "cpu_percent": 70.0 if order["source"] == "mic" else 20.0}

    monkeypatch.setattr(command, "_run", run)
    done = CliRunner().invoke(app, ["soak", "--minutes", "0.5", "--size", "800x600"])
    assert done.exit_code == 0
    assert "20.0 %" in done.stdout
    assert (orders[0]["seconds"], orders[0]["width"], orders[0]["height"], orders[0]["everything"]) == (
        30,
        800,
        600,
        True,
    )
    done = CliRunner().invoke(app, ["soak", "--source", "mic", "--plain"])
    assert done.exit_code == 1
    assert "NO" in done.stdout
    assert orders[1]["everything"] is False


@pytest.mark.parametrize("size", ["big", "1600", "10x10", "1600x-5"])
def test_a_wrong_size_is_one_sentence(size: str) -> None:
    done = CliRunner().invoke(app, ["soak", "--size", size])
    assert done.exit_code == 2
    assert "--size" in done.stderr


def test_trouble_of_the_window_is_its_sentence() -> None:
    order = {"seconds": 1, "width": 900, "height": 600, "source": "no/such/file.wav", "began": 0.0}
    with pytest.raises(KWScopeError, match=r"There is no file no/such/file\.wav"):
        command._run(order, on_screen=False)


class FakeRunner:
    """What the watch looks at."""

    def __init__(self) -> None:
        self.source = Device()
        self.engine = type("E", (), {"name": "toy"})()
        self.mixer = self.reference = None


class Batch:
    def __init__(self, position: int, samples: int) -> None:
        self.position, self.samples, self.telemetry = position, np.zeros(samples, np.int16), [None]


def test_lost_samples_are_found() -> None:
    worker = type("W", (), {"runner": FakeRunner()})()
    watch = Watch(type("C", (), {"worker": worker})())
    for position, samples in ((0, 160), (160, 480), (640, 160)):
        watch.hear(Batch(position, samples))  # type: ignore[arg-type]
    assert (watch.lost, watch.samples, watch.longest) == (0, 800, 480)
    watch.hear(Batch(960, 160))  # type: ignore[arg-type]
    assert watch.lost == 160
    worker.runner = FakeRunner()  # another source begins at its own first sample
    watch.hear(Batch(0, 160))  # type: ignore[arg-type]
    assert watch.lost == 160


def test_the_window_is_measured_while_it_runs(open_window: OpenWindow, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(module, "WARM", 0.5)
    window = open_window(MICROPHONE, build_source=lambda choice: Device())
    run = Soak(window, Order(0.3, 1280, 720, "mic", 0.0, everything=False))
    run._ready()
    qtbot.waitUntil(lambda: run.ended, timeout=60_000)
    assert run.failed == ""
    figures = run.figures
    assert figures["lost"] == figures["dropped"] == 0
    assert 0 < figures["cpu_percent"] < 1000
    assert figures["frames_per_second"] > 0
    assert figures["heard_s"] > 0
    assert figures["resident_end_mib"] > 10
    assert figures["switches"] == []
    assert not window.isVisible()


def test_silence_from_the_source_is_said(open_window: OpenWindow, qtbot) -> None:
    device = Device()
    device.refuses = "The microphone is gone: connect it again."
    window = open_window(MICROPHONE, build_source=lambda choice: device)
    run = Soak(window, Order(0.3, 1280, 720, "mic", 0.0, everything=False))
    run._until(lambda: False, lambda: None, 0.2, "the source delivered no sound")
    qtbot.waitUntil(lambda: run.ended, timeout=60_000)
    assert run.failed

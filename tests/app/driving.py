"""A controller without a window: polled as the window does, until something is so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.controller import Controller, Detected, Notice
from app.sources import MICROPHONE, Choice
from tests.app.fakes import Device, LoudnessEngine, loads
from tests.stream.fakes import PATIENCE


class Driver:
    """Polls a controller as the window does and keeps what it said."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.said: list[object] = []

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline, self.said
            self.said += self.controller.poll()
            pause.wait(0.002)

    def notices(self, key: str) -> list[Notice]:
        return [event for event in self.said if isinstance(event, Notice) and event.key == key and event.text]

    def words(self) -> list[str]:
        return [event.word for event in self.said if isinstance(event, Detected)]


@pytest.fixture
def drive() -> Iterator[Callable[..., Driver]]:
    made: list[Controller] = []

    def make(choice: Choice = MICROPHONE, **parts: Any) -> Driver:
        given: dict[str, Any] = {
            "load_engine": loads(LoudnessEngine()),
            "build_source": lambda choice: Device(),
            **parts,
        }
        made.append(Controller(choice, **given))
        return Driver(made[-1])

    yield make
    for controller in made:
        controller.close()


def work_through(driver: Driver) -> None:
    """Until the engine thread has done what it was given."""
    done = threading.Event()
    driver.controller.worker.post(done.set)
    driver.until(done.is_set)
    driver.said += driver.controller.poll()

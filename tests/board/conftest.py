"""Virtual boards and clients for the tests of the link."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kwscore.board.client import BoardClient, Timing
from kwscore.board.engine import BoardEngine
from kwscore.board.virtual import VirtualBoard
from tests.board.toy import ToyEngine

PATIENT = Timing(answer=0.5, silence=5.0, retry=0.05, hop=60.0)
"""For a loaded machine: nothing is given up because threads had to wait, only because bytes were lost."""
SHARP = Timing(answer=0.5, silence=0.25, retry=0.05, hop=60.0)
"""Where silence is what the test is about."""
CALM = Timing(answer=5.0, silence=30.0, retry=0.05, hop=120.0)
"""A simulation on a loaded machine may take its time; nothing there is about how long."""
IMPATIENT = Timing(answer=0.1, silence=0.1, retry=0.05, hop=120.0)
"""Lost at once, unless its silence is excused."""
QUICK = Timing(answer=0.06, silence=0.25, retry=0.05, hop=60.0)
"""Where nothing answers anyway."""


class Looks:
    """Counts how often a board is asked whether it was held up, and lets somebody wait for that."""

    def __init__(self, held_up: Callable[[], bool]) -> None:
        self._held_up = held_up
        self._looked = threading.Condition()
        self._count = 0

    def __call__(self) -> bool:
        with self._looked:
            self._count += 1
            self._looked.notify_all()
        return self._held_up()

    def wait(self, more: int) -> None:
        """Until so many more looks found nothing on the line."""
        with self._looked:
            due = self._count + more
            assert self._looked.wait_for(lambda: self._count >= due, 120)


class Bench:
    """Makes boards, clients and engines that end with the test."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.link = folder / "board"

    def board(self, engine: Any = None, **options: Any) -> VirtualBoard:
        options.setdefault("link", None if options.get("kind") == "socket" else self.link)
        return self._stack.enter_context(VirtualBoard(engine or ToyEngine(), **options))

    def client(self, port: str, timing: Timing = PATIENT, **options: Any) -> BoardClient:
        return self._stack.enter_context(BoardClient(port, timing=timing, **options))

    def engine(self, port: str, *arguments: Any, **options: Any) -> BoardEngine:
        options.setdefault("timing", PATIENT)
        return self._stack.enter_context(BoardEngine(port, *arguments, **options))

    def defer(self, call: Callable[[], object]) -> None:
        self._stack.callback(call)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack, tmp_path)

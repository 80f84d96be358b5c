"""Virtual boards and clients for the tests of the link."""

from __future__ import annotations

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
QUICK = Timing(answer=0.06, silence=0.25, retry=0.05, hop=60.0)
"""Where nothing answers anyway."""


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

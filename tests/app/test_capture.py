"""The running window on a real capture, from a private PulseAudio server that is killed, restarted and frozen."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kwscore.audio.file import read_audio
from kwscore.models.checkpoint import shipped_checkpoints
from tests.pulse import PulseServer, missing

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 150.0  # s, a first start compiles the engine; only ever reached by a failing test

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.skipif(not shipped_checkpoints(), reason="no trained network is installed"),
]


class Window:
    """The child process and what it has said."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.capture_child"], env=environment, cwd=REPOSITORY, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.said: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The next line that satisfies ``condition``."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fact = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not seen within {PATIENCE:.0f} s; said: {self.said}") from None
            self.said.append(fact)
            if condition(fact):
                return fact

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()


@pytest.fixture
def pulse() -> Iterator[PulseServer]:
    with PulseServer() as server:
        yield server


def test_a_word_is_heard_and_the_server_may_die_freeze_and_return(
    pulse: PulseServer, repository: Path, tmp_path: Path
) -> None:
    word = read_audio(repository / "assets" / "demo" / "02-yes.opus")
    quiet = np.random.default_rng(0).integers(-20, 20, 16_000).astype(np.int16)
    window = Window({**pulse.env, "KWSCOPE_CONFIG_DIR": os.environ["KWSCOPE_CONFIG_DIR"]})
    try:
        window.until(lambda fact: fact.get("columns", 0) >= 50)
        pulse.play(np.concatenate([quiet, word, quiet]), wait=False)
        assert window.until(lambda fact: "word" in fact)["word"] == "yes"
        window.tell(f"picture {tmp_path / 'capture.png'}")
        assert window.until(lambda fact: "picture" in fact)["picture"]

        pulse.kill()
        assert "microphone" in window.until(lambda fact: fact.get("banner"))["banner"].lower()
        pulse.restart()
        window.until(lambda fact: fact.get("banner") == "")
        before = max(fact.get("columns", 0) for fact in window.said)
        window.until(lambda fact: fact.get("columns", 0) > before)

        pulse.freeze()
        window.until(lambda fact: fact.get("banner"))
        window.tell("quit")
        assert window.until(lambda fact: "closed" in fact)["closed"] < 2.0
        assert window.process.wait(timeout=PATIENCE) == 0
    finally:
        pulse.thaw()
        window.process.kill()
        window.process.wait()

"""Simulations beside the other tests: run once, told apart, and ended with the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rtl.conftest import Simulations

PATIENCE = 60.0  # s; only ever reached by a failing test


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[Callable[[str], Simulations]]:
    """Simulations whose program is ``code``."""
    made: list[Simulations] = []

    def make(code: str) -> Simulations:
        (tmp_path / "rtl" / "test").mkdir(parents=True)
        (tmp_path / "rtl" / "test" / "run.py").write_text(code)
        made.append(Simulations(tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_job_is_run_once_and_says_what_it_printed(stand_in: Callable[[str], Simulations], tmp_path: Path) -> None:
    code = "import sys; open('runs', 'a').write('x'); print(*sys.argv[1:]); sys.exit(sys.argv[3] == 'bad')"
    simulations = stand_in(code)
    for _ in range(2):
        assert simulations.begin(("icarus", "good")).result(PATIENCE) == (0, "--sim icarus good\n")
    assert simulations.begin(("icarus", "bad")).result(PATIENCE)[0] == 1
    assert (tmp_path / "runs").read_text() == "xx"


def test_what_still_runs_ends_with_the_tests(stand_in: Callable[[str], Simulations], tmp_path: Path) -> None:
    simulations = stand_in("import signal; open('begun', 'w').close(); signal.pause()")
    running, pause = simulations.begin(("icarus", "endless")), threading.Event()
    while not (tmp_path / "begun").exists():
        assert not running.done()
        pause.wait(0.005)
    simulations.close()
    assert running.result(PATIENCE)[0] != 0

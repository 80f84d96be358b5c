"""Programs beside the tests: run once, told apart, and ended with the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.beside import Programs
from tests.stream.fakes import PATIENCE


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.close()


def test_a_command_is_run_once_and_says_what_it_printed(programs: Programs, tmp_path: Path) -> None:
    code = "import sys; open('runs', 'a').write('x'); print(sys.argv[1]); sys.exit(sys.argv[1] == 'bad')"
    for _ in range(2):
        assert programs.begin(sys.executable, "-c", code, "good").result(PATIENCE) == (0, "good\n")
    assert programs.begin(sys.executable, "-c", code, "bad").result(PATIENCE) == (1, "bad\n")
    assert (tmp_path / "runs").read_text() == "xx"


def test_what_still_runs_ends_with_the_tests(programs: Programs, tmp_path: Path) -> None:
    code = "import signal; open('begun', 'w').close(); signal.pause()"
    running, pause = programs.begin(sys.executable, "-c", code), threading.Event()
    while not (tmp_path / "begun").exists():
        assert not running.done()
        pause.wait(0.005)
    programs.close()
    assert running.result(PATIENCE)[0] != 0


def test_what_still_runs_ends_although_the_tests_were_killed(tmp_path: Path, repository: Path) -> None:
    endless = "import os, signal; print(os.getpid(), file=open('pid', 'w'), flush=True); signal.pause()"
    code = f"""
import sys
from pathlib import Path
from tests.beside import Programs
Programs(Path({str(tmp_path)!r})).begin(sys.executable, "-c", {endless!r}).result()
"""
    tests, pause = subprocess.Popen([sys.executable, "-c", code], cwd=repository), threading.Event()
    path = tmp_path / "pid"
    while not (path.exists() and path.read_text().endswith("\n")):
        assert tests.poll() is None
        pause.wait(0.005)
    tests.kill()
    tests.wait()
    while _runs(int(path.read_text())):
        pause.wait(0.005)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False

"""Simulations take minutes, in processes of their own: they begin with the first test and are asked for later."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest

from rtl.test.run import missing

Job = tuple[str, str]  # simulator, module
Result = tuple[int, str]  # exit status, what it printed


class Simulations:
    """Runs ``rtl/test/run.py``: one processor stays free for the other tests, where there is more than one."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), "simulations")
        self._begun: dict[Job, Future[Result]] = {}
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = Lock()
        self._closed = False

    def begin(self, job: Job) -> Future[Result]:
        """Run it as soon as a processor is free; the same job again is the same run."""
        if job not in self._begun:
            self._begun[job] = self._pool.submit(self._run, *job)
        return self._begun[job]

    def close(self) -> None:
        """End what nobody waits for any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._closed = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)

    def _run(self, sim: str, top: str) -> Result:
        with self._lock:
            if self._closed:
                return 1, "the tests ended before"
            process = subprocess.Popen(
                [sys.executable, "rtl/test/run.py", "--sim", sim, top], cwd=self._repository, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, 5)  # the other tests go first
        said = process.communicate()[0]
        with self._lock:
            self._running.discard(process)
        return process.returncode, said


_SIMULATIONS = pytest.StashKey[Simulations]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin with the simulations that were chosen; not where several processes share the tests out."""
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    chosen = [item.callspec.params for item in session.items if getattr(item, "originalname", "") == "test_simulation"]  # type: ignore[attr-defined]
    for params in chosen:
        if not missing(params["sim"]):
            _of(session.config).begin((params["sim"], params["top"]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """However the tests end."""
    _of(session.config).close()


@pytest.fixture(scope="session")
def simulations(request: pytest.FixtureRequest) -> Simulations:
    """The simulations of this run."""
    return _of(request.config)


def _of(config: pytest.Config) -> Simulations:
    if _SIMULATIONS not in config.stash:
        config.stash[_SIMULATIONS] = Simulations(config.rootpath)
    return config.stash[_SIMULATIONS]

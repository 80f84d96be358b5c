"""Programs that take minutes begin with the first test, beside the others, and are asked for when their test comes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_WATCH = """
import os, signal, subprocess, sys, threading
def watch():
    sys.stdin.read()  # ends when the tests do, however they end
    os.killpg(0, signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))
"""
Command = tuple[str, ...]
Result = tuple[int, str]  # exit status, what it printed


class Programs:
    """Runs commands in ``folder``: one processor stays free for the tests, where there is more than one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), "beside")
        self._begun: dict[Command, Future[Result]] = {}
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, *command: str) -> Future[Result]:
        """Run it as soon as a processor is free; the same command again is the same run."""
        if command not in self._begun:
            self._begun[command] = self._pool.submit(self._run, command)
        return self._begun[command]

    def close(self) -> None:
        """End what nobody waits for any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._closed = True
            for process in self._running:
                assert process.stdin is not None
                process.stdin.close()

    def _run(self, command: Command) -> Result:
        with self._lock:
            if self._closed:
                return 1, "the tests ended before"
            process = subprocess.Popen(
                [sys.executable, "-c", _WATCH, *command], cwd=self._folder, text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, 5)  # the tests go first
        assert process.stdout is not None
        with process.stdout as output:
            said = output.read()
        status = process.wait()
        with self._lock:
            self._running.discard(process)
            if process.stdin is not None:
                process.stdin.close()
        return status, said

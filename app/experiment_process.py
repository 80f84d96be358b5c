"""An experiment in a process of its own: ``kwscope experiment``, told when to pause, reporting as it goes.

The same command as on the command line, so the numbers are the same; and a process of its own, at a lower priority,
so that listening and painting go on undisturbed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

import kwscore

CANCELLED = 130
PATIENCE_MS = 800  # for a process that was killed
CANCEL_MS = 6000  # for one that was told to end: a table and a plot are written meanwhile


class ExperimentProcess(QObject):
    """``ended`` comes once for every start: "done", "cancelled" or "failed", with a sentence where it failed."""

    noted = Signal(str)
    progressed = Signal(dict)
    row = Signal(dict)
    ended = Signal(str, str)

    def __init__(self, parent: QObject | None = None, command: list[str] | None = None) -> None:
        """``command``: what is started instead of ``kwscope experiment`` (tests)."""
        super().__init__(parent)
        self._command = command or [sys.executable, "-m", "kwscore", "experiment"]
        self._process: QProcess | None = None
        self._left = b""
        self._cancelled = False
        self.paused = False

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self, plan: Path, folder: Path) -> None:
        """Run ``plan``; ``folder`` gets the results, and what it has from an earlier run is taken from there."""
        if self._process is not None:
            return
        process = self._process = QProcess(self)
        self._left, self._cancelled, self.paused = b"", False, False
        environment = QProcessEnvironment.systemEnvironment()
        root = str(Path(kwscore.__file__).resolve().parent.parent)
        environment.insert("PYTHONPATH", os.pathsep.join(filter(None, [root, environment.value("PYTHONPATH")])))
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed_to_start)
        program, *arguments = self._command
        arguments += [str(plan), "--out", str(folder), "--resume", "--json", "--controlled"]
        process.start(program, arguments)

    def pause(self) -> None:
        self._tell("pause")
        self.paused = True

    def go_on(self) -> None:
        self._tell("go on")
        self.paused = False

    def cancel(self) -> None:
        """End after the present clip; what is finished stays in the folder. While it reads clips it is killed."""
        self._cancelled = True
        self._tell("cancel")
        process = self._process
        if process is not None:
            QTimer.singleShot(CANCEL_MS, process, process.kill)

    def close(self) -> None:
        """End at once, without further signals; waits at most about a second."""
        process, self._process = self._process, None
        if process is None:
            return
        process.disconnect(self)
        process.kill()
        process.waitForFinished(PATIENCE_MS)

    def _tell(self, word: str) -> None:
        if self._process is not None:
            self._process.write(f"{word}\n".encode())

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._left = (self._left + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            kind = record.pop("type")
        except (ValueError, KeyError, AttributeError, TypeError):
            return  # what a library prints
        if kind == "note":
            self.noted.emit(record["text"])
        elif kind == "progress":
            self.progressed.emit(record)
        elif kind == "row":
            self.row.emit(record)

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        process, self._process = self._process, None
        if process is None:
            return
        said = bytes(process.readAllStandardError().data()).decode(errors="replace").strip().splitlines()
        process.deleteLater()
        if code == 0 and status == QProcess.ExitStatus.NormalExit:
            self.ended.emit("done", "")
        elif self._cancelled or code == CANCELLED:
            self.ended.emit("cancelled", "")
        else:
            own = [line.removeprefix("kwscope: ") for line in said if line.startswith("kwscope: ")]
            last = own[-1] if own else said[-1] if said else f"exit status {code}"
            sentence = last if own else f"The experiment ended unexpectedly ({last}): press Run to go on with it."
            self.ended.emit("failed", sentence)

    def _failed_to_start(self, error: QProcess.ProcessError) -> None:
        process = self._process
        if error != QProcess.ProcessError.FailedToStart or process is None:
            return  # a crash is reported by ``finished`` too
        self._process = None
        sentence = f"The experiment cannot be started ({process.errorString()}): install KWScope again."
        process.deleteLater()
        self.ended.emit("failed", sentence)

"""The hardware description itself as a board: ``nm_device`` Verilated behind a port.

Built from ``rtl/`` on first use and kept in the user's cache folder, under a hash of everything it is made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path

from kwscore.board.errors import BoardError
from kwscore.board.protocol import Type
from kwscore.board.sources import build_id, device_sources, rtl_folder

_TOOLS = ("verilator", "g++", "make")
_PACKAGES = "verilator g++ make"
_BUILD_LIMIT = 900.0  # seconds
_START_LIMIT = 10.0
_STOP_LIMIT = 2.0
_OPTIONS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal", "-Wno-lint")
_COMPILER = "-O3 -march=native"
_TAG = int.from_bytes(b"RTL ", "little")


@dataclass(frozen=True)
class Program:
    """A module Verilated with a main program around it. ``harness``: files of ``rtl/sim``, the C++ source first."""

    top: str
    harness: tuple[str, ...]
    sources: tuple[Path, ...]
    parameters: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def path(self) -> Path:
        """Where it is kept: the name tells everything that it is made of."""
        digest = hashlib.sha256(
            repr((_OPTIONS, _COMPILER, self.top, self.parameters, self.defines, self.options)).encode()
        )
        for path in [*self.sources, *(rtl_folder() / "sim" / name for name in self.harness)]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        for tool in ("verilator", "g++"):
            digest.update(subprocess.run([tool, "--version"], capture_output=True, check=False).stdout)
        digest.update(f"{platform.machine()}{_processor()}".encode())
        stem = Path(self.harness[0]).stem
        return user_cache_path("kwscope") / "verilated" / f"{stem}-{digest.hexdigest()[:16]}"

    def build(self, progress: Callable[[str], None] | None = None) -> Path:
        """The program, built now where it has to be. Raises BoardError where a tool is missing or the build fails."""
        if missing := missing_tools():
            raise BoardError(
                f"The board rtl needs {' and '.join(missing)}, not installed here: sudo apt-get install {_PACKAGES}; "
                "the board sim needs neither."
            )
        program = self.path()
        if os.path.isfile(program):  # unlike Path's it is False, not an error, where the folder may not be read
            return program
        if progress:
            progress("Building the hardware description with Verilator (once, some seconds) ...")
        begin = time.monotonic()
        try:
            program.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="build-", dir=program.parent) as folder:
                self._compile(Path(folder), program.name)
                os.replace(Path(folder) / program.name, program)
        except OSError as error:
            raise BoardError(
                f"The board rtl cannot be built in {program.parent}: {error.strerror or error}."
            ) from error
        if progress:
            progress(f"The hardware description is built ({time.monotonic() - begin:.0f} s).")
        return program

    def _compile(self, folder: Path, name: str) -> None:
        rtl = rtl_folder()
        command = [
            *("verilator", "--cc", "--exe", "--build", *_OPTIONS, *self.options, "-LDFLAGS", "-lutil"),
            # Verilator's own makefile would compile for size, whatever the flags before.
            *("-MAKEFLAGS", f"OPT_FAST='{_COMPILER}' OPT_GLOBAL='{_COMPILER}'"),
            *("-CFLAGS", " ".join((_COMPILER, *(f"-D{define}" for define in self.defines)))),
            *(f"-I{rtl / 'mem'}", f"-I{rtl / 'link'}", "--top-module", self.top, "--Mdir", str(folder), "-o", name),
            *(f"-G{parameter}" for parameter in self.parameters),
            *(str(rtl / "sim" / self.harness[0]), *(str(path) for path in self.sources if path.suffix == ".v")),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise BoardError(f"Building the board rtl took over {_BUILD_LIMIT:.0f} s: use the board sim.") from None
        if done.returncode or not (folder / name).is_file():
            errors = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
            reason = errors[0].strip() if errors else f"exit status {done.returncode}"
            raise BoardError(f"Verilator cannot build the board rtl ({reason}): update it, or use the board sim.")


def missing_tools() -> list[str]:
    """What building needs and is not installed."""
    return [tool for tool in _TOOLS if shutil.which(tool) is None]


def board_program() -> Program:
    """``nm_device`` behind a port. Raises BoardError where the sources are not here, or the system is not Linux."""
    if sys.platform != "linux":
        raise BoardError("The board rtl needs Linux (on Windows: WSL): use the board sim here.")
    word = int.from_bytes(build_id(), "little")
    return Program(
        "nm_device",
        ("nm_board.cpp", "line.h"),
        tuple(device_sources()),
        (f"BUILD=64'h{word:016x}", f"TAG=32'h{_TAG:08x}"),
        (f"KWS_TYPE_PCM_FRAME={Type.PCM_FRAME:d}",),
    )


def is_built() -> bool:
    """Whether the program of these very sources is in the cache. Raises BoardError where there are no sources."""
    return not missing_tools() and os.path.isfile(board_program().path())


def _processor() -> str:
    """What -march=native means here."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def _not_started(program: Path, why: str | None = None) -> str:
    reason = f" ({why})" if why else ""
    return f"The Verilated board does not start{reason}: delete {program}, to build it anew, or use the board sim."


class VerilatedBoard:
    """Serves the Verilated device on ``port`` until ``close``; a context manager. It starts without weights.

    ``link``: path of the pseudo-terminal's symbolic link (default: a new one in the temporary folder). ``paced``: bytes
    take as long as on a real line. ``kind``: ``pty``, or ``socket`` for TCP. The process ends with this one.
    """

    def __init__(
        self,
        *,
        link: Path | None = None,
        paced: bool = False,
        kind: Literal["pty", "socket"] = "pty",
        progress: Callable[[str], None] | None = None,
    ) -> None:
        program = board_program().build(progress)
        self._pauses = -1
        self._folder = tempfile.TemporaryDirectory(prefix="kwscope-board-") if link is None else None
        where = link or Path(self._folder.name if self._folder else "") / "board"
        arguments = ["--link", str(where)] if kind == "pty" else ["--tcp", "0"]
        try:
            self._process = subprocess.Popen(
                [str(program), *arguments, *(["--pace"] if paced else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=rtl_folder() / "mem",
                start_new_session=True,  # Ctrl-C at the terminal is for us, who then end it in order
            )
        except OSError as error:
            if self._folder is not None:
                self._folder.cleanup()
            raise BoardError(_not_started(program, error.strerror)) from error
        self.port = self._read_name(program)

    def _read_name(self, program: Path) -> str:
        import select

        out = self._process.stdout
        assert out is not None
        name = out.readline().decode().strip() if select.select([out], [], [], _START_LIMIT)[0] else ""
        if not name:
            self.close()
            raise BoardError(_not_started(program))
        return name

    @property
    def process_id(self) -> int:
        """Of the simulator; ending it is like pulling the cable."""
        return self._process.pid

    def cpu_seconds(self) -> float | None:
        """Processor time that the simulator has used; None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return None

    def held_up(self) -> bool:
        """Whether the simulator has not paused since the last call: it computes, or waits for a processor, or is
        stopped. When it has nothing to do it pauses fifty times a second (``IDLE_MS`` in ``rtl/sim/nm_board.cpp``)."""
        try:
            status = Path(f"/proc/{self.process_id}/status").read_text()
        except OSError:
            return False
        found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)
        before, self._pauses = self._pauses, int(found[1]) if found else -1
        return self._pauses == before >= 0 and self._process.poll() is None

    def __enter__(self) -> VerilatedBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the simulator; the port disappears."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._folder is not None:
            self._folder.cleanup()

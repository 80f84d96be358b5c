"""The hardware description itself as a board: ``nm_device`` Verilated behind a port.

Built from ``rtl/`` on first use and kept in the user's cache folder, under a hash of everything it is made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path

from kwscore.board.errors import BoardError
from kwscore.board.protocol import Type
from kwscore.board.sources import build_id, device_sources, rtl_folder

_HARNESS = ("nm_board.cpp", "line.h")
_TOOLS = ("verilator", "g++", "make")
_PACKAGES = "verilator g++ make"
_BUILD_LIMIT = 900.0  # seconds
_START_LIMIT = 10.0
_STOP_LIMIT = 2.0
_OPTIONS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal", "-Wno-lint")
_COMPILER = "-O3 -march=native"
_TAG = int.from_bytes(b"RTL ", "little")


def missing_tools() -> list[str]:
    """What building needs and is not installed."""
    return [tool for tool in _TOOLS if shutil.which(tool) is None]


def is_built() -> bool:
    """Whether the program of these very sources is in the cache. Raises BoardError where there are no sources."""
    return not missing_tools() and _program().is_file()


def build(progress: Callable[[str], None] | None = None) -> Path:
    """The program that serves the board, built now where it has to be; ``progress`` is told what takes long.

    Raises BoardError where a tool is missing or the build fails.
    """
    if sys.platform == "win32":
        raise BoardError("The board rtl needs Linux or macOS (on Windows: WSL): use the board sim here.")
    rtl_folder()
    if missing := missing_tools():
        raise BoardError(
            f"The board rtl needs {' and '.join(missing)}, not installed here: sudo apt-get install {_PACKAGES}; "
            "the board sim needs neither."
        )
    program = _program()
    if program.is_file():
        return program
    if progress:
        progress("Building the hardware description with Verilator (once, some seconds) ...")
    begin = time.monotonic()
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=program.parent) as folder:
            _compile(Path(folder))
            os.replace(Path(folder) / "nm_board", program)
    except OSError as error:
        raise BoardError(f"The board rtl cannot be built in {program.parent}: {error.strerror or error}.") from error
    if progress:
        progress(f"The hardware description is built ({time.monotonic() - begin:.0f} s).")
    return program


def _compile(folder: Path) -> None:
    rtl = rtl_folder()
    sources = [str(path) for path in device_sources() if path.suffix == ".v"]
    build_word = int.from_bytes(build_id(), "little")
    command = [
        *("verilator", "--cc", "--exe", "--build", *_OPTIONS, "-LDFLAGS", "-lutil"),
        # Verilator's own makefile would compile for size, whatever the flags before.
        *("-MAKEFLAGS", f"OPT_FAST='{_COMPILER}' OPT_GLOBAL='{_COMPILER}'"),
        *("-CFLAGS", f"{_COMPILER} -DKWS_TYPE_PCM_FRAME={Type.PCM_FRAME:d}"),
        *(f"-I{rtl / 'mem'}", f"-I{rtl / 'link'}", "--top-module", "nm_device", "--Mdir", str(folder)),
        *(f"-GBUILD=64'h{build_word:016x}", f"-GTAG=32'h{_TAG:08x}", "-o", "nm_board"),
        *(str(rtl / "sim" / "nm_board.cpp"), *sources),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise BoardError(f"Building the board rtl took longer than {_BUILD_LIMIT:.0f} s: use the board sim.") from None
    if done.returncode or not (folder / "nm_board").is_file():
        errors = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
        reason = errors[0].strip() if errors else f"exit status {done.returncode}"
        raise BoardError(f"Verilator cannot build the board rtl ({reason}): update Verilator, or use the board sim.")


def _program() -> Path:
    digest = hashlib.sha256(build_id())
    for name in _HARNESS:
        digest.update((rtl_folder() / "sim" / name).read_bytes())
    for tool in ("verilator", "g++"):
        version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
        digest.update(version.encode())
    digest.update(f"{_OPTIONS}{_COMPILER}{platform.machine()}{_processor()}".encode())
    return user_cache_path("kwscope") / "verilated" / f"nm_board-{digest.hexdigest()[:16]}"


def _processor() -> str:
    """What -march=native means here."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


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
        program = build(progress)
        self._folder = tempfile.TemporaryDirectory(prefix="kwscope-board-") if link is None else None
        where = link or Path(self._folder.name if self._folder else "") / "board"
        arguments = ["--link", str(where)] if kind == "pty" else ["--tcp", "0"]
        self._process = subprocess.Popen(
            [str(program), *arguments, *(["--pace"] if paced else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=rtl_folder() / "mem",
        )
        self.port = self._read_name()

    def _read_name(self) -> str:
        import select

        out = self._process.stdout
        assert out is not None
        name = out.readline().decode().strip() if select.select([out], [], [], _START_LIMIT)[0] else ""
        if not name:
            self.close()
            raise BoardError("The Verilated board does not start: use the board sim.")
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

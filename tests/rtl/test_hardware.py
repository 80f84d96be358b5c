"""The hardware: lint, generated numbers, and the cocotb tests of its modules on the simulators that are here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from kwscore.board import verilog
from kwscore.board.sources import build_id
from rtl.test.run import GROUPS, LACKING, TESTS
from tests.beside import Result

BOARDS = ("arty", "basys3", "cmod")
ON_VERILATOR = ("cobs_decoder", "nm_mac", "e2e")
"""Building costs more there than most simulations; the others run by `make -C rtl test SIM=verilator`."""
ON_ICARUS = sorted(set(TESTS) - {"e2e", "nm_device"})
"""These two take minutes on Icarus; `make -C rtl test` runs them. e2e covers what nm_device does."""


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-6000:]}{done.stderr[-3000:]}"


def _modules(repository: Path) -> list[Path]:
    return [path for part in (*GROUPS, "board") for path in sorted((repository / "rtl" / part).rglob("*.v"))]


def test_the_numbers_in_verilog_are_those_of_the_protocol() -> None:
    assert verilog.HEADER.read_text(encoding="utf-8") == verilog.text(), "renew it with make -C rtl header"


def test_every_module_has_a_licence_and_its_own_file(repository: Path) -> None:
    files = _modules(repository)
    assert len(files) >= 25
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// SPDX-License-Identifier: MIT\n"), path.name
        assert "`default_nettype none" in text, path.name
        assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [path.stem]


@pytest.mark.timeout(600)
def test_lint_finds_nothing(repository: Path) -> None:
    for tool in ("make", "verilator", "iverilog", "yosys"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    _run(repository / "rtl", "make", "-s", "lint")


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("tool", ["vivado", "openxc7"])
def test_the_scripts_name_what_is_there(repository: Path, board: str, tool: str) -> None:
    """What make would do for a bitstream: every source, constraint and script in it is a file."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = repository / "rtl" / "board"
    command = ["make", "-n", tool, f"BOARD={board}", f"PYTHON={sys.executable}", "CHIPDB=/dev/null"]
    plan = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    named = [Path(name) for name in re.findall(r"[\w./-]+\.(?:v|xdc|tcl)\b", plan)]
    assert [name for name in named if not (folder / name).is_file()] == []
    assert len(named) >= (30 if tool == "openxc7" else 1)
    assert build_id()[::-1].hex() in plan


def _on(sim: str, tops: Iterable[str]) -> list[Any]:
    run = (sys.executable, "rtl/test/run.py", "--sim", sim)
    return [pytest.param(sim, top, marks=pytest.mark.beside(*run, top)) for top in tops]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("sim", "top"), _on("icarus", ON_ICARUS) + _on("verilator", ON_VERILATOR))
def test_simulation(program: Result, sim: str, top: str) -> None:
    status, said = program
    if status == LACKING:
        pytest.skip(said)
    assert status == 0, f"{top} on {sim}:\n{said[-9000:]}"

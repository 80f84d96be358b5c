"""The hardware's half of the link: lint, generated numbers, and its cocotb tests on the simulators that are here."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kwscore.board import verilog


def _needs(*what: str) -> None:
    for name in what:
        if not (importlib.util.find_spec(name) if name == "cocotb" else shutil.which(name)):
            pytest.skip(f"{name} is not installed")


def _tops(repository: Path) -> list[str]:
    text = (repository / "rtl" / "test" / "link" / "run.py").read_text(encoding="utf-8")
    return re.findall(r'^    "(\w+)": [\[_]', text, re.MULTILINE)


TOPS = _tops(Path(__file__).resolve().parents[2])


def _run(repository: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=repository / "rtl", capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-6000:]}{done.stderr[-3000:]}"


def test_the_numbers_in_verilog_are_those_of_the_protocol() -> None:
    assert verilog.HEADER.read_text(encoding="utf-8") == verilog.text(), "renew it with make -C rtl header"


def test_every_module_has_a_licence_and_its_own_file(repository: Path) -> None:
    files = sorted((repository / "rtl" / "link").glob("*.v"))
    assert len(files) >= 10
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// SPDX-License-Identifier: MIT\n"), path.name
        assert "`default_nettype none" in text, path.name
        assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [path.stem]


@pytest.mark.timeout(600)
def test_lint_finds_nothing(repository: Path) -> None:
    _needs("make", "verilator", "iverilog")
    _run(repository, "make", "-s", "lint")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("top", TOPS)
def test_simulation(repository: Path, top: str) -> None:
    _needs("iverilog", "vvp", "cocotb")
    _run(repository, sys.executable, "test/link/run.py", "--sim", "icarus", top)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("top", ["crc16", "cobs_decoder"])
def test_simulation_on_verilator(repository: Path, top: str) -> None:
    """All modules run on it (make test SIM=verilator); two here, since compiling each takes long."""
    _needs("verilator", "make", "g++", "cocotb")
    _run(repository, sys.executable, "test/link/run.py", "--sim", "verilator", top)

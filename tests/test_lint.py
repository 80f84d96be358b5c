"""Style, formatting and types are part of the tests, so that one command judges everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.beside import Result

CHECKED = ("kwscore", "app", "tests")
NOTEBOOKS = ("docs/kwscope_colab.ipynb",)


def _check(repository: Path, *command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing(repository: Path) -> None:
    _check(repository, "ruff", "check", *CHECKED, *NOTEBOOKS)


def test_ruff_would_format_nothing(repository: Path) -> None:
    _check(repository, "ruff", "format", "--check", *CHECKED, *NOTEBOOKS)


@pytest.mark.timeout(900)  # a cold cache on a slow machine
@pytest.mark.beside(sys.executable, "-m", "mypy", *CHECKED)
def test_mypy_finds_nothing(program: Result) -> None:
    status, said = program
    assert status == 0, said

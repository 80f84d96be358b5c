"""Arrows go one way: app -> kwscore; and starting up does not pull in what takes seconds to import."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

QT = {"PySide6", "PySide2", "PyQt5", "PyQt6", "shiboken6", "pyqtgraph", "qtpy"}


def _imports(tree: ast.AST) -> Iterator[str]:
    """Top-level names of everything imported anywhere in a module, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value.split(".")[0]


def _python(repository: Path, code: str) -> str:
    """Run code in a fresh interpreter that finds this checkout; returns its stdout."""
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _offenders(repository: Path, forbidden: set[str], exempt: tuple[str, ...] = ()) -> list[str]:
    found = []
    for path in sorted((repository / "kwscore").rglob("*.py")):
        name = path.relative_to(repository).as_posix()
        if name not in exempt:
            used = set(_imports(ast.parse(path.read_text(encoding="utf-8"), str(path))))
            found += [f"{name} imports {bad}" for bad in sorted(used & forbidden)]
    return found


def test_the_scan_sees_every_form_of_import() -> None:
    source = (
        "import a.b\n"
        "def f():\n  from c.d import e\n  importlib.import_module('f.g')\n  __import__('h')\n"
        "from . import i"
    )
    assert list(_imports(ast.parse(source))) == ["a", "c", "f", "h"]


def test_kwscore_never_names_qt_nor_the_app(repository: Path) -> None:
    assert _offenders(repository, QT) == []
    # The command that opens the window is the one place that may reach up, and only inside a function.
    assert _offenders(repository, {"app"}, exempt=("kwscore/cli/window.py",)) == []


def test_importing_all_of_kwscore_loads_no_qt(repository: Path) -> None:
    code = (
        "import importlib, pkgutil, sys, kwscore\n"
        "names = [m.name for m in pkgutil.walk_packages(kwscore.__path__, 'kwscore.')]\n"
        "names.remove('kwscore.__main__')  # it runs the program\n"
        "for name in names: importlib.import_module(name)\n"
        f"bad = sorted(m for m in sys.modules if m.split('.')[0] in {QT | {'app'}!r})\n"
        "print(len(names), *bad)"
    )
    count, *bad = _python(repository, code).split()
    assert int(count) > 10
    assert bad == []


@pytest.mark.parametrize("module", ["kwscore", "kwscore.cli.main", "kwscore.stream.engine", "app.main"])
def test_start_does_not_import_torch(repository: Path, module: str) -> None:
    assert importlib.util.find_spec(module) is not None, f"{module} is part of the contract"
    loaded = _python(repository, f"import sys, {module}\nprint('torch' in sys.modules)")
    assert loaded.strip() == "False", f"import {module} imports torch, which takes seconds"


def test_the_command_line_starts_light(repository: Path) -> None:
    heavy = {"torch", "numba", "scipy", "numpy", "PySide6"}
    loaded = _python(repository, f"import sys, kwscore.cli.main\nprint(*sorted({heavy!r} & set(sys.modules)))")
    assert loaded.split() == [], "--help and wrong use must answer at once"

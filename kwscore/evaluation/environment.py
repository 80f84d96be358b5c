"""Is there what ``kwscope reproduce`` needs? Imports nothing of it, so that it can say what is missing."""

from __future__ import annotations

import importlib
import platform
import sys

from kwscore.errors import KWScopeError

PYTHON = (3, 11)
PACKAGES = ("numpy", "scipy", "soundfile", "safetensors", "torch")


class EnvironmentProblem(KWScopeError):
    """Python or a package is missing or too old."""

    exit_code = 2


def check_environment() -> str:
    """Versions in one line. Raises EnvironmentProblem naming what is missing and how to get it."""
    if sys.version_info < PYTHON:
        raise EnvironmentProblem(f"Python {platform.python_version()} is too old: use {'.'.join(map(str, PYTHON))}.")
    versions, missing = [f"Python {platform.python_version()}"], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.import_module(name).__version__}")
        except (ImportError, OSError) as error:  # OSError: a system library is missing
            missing.append(f"{name} ({error})")
    if missing:
        raise EnvironmentProblem(f"{', '.join(missing)} cannot be used: './run' installs what is needed.")
    return ", ".join(versions)

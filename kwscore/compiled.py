"""Compiled kernels on disk: whose sources they are of, and how they get there without freezing this process.

numba notices only changes of the file that holds the cached function, not of the files of the kernels it calls: a hash
over all of them, kept beside the cache, closes that hole. Used by the float engine and the integer engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_CHILD = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
importlib.import_module(sys.argv[2]).compile_here(*json.loads(sys.argv[3]))
"""


def source_hash(folder: Path, files: Iterable[str]) -> str:
    """16 hex digits over these files of ``folder``, the numba version, the Python version and the processor."""
    import numba
    from llvmlite import binding

    digest = hashlib.sha256()
    for name in files:
        digest.update((folder / name).read_bytes())
    digest.update(f"{numba.__version__} {platform.python_version()} {binding.get_host_cpu_name()}".encode())
    return digest.hexdigest()[:16]


def cache_folder(dispatcher: Any) -> Path | None:
    """Where the compiled form lies; None where there is no place for it."""
    path = getattr(getattr(dispatcher, "stats", None), "cache_path", None)
    return Path(path) if path else None


def is_current(dispatcher: Any, marker: str, digest: str) -> bool:
    """Whether the cache holds a compiled form, and the file ``marker`` beside it names these sources."""
    folder = cache_folder(dispatcher)
    if folder is None or not (folder / marker).is_file():
        return False
    return (folder / marker).read_text() == digest and any(folder.glob(f"{_pattern(dispatcher)}.nbi"))


def drop(dispatcher: Any) -> None:
    """Remove the compiled form."""
    folder = cache_folder(dispatcher)
    for path in folder.glob(f"{_pattern(dispatcher)}.nb[ic]") if folder else ():
        with contextlib.suppress(OSError):
            path.unlink()


def mark(dispatcher: Any, marker: str, digest: str) -> None:
    """Record whose sources the cache holds."""
    folder = cache_folder(dispatcher)
    if folder is not None:
        with contextlib.suppress(OSError):
            fresh = folder / f"{marker}.{os.getpid()}"
            fresh.write_text(digest)
            fresh.replace(folder / marker)


def compile_in_child(module: str, *arguments: Any, limit: float) -> bool:
    """Run ``module.compile_here(*arguments)`` in a process of its own, at most ``limit`` seconds; False if it failed.

    The arguments travel as JSON: tuples arrive as lists. Compiling holds the GIL for seconds, which would freeze a
    window.
    """
    root = Path(__file__).resolve().parents[1]
    try:
        subprocess.run(
            [sys.executable, "-c", _CHILD, str(root), module, json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=limit,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _pattern(dispatcher: Any) -> str:
    return f"{Path(dispatcher.py_func.__code__.co_filename).stem}.{dispatcher.py_func.__name__}-*"

"""The cache of the compiled integer kernels on disk, kept in step with their sources.

numba notices only changes of the file that holds the cached function; a hash over all kernel files beside the cache
closes that hole, as for the float engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding

from kwscore.stream.jit import entry, kernel

__all__ = ["cache_folder", "cache_is_current", "drop_stale_cache", "entry", "kernel", "mark_cache", "source_hash"]

KERNEL_FILES = (
    *("jit.py", "arith.py", "functions.py", "layout.py", "spectrum.py", "frontend.py", "features.py", "block.py"),
    *("head.py", "step.py", "../constants.py", "../models/constants.py", "../stream/jit.py"),
)


def source_hash() -> str:
    """Hash over the kernel sources, the numba version, the Python version and the processor."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for name in KERNEL_FILES:
        digest.update((here / name).read_bytes())
    digest.update(f"{numba.__version__} {platform.python_version()} {binding.get_host_cpu_name()}".encode())
    return digest.hexdigest()[:16]


def cache_folder(dispatcher: Any) -> Path | None:
    """Where the compiled form lies; None where there is no place for it."""
    path = getattr(getattr(dispatcher, "stats", None), "cache_path", None)
    return Path(path) if path else None


def _pattern(dispatcher: Any) -> str:
    return f"{Path(dispatcher.py_func.__code__.co_filename).stem}.{dispatcher.py_func.__name__}-*"


def _marker(folder: Path) -> Path:
    return folder / "kwscope-fixed-kernels.sha256"


def cache_is_current(dispatcher: Any) -> bool:
    """True when the compiled form of exactly these kernel sources lies on disk."""
    folder = cache_folder(dispatcher)
    if folder is None or not _marker(folder).is_file():
        return False
    return _marker(folder).read_text() == source_hash() and any(folder.glob(f"{_pattern(dispatcher)}.nbi"))


def drop_stale_cache(dispatcher: Any) -> None:
    """Remove the cached form, because a kernel file has changed since it was compiled."""
    folder = cache_folder(dispatcher)
    for path in folder.glob(f"{_pattern(dispatcher)}.nb[ic]") if folder else ():
        with contextlib.suppress(OSError):
            path.unlink()


def mark_cache(dispatcher: Any) -> None:
    """Record that the cache now holds the present kernel sources."""
    folder = cache_folder(dispatcher)
    if folder is not None:
        with contextlib.suppress(OSError):
            fresh = _marker(folder).with_suffix(f".{os.getpid()}")
            fresh.write_text(source_hash())
            fresh.replace(_marker(folder))

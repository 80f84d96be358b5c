"""Keeps the compiled integer kernels on disk in step with their sources.

numba notices only changes of the file that holds the cached function; a hash over all kernel files beside the cache
closes that hole, as for the float engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding

from kwscore.stream.jit import entry, kernel

__all__ = ["entry", "kernel", "refresh_cache"]

KERNEL_FILES = (
    "jit.py", "arith.py", "functions.py", "layout.py", "spectrum.py", "frontend.py", "features.py", "block.py",
    "head.py", "step.py",
)  # fmt: skip


def source_hash() -> str:
    """Hash over the kernel sources, the numba version, the Python version and the processor."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for name in KERNEL_FILES:
        digest.update((here / name).read_bytes())
    digest.update((here.parent / "constants.py").read_bytes())
    digest.update(f"{numba.__version__} {platform.python_version()} {binding.get_host_cpu_name()}".encode())
    return digest.hexdigest()[:16]


def refresh_cache(dispatcher: Any) -> None:
    """Before the first call of ``dispatcher``: remove its cached form if any kernel file changed since."""
    path = getattr(getattr(dispatcher, "stats", None), "cache_path", None)
    if not path:
        return
    folder = Path(path)
    marker = folder / "kwscope-fixed-kernels.sha256"
    digest = source_hash()
    if marker.is_file() and marker.read_text() == digest:
        return
    for stale in folder.glob(f"step.{dispatcher.py_func.__name__}-*.nb[ic]"):
        with contextlib.suppress(OSError):
            stale.unlink()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        fresh = marker.with_suffix(".new")
        fresh.write_text(digest)
        fresh.replace(marker)

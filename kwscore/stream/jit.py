"""The one compiler setting of the streaming kernels, and their cache on disk.

Kernels release the GIL, follow IEEE rules for NaN and infinity, and are cached. numba notices only changes of the
file that holds the cached function, not of the files of the kernels it calls; ``drop_stale_cache`` closes that hole
with a hash over all kernel files, kept beside the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding

KERNEL_FILES = (
    *("jit.py", "mathf.py", "fft.py", "layout.py", "frontend.py", "routing.py", "backend.py", "step.py"),
    *("../constants.py", "../models/constants.py", "../audio/level.py"),  # numbers that are compiled in
)
_ENTRY: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_INNER: dict[str, Any] = {**_ENTRY, "no_cpython_wrapper": True}


def kernel(function: Callable[..., Any]) -> Any:
    """A function called by other kernels only: compiled into its caller, so without Python wrapper or cache entry."""
    return numba.njit(**_INNER)(function)


def inlined_kernel(function: Callable[..., Any]) -> Any:
    """Like :func:`kernel`, but always merged into its caller: for kernels that are handed whole named tuples, whose
    passing by value would take longer than their work."""
    return numba.njit(inline="always", **_INNER)(function)


def fused_kernel(function: Callable[..., Any]) -> Any:
    """Like :func:`kernel`, but sums may be reordered so that they vectorise; NaN and infinity keep their rules."""
    return numba.njit(fastmath={"reassoc", "contract", "nsz"}, **_INNER)(function)


def entry(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls: compiled on first use, cached on disk where a place for the cache can be written."""
    try:
        return numba.njit(cache=True, **_ENTRY)(function)
    except RuntimeError:  # numba found no writable place: compile in each process instead
        return numba.njit(**_ENTRY)(function)


def source_hash() -> str:
    """Hash over the kernel sources, the numba version, the Python version and the processor."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for name in KERNEL_FILES:
        digest.update((here / name).read_bytes())
    digest.update(f"{numba.__version__} {platform.python_version()} {binding.get_host_cpu_name()}".encode())
    return digest.hexdigest()[:16]


def _marker(dispatcher: Any) -> Path | None:
    path = getattr(getattr(dispatcher, "stats", None), "cache_path", None)
    return Path(path) / "kwscope-kernels.sha256" if path else None


def has_cache(dispatcher: Any) -> bool:
    """Whether there is a place on disk for the compiled kernel."""
    return _marker(dispatcher) is not None


def cache_is_current(dispatcher: Any) -> bool:
    """True when the compiled form of exactly these kernel sources lies on disk."""
    marker = _marker(dispatcher)
    if marker is None or not marker.is_file():
        return False
    name = dispatcher.py_func.__name__
    return marker.read_text() == source_hash() and any(marker.parent.glob(f"*.{name}-*.nbi"))


def drop_stale_cache(*dispatchers: Any) -> None:
    """Remove cached kernels, because a kernel file has changed since they were compiled."""
    for dispatcher in dispatchers:
        marker = _marker(dispatcher)
        for path in marker.parent.glob(f"*.{dispatcher.py_func.__name__}-*.nb[ic]") if marker else ():
            with contextlib.suppress(OSError):
                path.unlink()


def mark_cache(*dispatchers: Any) -> None:
    """Record that the cache now holds the present kernel sources."""
    for marker in {path for path in map(_marker, dispatchers) if path}:
        with contextlib.suppress(OSError):
            fresh = marker.with_suffix(f".{os.getpid()}")
            fresh.write_text(source_hash())
            fresh.replace(marker)

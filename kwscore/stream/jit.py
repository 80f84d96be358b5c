"""The one compiler setting of the streaming kernels, and their cache on disk (see ``kwscore.compiled``).

Kernels release the GIL, follow IEEE rules for NaN and infinity, and are cached.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from kwscore import compiled

KERNEL_FILES = (
    *("jit.py", "mathf.py", "fft.py", "framing.py", "layout.py", "frontend.py", "routing.py", "backend.py", "step.py"),
    *("../constants.py", "../models/constants.py", "../audio/level.py"),  # numbers that are compiled in
)
_MARKER = "kwscope-kernels.sha256"
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
    """Hash over everything that decides what the compiler makes."""
    return compiled.source_hash(Path(__file__).parent, KERNEL_FILES)


def has_cache(dispatcher: Any) -> bool:
    """Whether there is a place on disk for the compiled kernel."""
    return compiled.cache_folder(dispatcher) is not None


def cache_is_current(dispatcher: Any) -> bool:
    """True when the compiled form of exactly these kernel sources lies on disk."""
    return compiled.is_current(dispatcher, _MARKER, source_hash())


def drop_stale_cache(*dispatchers: Any) -> None:
    """Remove cached kernels, because a kernel file has changed since they were compiled."""
    for dispatcher in dispatchers:
        compiled.drop(dispatcher)


def mark_cache(*dispatchers: Any) -> None:
    """Record that the cache now holds the present kernel sources."""
    for dispatcher in dispatchers:
        compiled.mark(dispatcher, _MARKER, source_hash())

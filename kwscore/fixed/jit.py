"""The compiled integer kernels on disk (see ``kwscore.compiled``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kwscore import compiled
from kwscore.stream.jit import entry, kernel

__all__ = ["KERNEL_FILES", "cache_is_current", "drop_stale_cache", "entry", "kernel", "mark_cache", "source_hash"]

KERNEL_FILES = (
    *("jit.py", "arith.py", "functions.py", "layout.py", "spectrum.py", "frontend.py", "features.py", "block.py"),
    *("head.py", "step.py", "../constants.py", "../models/constants.py", "../stream/framing.py", "../stream/jit.py"),
)
_MARKER = "kwscope-fixed-kernels.sha256"


def source_hash() -> str:
    """Hash over everything that decides what the compiler makes."""
    return compiled.source_hash(Path(__file__).parent, KERNEL_FILES)


def cache_is_current(dispatcher: Any) -> bool:
    """True when the compiled form of exactly these kernel sources lies on disk."""
    return compiled.is_current(dispatcher, _MARKER, source_hash())


def drop_stale_cache(dispatcher: Any) -> None:
    """Remove the cached form, because a kernel file has changed since it was compiled."""
    compiled.drop(dispatcher)


def mark_cache(dispatcher: Any) -> None:
    """Record that the cache now holds the present kernel sources."""
    compiled.mark(dispatcher, _MARKER, source_hash())

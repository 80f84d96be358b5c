"""Brings the compiled step into memory: from the cache on disk, or by compiling it in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kwscore import compiled
from kwscore.stream import jit, layout
from kwscore.stream.step import bundle, run

_ENTRIES = (bundle, run)
_LIMIT = 300.0  # seconds a compilation may take before it is done here instead
_loaded = False  # asking numba takes longer than a whole hop


def is_compiled() -> bool:
    """Whether the compiled step is in memory or cached on disk."""
    return _loaded or _cached()


def make_bundle(
    shape: layout.Shape,
    weights: layout.Weights,
    state: layout.State,
    scratch: layout.Scratch,
    progress: Callable[[str], None] | None = None,
) -> layout.Bundle:
    """Put an engine's parts behind one pointer; the first time, load or compile the kernels.

    Compiling holds the GIL for seconds, which would freeze a window; so a child process compiles into the cache and
    this one loads. Where there is no place for a cache, or no child can be started, it is compiled here.
    """
    global _loaded
    if not _loaded:
        compiles = not _cached()
        if compiles and progress:
            progress("Compiling the streaming engine (once after installation) ...")
        kinds = array_kinds(weights)
        if not compiles or not _compile_in_child(kinds):
            compile_here(kinds)
        made = _first_call(shape, weights, state, scratch)
        _loaded = True
        if compiles and progress:
            progress("The streaming engine is compiled.")
        return made
    return _join(shape, weights, state, scratch)


def array_kinds(weights: layout.Weights) -> list[tuple[str, int]]:
    """Element type and number of dimensions of each array: all that the compiler wants to know of them."""
    return [(array.dtype.str, array.ndim) for array in weights]


def compile_here(kinds: Sequence[tuple[str, int]]) -> None:
    """Compile the kernels in this process, or load them, and keep their cache on disk true to the sources.

    ``kinds``: see :func:`array_kinds`; the same for every network.
    """
    current = _cached()
    if not current:
        jit.drop_stale_cache(*_ENTRIES)
    # No frame is computed, so only the types matter; each axis is long enough for what a new state reads.
    shape = layout.Shape._make([0] * len(layout.Shape._fields))
    weights = layout.Weights._make(np.zeros((layout.N_SCALARS,) * dimensions, kind) for kind, dimensions in kinds)
    _first_call(shape, weights, layout.new_state(shape, weights), layout.new_scratch(shape))
    if not current:
        jit.mark_cache(*_ENTRIES)


def _compile_in_child(kinds: Sequence[tuple[str, int]]) -> bool:
    if not all(jit.has_cache(entry) for entry in _ENTRIES):
        return False
    if not compiled.compile_in_child(__name__, kinds, limit=_LIMIT):
        return False
    return _cached()


def _first_call(*parts: Any) -> layout.Bundle:
    made = _join(*parts)
    run(made, np.zeros(0, np.int16), np.empty((0, layout.output_columns(parts[0]).width), np.float32))
    return made


def _join(*parts: Any) -> layout.Bundle:
    made: layout.Bundle = bundle(*parts)
    return made


def _cached() -> bool:
    return all(jit.cache_is_current(entry) for entry in _ENTRIES)

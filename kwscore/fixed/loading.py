"""Brings the compiled integer step into memory: from the cache on disk, or by compiling it in a process of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kwscore import compiled
from kwscore.fixed import jit, layout
from kwscore.fixed.step import run
from kwscore.fixed.tables import rom

_LIMIT = 600.0  # seconds a compilation may take before it is done here instead
_loaded = False  # asking numba takes longer than a whole hop


def is_compiled() -> bool:
    """Whether the compiled step is in memory or cached on disk."""
    return _loaded or jit.cache_is_current(run)


def load(progress: Callable[[str], None] | None = None) -> None:
    """Make the step ready to be called; at once when it is.

    Compiling holds the GIL for seconds, which would freeze a window; so a child process compiles into the cache and
    this one loads. Where there is no place for a cache, or no child can be started, it is compiled here. ``progress``
    is called with a sentence before and after a compilation.
    """
    global _loaded
    if _loaded:
        return
    compiles = not jit.cache_is_current(run)
    if compiles and progress:
        progress("Compiling the integer engine (once after installation) ...")
    if compiles and compiled.cache_folder(run) is not None:
        compiled.compile_in_child(__name__, limit=_LIMIT)
    compile_here()
    _loaded = True
    if compiles and progress:
        progress("The integer engine is compiled.")


def compile_here() -> None:
    """Compile the step in this process, or load it, and keep its cache on disk true to the sources."""
    current = jit.cache_is_current(run)
    if not current:
        jit.drop_stale_cache(run)
    # No frame is computed, so only the types matter, which are the same for every network.
    sizes = layout.Sizes(layout.FRONT_DUAL, 2, 3, 1, 1)
    matrices, constants = layout.matrix_shapes(sizes), layout.constant_shapes(sizes)
    net = layout.Net(
        layout.Matrices(*(np.zeros(shape, np.int64) for shape in matrices.values())),
        layout.Shifts(*(np.zeros(shape[:-1], np.int64) for shape in matrices.values())),
        layout.Constants(*(np.zeros(shape, np.int64) for shape in constants.values())),
    )
    state, trace = layout.new_state(sizes, net.const), layout.new_trace(sizes)
    run(sizes, rom(), net, state, trace, 0, layout.NOTHING_GIVEN, np.zeros(0, np.int16), layout.new_outputs(sizes, 0))
    if not current:
        jit.mark_cache(run)

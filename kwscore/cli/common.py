"""What several sub-commands share: options, sources, engines, output of one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.constants import LABELS
from kwscore.errors import KWScopeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kwscore.audio.source import Source
    from kwscore.stream.telemetry import Engine

ModelOption = Annotated[
    str, typer.Option("--model", "-m", metavar="NAME|PATH", help="A network that comes with KWScope, or a checkpoint.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def note(text: str) -> None:
    """A line for the person at the terminal: stderr, so that stdout stays clean."""
    print(text, file=sys.stderr, flush=True)


def emit(record: dict[str, Any]) -> None:
    """One JSON object on a line of its own, at once: whoever reads a pipe wants it now."""
    sys.stdout.write(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def print_columns(rows: Sequence[tuple[str, ...]], left: tuple[int, ...]) -> None:
    """A table on stdout, first row the heading: as wide as it needs, never shortened, so that it can be cut and sorted.

    ``left``: columns set to the left; numbers go to the right.
    """
    from kwscore.columns import columns

    sys.stdout.write(columns(rows, left))


def numbers(array: NDArray[np.floating]) -> list[Any]:
    """Nested lists of numbers with the seven digits that a 32-bit float has."""
    if array.ndim > 1:
        return [numbers(row) for row in array]
    return [float(f"{value:.7g}") for value in array.tolist()]


def open_source(name: str, *, device: str | None = None, realtime: bool = False) -> Source:
    """The source called ``mic``, ``demo``, or the file of that name; a playlist where the file is JSON.

    Raises KWScopeError where there is no such file. The source is not started.
    """
    pace: Any = "realtime" if realtime else "fast"
    if name == "mic":
        from kwscore.audio.microphone import Microphone

        return Microphone(device)
    if device is not None:
        raise KWScopeError(f"--device {device} goes with the source mic, not with {name}")
    if name == "demo" or name.lower().endswith(".json"):
        from kwscore.audio.playlist import PlaylistSource

        return PlaylistSource(None if name == "demo" else name, pace)
    from kwscore.audio.file import FileSource

    if not Path(name).exists():
        raise KWScopeError(f"There is no file {name}: give mic, demo, or the name of an audio file.")
    return FileSource(name, pace)


def open_engine(model: str) -> Engine:
    """The float engine of a network by name or path, for the schedule it was made for; says so where it compiles."""
    from kwscore.stream.choose import load_engine
    from kwscore.stream.engine import StreamEngine

    engine = load_engine(model)
    if isinstance(engine, StreamEngine):
        engine.warm_up(note)
    return engine


def ranking(probabilities: NDArray[np.floating], count: int = 3) -> list[tuple[str, float]]:
    """The ``count`` likeliest labels with their probabilities."""
    order = (-probabilities).argsort(kind="stable")[:count]
    return [(LABELS[index], float(f"{probabilities[index]:.7g}")) for index in order]

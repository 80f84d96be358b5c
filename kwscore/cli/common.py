"""What several sub-commands share: options, sources, engines, output of one JSON object a line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwscore.constants import LABELS
from kwscore.errors import KWScopeError
from kwscore.session.container import SUFFIX

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kwscore.audio.source import Source
    from kwscore.stream.telemetry import Engine

ModelOption = Annotated[
    str, typer.Option("--model", "-m", metavar="NAME|PATH", help="A network that comes with KWScope, or a checkpoint.")
]
BoardOption = Annotated[
    str | None, typer.Option("--board", metavar="sim|rtl|PORT", help="Compute on a board, virtual or real.")
]
DEFAULT_BAUD = 1_000_000  # kwscore.board.protocol.DEFAULT_BAUD without its imports; a test holds them together
BaudOption = Annotated[int, typer.Option("--baud", help="Rate of the board's line in bit/s.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def note(text: str) -> None:
    """A line for the person at the terminal: stderr, so that stdout stays clean."""
    print(text, file=sys.stderr, flush=True)


def note_progress(text: str) -> None:
    """Like ``note``, but what says how far something is ("37% of ...") stays on one line at a terminal, and elsewhere
    is told only when it is complete."""
    share = re.search(r"\b(\d+)%", text)
    if share is None or share[1] == "100":
        note(f"\x1b[K{text}" if sys.stderr.isatty() else text)
    elif sys.stderr.isatty():
        print(f"\x1b[K{text}", end="\r", file=sys.stderr, flush=True)


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
    if name.lower().endswith(SUFFIX):
        from kwscore.session.source import SessionSource

        return SessionSource(name, pace)
    from kwscore.audio.file import FileSource

    if not Path(name).exists():
        raise KWScopeError(f"There is no file {name}: give mic, demo, or the name of an audio file.")
    return FileSource(name, pace)


def open_engine(model: str, board: str | None = None, baud: int = DEFAULT_BAUD) -> Engine:
    """The engine of a network by name or path; says so where it compiles.

    The float engine for the schedule that the network was made for; with ``board`` (sim, rtl, or a port) the network on
    that board, at ``baud``, and the integer engine while the board is lost. Then the caller closes it. A board that
    cannot be used yet counts as lost; where a virtual one cannot even be started, that is said and the integer engine
    comes back alone. Raises KWScopeError for wrong use: the network, the rate, an empty name.
    """
    if board is not None:
        from kwscore.board.errors import BoardError
        from kwscore.board.handshake import check_baud
        from kwscore.board.opening import open_board
        from kwscore.fixed.calibrate import load_image
        from kwscore.fixed.engine import FixedEngine

        check_baud(baud)
        image = load_image(model, progress=note)
        try:
            return open_board(board, image, standby=FixedEngine, baud=baud, may_wait=True, progress=note_progress)
        except BoardError as error:
            note(f"kwscope: {error} The integer engine goes on.")
            alone = FixedEngine(image)
            alone.warm_up(note)
            return alone
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

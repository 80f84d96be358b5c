"""Which networks there are, and how one becomes an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kwscore.errors import KWScopeError
from kwscore.models.config import DEFAULT_NETWORK
from kwscore.stream.telemetry import Engine

if TYPE_CHECKING:
    from kwscore.fixed.image import Image

RECORDED_DBFS = -20.0
"""Level of the loud part of a word in Speech Commands: 90th percentile of its 10 ms levels, median over words."""
LOUDEST_DBFS = -3.0


def names() -> list[str]:
    """The networks that come with KWScope."""
    from kwscore.models.checkpoint import shipped_checkpoints

    return list(shipped_checkpoints())


def _standard_network() -> str:
    shipped = names()
    if not shipped:
        raise KWScopeError(
            "No trained network is installed: open a checkpoint file (Ctrl+Shift+O), or run kwscope train."
        )
    return DEFAULT_NETWORK if DEFAULT_NETWORK in shipped else shipped[0]


def load_engine(name: str, progress: Callable[[str], None]) -> tuple[Engine, tuple[float, float] | None]:
    """The float engine of a network (empty: the standard one), compiled, and the levels it was trained on."""
    from kwscore.models.checkpoint import read_checkpoint
    from kwscore.stream.choose import load_engine as load
    from kwscore.stream.engine import StreamEngine

    wanted = name or _standard_network()
    if Path(wanted).suffix.lower() in (".pt", ".pth"):
        return load(wanted), None
    _, _, card = read_checkpoint(wanted)
    engine = load(wanted)
    if isinstance(engine, StreamEngine):
        engine.warm_up(progress)
    return engine, _training_level(card)


def _training_level(card: object) -> tuple[float, float] | None:
    """Levels of a word's loud part, dBFS, that training covered: the recipe's gains around recordings as they are."""
    try:
        low, high = card["recipe"]["streams"]["level"]  # type: ignore[index]
        return RECORDED_DBFS + float(low), min(RECORDED_DBFS + float(high), LOUDEST_DBFS)
    except (KeyError, TypeError, ValueError):
        return None


def load_image(name: str, progress: Callable[[str], None]) -> Image:
    """The integer image of a network (empty: the standard one). Raises KWScopeError for one that has none."""
    from kwscore.fixed.calibrate import load_image as load

    return load(name or _standard_network(), progress=progress)


def load_integer(name: str, progress: Callable[[str], None]) -> Engine:
    """The integer engine of a network (empty: the standard one), compiled."""
    from kwscore.fixed.engine import FixedEngine

    engine = FixedEngine(load_image(name, progress))
    engine.warm_up(progress)
    return engine

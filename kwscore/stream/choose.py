"""The right float engine for a network, whichever schedule it was made for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwscore.models.checkpoint import load_arrays
from kwscore.stream.engine import StreamEngine, network_arrays
from kwscore.stream.telemetry import Engine

if TYPE_CHECKING:
    from kwscore.models.cnn import CnnBaseline
    from kwscore.models.network import NanoMamba


def load_engine(name: str | Path) -> Engine:
    """Engine of our trained network ``name`` or of the checkpoint at a path; torch only where the schedule needs it."""
    config, arrays, _ = load_arrays(name)
    if config.schedule == "stream":
        return StreamEngine((config, arrays))
    from kwscore.stream.window import WindowEngine

    return WindowEngine.load(name)


def make_engine(net: NanoMamba | CnnBaseline | Any) -> Engine:
    """``StreamEngine`` for a network of the stream schedule, ``WindowEngine`` for one of the clip schedule."""
    if getattr(net, "schedule", "stream") == "clip":
        from kwscore.stream.window import WindowEngine

        return WindowEngine(net)
    return StreamEngine(network_arrays(net))

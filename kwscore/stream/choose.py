"""The right float engine for a network, whichever schedule it was made for."""

from __future__ import annotations

from pathlib import Path

from kwscore.models.checkpoint import load_baseline, read_checkpoint
from kwscore.models.config import NetworkConfig
from kwscore.stream.engine import StreamEngine
from kwscore.stream.telemetry import Engine


def load_engine(name: str | Path) -> Engine:
    """Engine of our trained network ``name`` or of the checkpoint at a path; torch only where the schedule needs it.

    A published file (.pt) is recognised and runs in window mode.
    """
    if Path(name).suffix.lower() in (".pt", ".pth"):
        from kwscore.models.recognise import open_published
        from kwscore.stream.window import WindowEngine

        return WindowEngine(open_published(name))
    config, arrays, _ = read_checkpoint(name)
    if isinstance(config, NetworkConfig) and config.schedule == "stream":
        return StreamEngine((config, arrays))
    from kwscore.stream.window import WindowEngine

    return WindowEngine.load(name) if isinstance(config, NetworkConfig) else WindowEngine(load_baseline(name))

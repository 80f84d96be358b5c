"""The streaming engines, detection, the loop that drives them, and the history that plots read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kwscore.stream.telemetry import Engine, Telemetry

if TYPE_CHECKING:
    from kwscore.stream.engine import StreamEngine

__all__ = ["Engine", "StreamEngine", "Telemetry"]


def __getattr__(name: str) -> Any:
    """The engine brings numba with it: a window shows its first frame before that is loaded."""
    if name == "StreamEngine":
        from kwscore.stream.engine import StreamEngine

        return StreamEngine
    raise AttributeError(f"module 'kwscore.stream' has no attribute {name!r}")

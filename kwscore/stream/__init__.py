"""The streaming engines, detection, the loop that drives them, and the history that plots read."""

from kwscore.stream.engine import StreamEngine
from kwscore.stream.telemetry import Engine, Telemetry

__all__ = ["Engine", "StreamEngine", "Telemetry"]

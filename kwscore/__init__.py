"""KWScope's computing core: networks, stream engines, audio, training. Imports no Qt.

Torch is imported only when a torch network is asked for, so that the window and the stream engines start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kwscore.constants import LABELS

if TYPE_CHECKING:
    from kwscore.fixed.engine import FixedEngine
    from kwscore.models.checkpoint import load_model
    from kwscore.models.published import load_published
    from kwscore.models.registry import create_model
    from kwscore.stream.engine import StreamEngine

__version__ = "0.1.0"
__all__ = ["LABELS", "FixedEngine", "StreamEngine", "__version__", "create_model", "load_model", "load_published"]

_LAZY = {
    "FixedEngine": "kwscore.fixed.engine",
    "StreamEngine": "kwscore.stream.engine",
    "create_model": "kwscore.models.registry",
    "load_model": "kwscore.models.checkpoint",
    "load_published": "kwscore.models.published",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'kwscore' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)

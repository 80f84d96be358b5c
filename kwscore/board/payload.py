"""Payloads of a fixed layout."""

from __future__ import annotations

import struct
from typing import Any

from kwscore.board.errors import LengthError


def unpack_fixed(cls: Any, payload: bytes) -> tuple[Any, ...]:
    """The fields of a message class with a ``LAYOUT``. Raises LengthError for a payload of another length."""
    layout: struct.Struct = cls.LAYOUT
    if len(payload) != layout.size:
        raise LengthError(cls.__name__, len(payload))
    return layout.unpack(payload)

"""What goes wrong on the way to a board, as sentences."""

from __future__ import annotations

from kwscore.errors import KWScopeError


class BoardError(KWScopeError):
    """A board, a port or an image cannot be used; the message says which and what to do."""


class BoardLostError(BoardError):
    """The board stopped answering or was unplugged. The client reconnects by itself; go on in software meanwhile."""


class ProtocolError(Exception):
    """A frame that is no valid message. Never reaches the user: such frames are counted and dropped."""


class LengthError(ProtocolError):
    """A payload whose length does not fit its type; ``detail`` is that length."""

    def __init__(self, kind: str, length: int) -> None:
        super().__init__(f"{kind} of {length} bytes")
        self.detail = length


class ArgumentError(ProtocolError):
    """A field out of its range; ``detail`` is its value."""

    def __init__(self, kind: str, value: int) -> None:
        super().__init__(f"{kind} with {value}")
        self.detail = value

"""Notes and pins: what a person marks while listening or looking back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

LONGEST = 2000  # characters of a note


def now() -> str:
    """The time of day in UTC, ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Note:
    """A mark at session sample ``position``; a pin is a note without ``text``. ``created``: UTC, ISO 8601.

    A note with the ``id`` of an earlier one takes its place; ``deleted`` ones take it away.
    """

    position: int
    text: str = ""
    created: str = field(default_factory=now)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    deleted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", " ".join(self.text.split())[:LONGEST])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Note:
        """Inverse of ``to_dict``; unknown fields of a later version are left out."""
        return cls(**{key: values[key] for key in cls.__dataclass_fields__ if key in values})


def current(history: Iterable[Note]) -> list[Note]:
    """The notes that stand, in order of position, after all changes in the order they were made."""
    standing: dict[str, Note] = {}
    for note in history:
        standing[note.id] = note
    return sorted((note for note in standing.values() if not note.deleted), key=lambda note: note.position)

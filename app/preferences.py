"""What a user can set, declared once: the fields of ``app.settings.Settings`` that are made by ``preference``.

The settings dialog, the checks of a loaded or imported file and the documentation follow from the declaration.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from kwscore.errors import KWScopeError

_KEY = "preference"


@dataclass(frozen=True, slots=True)
class Preference:
    """One row of the dialog. What kind of value it is follows from ``default``: bool, int, float or str; a str with
    ``choices`` ((value, words) pairs) is one of them, and ``folder`` marks one that names a folder (empty: the usual
    one). ``low``, ``high`` and ``step`` belong to numbers."""

    name: str
    default: Any
    group: str
    label: str
    help: str
    choices: tuple[tuple[Any, str], ...] = ()
    low: float = 0
    high: float = 0
    step: float = 1
    unit: str = ""
    folder: bool = False

    def check(self, value: Any) -> Any:
        """The value as its own type. Raises KWScopeError that names the setting and what it takes."""
        if isinstance(self.default, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(self.default):
            raise KWScopeError(f"{self.name} = {value!r}: {self.takes}.")
        if self.choices and value not in [choice for choice, _ in self.choices]:
            raise KWScopeError(f"{self.name} = {value!r}: {self.takes}.")
        number = not self.choices and isinstance(value, int | float) and not isinstance(value, bool)
        if number and not (math.isfinite(value) and self.low <= value <= self.high):
            raise KWScopeError(f"{self.name} = {value!r}: {self.takes}.")
        return value

    @property
    def takes(self) -> str:
        """What the setting takes, in words."""
        if self.choices:
            return "use one of " + ", ".join(str(value) for value, _ in self.choices)
        if isinstance(self.default, bool):
            return "use true or false"
        if isinstance(self.default, int | float):
            kind = "whole number" if isinstance(self.default, int) else "number"
            return f"use a {kind} from {self.low:g} to {self.high:g}"
        return "use a text"

    def matches(self, search: str) -> bool:
        """Whether every word of ``search`` occurs in what the row says."""
        said = " ".join((self.name, self.group, self.label, self.help, *(words for _, words in self.choices))).lower()
        return all(word in said for word in search.lower().split())


def preference(
    default: Any,
    group: str,
    label: str,
    help: str,
    *,
    choices: tuple[tuple[Any, str], ...] = (),
    low: float = 0,
    high: float = 0,
    step: float = 1,
    unit: str = "",
    folder: bool = False,
) -> Any:
    """A dataclass field that a user can set; the arguments are those of ``Preference``."""
    kept = {"default": default, "group": group, "label": label, "help": help, "choices": choices, "low": low,
            "high": high, "step": step, "unit": unit, "folder": folder}  # fmt: skip
    return dataclasses.field(default=default, metadata={_KEY: kept})


def preferences_of(kind: Any) -> tuple[Preference, ...]:
    """The preferences among the fields of a dataclass, in order."""
    return tuple(
        Preference(name=field.name, **field.metadata[_KEY])
        for field in dataclasses.fields(kind)
        if _KEY in field.metadata
    )

"""What can be heard, as the user picks it: a microphone, a file, a recorded session, the demo playlist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kwscore.audio.source import Source
from kwscore.errors import KWScopeError
from kwscore.session.container import SUFFIX


@dataclass(frozen=True, slots=True)
class Choice:
    """``kind``: mic, file or demo. ``value``: the device's id ("host API: name", empty for the default) or the path
    of a sound, of a playlist (JSON) or of a recorded session."""

    kind: str
    value: str = ""

    @property
    def label(self) -> str:
        if self.kind == "demo":
            return "Demo playlist"
        if self.kind == "file":
            return Path(self.value).name
        return self.value.partition(": ")[2] or self.value or "Default microphone"

    def as_text(self) -> str:
        """For the settings file; ``parse`` reads it."""
        return f"{self.kind}:{self.value}" if self.value else self.kind

    @classmethod
    def parse(cls, text: str) -> Choice:
        """``mic``, ``demo``, ``mic:ID``, ``file:PATH``, or a path."""
        kind, _, value = text.partition(":")
        if kind in ("mic", "demo") or (kind == "file" and value):
            return cls(kind, value)
        return cls("file", text)

    def build(self) -> Source:
        """The source, not started. May read the disk or the sound system: call it in a worker. Raises KWScopeError."""
        if self.kind == "demo":
            from kwscore.audio.playlist import PlaylistSource

            return PlaylistSource(loop=True)
        if self.kind == "file" and self.value.lower().endswith(".json"):
            from kwscore.audio.playlist import PlaylistSource

            return PlaylistSource(self.value)
        if self.kind == "file" and self.value.lower().endswith(SUFFIX):
            from kwscore.session.source import SessionSource

            return SessionSource(self.value)
        if self.kind == "file":
            from kwscore.audio.file import FileSource

            return FileSource(self.value)
        from kwscore.audio.microphone import Microphone

        return Microphone(self.value or None)


DEMO = Choice("demo")
MICROPHONE = Choice("mic")


def check(choice: Choice) -> None:
    """Raise KWScopeError at once for a file that is not there, before anything else is stopped for it."""
    if choice.kind == "file" and not Path(choice.value).exists():
        raise KWScopeError(f"There is no file {choice.value}: check the name.")

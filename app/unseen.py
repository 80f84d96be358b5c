"""A window that nobody sees: words go to stdout, messages to stderr, and what still stands at the end counts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from app.controller import Detected, Notice
from app.feature import Feature

if TYPE_CHECKING:
    from app.window import MainWindow


class Unseen(Feature):
    """Says on the terminal what the window would show."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._standing: dict[str, Notice] = {}
        window.heard.connect(self._word)

    @property
    def failed(self) -> bool:
        """Whether something is wrong that was not put right since: a source, network or engine that was asked for."""
        return any(notice.level == "error" for notice in self._standing.values())

    def event(self, event: object) -> None:
        if not isinstance(event, Notice):
            return
        before = self._standing.pop(event.key, None)
        if event.text:
            self._standing[event.key] = event
            if before is None or before.text != event.text:
                print(f"kwscope: {event.text}", file=sys.stderr, flush=True)

    @staticmethod
    def _word(word: Detected) -> None:
        print(f"{word.seconds:8.2f} s  {word.word:<6} {word.score:.2f}", flush=True)

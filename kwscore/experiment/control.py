"""Pause, go on, cancel: from any thread, obeyed between two clips."""

from __future__ import annotations

import threading
from typing import Any

from kwscore.errors import KWScopeError


class Cancelled(Exception):
    """The experiment was asked to end. ``rows``: the table of what is finished."""

    def __init__(self) -> None:
        super().__init__("cancelled")
        self.rows: list[dict[str, Any]] = []


class Unfinished(KWScopeError):
    """The experiment failed on the way. ``rows``: the table of what is finished."""

    def __init__(self, sentence: str, rows: list[dict[str, Any]]) -> None:
        super().__init__(sentence)
        self.rows = rows


class Control:
    """Shared by whoever runs an experiment and whoever watches it."""

    def __init__(self) -> None:
        self._may_run = threading.Event()
        self._may_run.set()
        self._cancelled = False

    @property
    def paused(self) -> bool:
        return not self._may_run.is_set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def pause(self) -> None:
        self._may_run.clear()

    def go_on(self) -> None:
        self._may_run.set()

    def cancel(self) -> None:
        self._cancelled = True
        self._may_run.set()

    def check(self) -> None:
        """Wait while paused. Raises Cancelled."""
        self._may_run.wait()
        if self._cancelled:
            raise Cancelled

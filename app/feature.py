"""A part of the window that is no panel: it has commands of its own and takes part in frames and events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from app.statusbar import Health
from app.theme import Theme

if TYPE_CHECKING:
    from app.window import MainWindow


class Feature:
    """Listed in ``app.catalogue.FEATURES``. A method ``do_NAME`` is what the command NAME of ``app.commands`` does."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    def frame(self) -> None:
        """With every frame (30 a second)."""

    def status(self, health: Health) -> None:
        """A few times a second."""

    def event(self, event: object) -> None:
        """Something that the controller reports."""

    def set_theme(self, theme: Theme) -> None:
        """The colours have changed."""

    def dismiss(self) -> None:
        """Escape was pressed: take away what lies over the plots."""

    def close(self) -> threading.Thread | None:
        """The window closes. What takes a moment goes on in a thread: all of them are waited for together, and not for
        ever (``app.controller.CLOSE_DEADLINE``)."""
        return None

"""One cursor through all time panels: it follows the mouse, or stands where it was put and moves with the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent

from app.feature import Feature
from app.panels.overlay import exact_clock
from kwscore.constants import N_MELS

if TYPE_CHECKING:
    from app.window import MainWindow


class Cursor(Feature):
    """``column``: where it stands, None while there is none. ``height``: what it points at in the plots, 0..1.

    Placed (``placed``), it stays there when the mouse leaves, and the arrow keys move it column by column and band by
    band; what stands under it is then also said to screen readers.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.column: int | None = None
        self.height: float | None = None
        self.placed = False
        self.spoken = ""
        """What was last said to screen readers."""
        window.time_cursor = self
        for panel in window.time_panels.values():
            panel.hovered.connect(self.point)

    def point(self, column: int | None, height: float | None) -> None:
        """Follow the mouse, unless it was placed."""
        if not self.placed:
            self._stand(column, height)

    def place(self, column: int, height: float | None = None) -> None:
        """Put it on a frozen display."""
        window = self.window
        if not window.display.frozen:
            window.show_moment(window.display.end)
        self.placed = True
        self._stand(column, height if height is not None else self.height)
        self._say()

    def remove(self) -> None:
        """Follow the mouse again."""
        if self.placed:
            self.placed = False
            self._stand(None, None)

    def step(self, columns: int) -> bool:
        """Move along the time axis and take the display along; False where it was not placed."""
        if not self.placed or self.column is None:
            return False
        window, shown = self.window, self.window.shown_columns()
        column = min(max(self.column + columns, window.feed.first), window.feed.end - 1)
        if column >= window.display.end:
            window.show_moment(column + 1)
        elif column < window.display.end - shown:
            window.show_moment(column + shown)
        self._stand(column, self.height)
        self._say()
        return True

    def do_cursor(self) -> None:
        """Place it at the middle of what is shown (or where the mouse is), or take it away."""
        window = self.window
        if self.placed:
            self.remove()
        elif window.feed.end:
            shown = min(window.shown_columns(), window.display.end - window.feed.first)
            self.place(self.column if self.column is not None else window.display.end - 1 - shown // 2, self.height)

    def do_band_up(self) -> None:
        self._move_band(1)

    def do_band_down(self) -> None:
        self._move_band(-1)

    def frame(self) -> None:
        if self.placed and not self.window.display.frozen:
            self.remove()

    def dismiss(self) -> None:
        self.remove()

    def _move_band(self, bands: int) -> None:
        if self.placed and self.column is not None:
            band = N_MELS // 2 if self.height is None else int(self.height * N_MELS) + bands
            self._stand(self.column, (min(max(band, 0), N_MELS - 1) + 0.5) / N_MELS)
            self._say()

    def _stand(self, column: int | None, height: float | None) -> None:
        self.column, self.height = column, height
        window = self.window
        for key, panel in window.time_panels.items():
            panel.set_cursor(column, height)
            window.docks[key].set_value(panel.value_at_cursor())
            panel.update()

    def _say(self) -> None:
        """Time and values of the visible panels in one sentence."""
        assert self.column is not None
        window = self.window
        values = [
            f"{panel.title.partition(':')[0]}: {said}"
            for panel in window.time_panels.values()
            if panel.isVisible() and (said := panel.value_at_cursor())
        ]
        self.spoken = ". ".join((exact_clock(self.column), *values))
        window.timeline.setAccessibleDescription(self.spoken)
        if QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(window, self.spoken))

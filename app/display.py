"""Which part of the history is shown: live, or frozen at a moment."""

from __future__ import annotations

from app.feed import Feed


class Display:
    """``end`` is one past the newest column shown; ``pitch`` the pixels a column."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.end = 0
        self.pitch = 2
        self.frozen = False

    def update(self) -> None:
        """Follow the newest column unless frozen; a frozen moment that was forgotten moves with the oldest one."""
        if not self.frozen or self.end > self.feed.end:
            self.end = self.feed.end
        elif self.end <= self.feed.first:
            self.end = min(self.feed.first + 1, self.feed.end)

    def freeze(self, on: bool) -> None:
        self.frozen = on
        self.update()

    def go_to(self, end: int, shown: int) -> None:
        """Show up to column ``end``, as far as it is held; ``shown`` columns fit on the screen."""
        oldest = min(self.feed.first + shown, self.feed.end)
        self.end = min(max(end, oldest), self.feed.end)

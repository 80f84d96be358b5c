"""A detection that was clicked, in a plot or in the log: the display freezes and shows the second around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.feature import Feature
from app.feed import COLUMNS_PER_SECOND, Feed, Mark, Moment
from app.history_feed import FOLLOWED
from app.panels.overlay import exact_clock
from app.zoom import PITCHES
from kwscore.constants import LABELS
from kwscore.stream.clip import first_peak

if TYPE_CHECKING:
    from app.window import MainWindow

AROUND = 125  # columns that are shown at least: the second, and where it lies
TAG = 48  # px right of a mark that its label covers


def moment_of(feed: Feed, mark: Mark) -> Moment:
    """Start, peak and decision of a detection; ``feed`` must show its columns.

    The peak is where the smoothed posterior first comes close to the highest value it reaches, as in the log.
    """
    start, decided = int(mark.start), int(mark.column) - 1
    columns = feed.columns(start, decided + FOLLOWED)
    peak = decided
    if len(columns):
        peak = columns.start + first_peak(columns.posteriors[:, LABELS.index(mark.label)])
    return Moment(mark.label, start, peak, decided)


class Moments(Feature):
    """``moment``: what is looked at, None while the display follows the sound or was left."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.moment: Moment | None = None
        self._pitch = 0  # to go back to
        self._begun = window.feed.begun
        for panel in window.time_panels.values():
            panel.clicked.connect(self.click)
        window.log.moment_wanted.connect(self.at)

    def click(self, column: int) -> None:
        """A click in a plot: the detection there, else the cursor where the display is frozen."""
        window = self.window
        tag = round(TAG / max(window.display.pitch, 1))
        for mark in reversed(window.feed.detections(column - tag, window.feed.end)):
            if mark.start <= column <= mark.column + tag:
                self.show(mark)
                return
        if window.display.frozen:
            window.time_cursor.place(column)

    def at(self, column: int) -> None:
        """The detection decided in ``column`` - 1, as the log names it; without one just that place."""
        for mark in self.window.feed.marks:
            if int(mark.column) == column:
                self.show(mark)
                return
        if column <= self.window.feed.first:
            gone = "What was heard then is no longer held; a recording (Ctrl + R) keeps everything."
            self.window.notify("moment", gone, "info")
        else:
            self.window.show_moment(column + self.window.shown_columns() // 3)

    def show(self, mark: Mark) -> None:
        """Freeze around ``mark``, name its start, peak and decision, and offer the comparison."""
        window = self.window
        if self.moment is None:
            self._pitch = window.display.pitch
        width = window.shown_columns() * window.display.pitch
        window.display.pitch = max((p for p in PITCHES if width // p >= AROUND), default=PITCHES[0])
        shown = width // window.display.pitch
        middle = (int(mark.start) + int(mark.column)) // 2
        window.show_moment(middle + shown // 2, shown)
        window.feed.refresh(window.display.end, shown)
        self.moment = moment_of(window.feed, mark)
        self._set(self.moment)
        ms = 1000 // COLUMNS_PER_SECOND
        window.banner.show_message(
            "moment",
            f"“{mark.label}”, decided at {exact_clock(self.moment.decided)}, "
            f"{(self.moment.decided - self.moment.start) * ms} ms after it passed the threshold; "
            f"highest posterior {mark.score:.2f}. End returns to now.",
            "info",
            action=("Compare with the word in clean", window.actions_by_name["clean"].trigger),
        )

    def leave(self) -> None:
        """Back to the scale from before."""
        if self.moment is not None:
            self.moment = None
            self.window.display.pitch = self._pitch
            self._set(None)
            self.window.banner.dismiss("moment")

    def frame(self) -> None:
        feed = self.window.feed
        if feed.begun != self._begun:
            self._begun = feed.begun
            self.window.log.model.forget_moments(keep=len(feed.marks))
        if not self.window.display.frozen:
            self.leave()

    def dismiss(self) -> None:
        self.leave()

    def _set(self, moment: Moment | None) -> None:
        for panel in self.window.time_panels.values():
            panel.moment = moment
            panel.update()

"""Where the panels stand: the standard layout, enlarging one of them, and which one carries the time labels."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow

from app.dock import Dock
from app.panels.timepanel import TimePanel

LEFT_KEYS = ("waveform", "spectrogram", "snr", "routing", "delta", "posteriors")
RIGHT_KEYS = ("readout", "bars", "log")
HIDDEN_KEYS = ("detection", "timing")
LEFT_SHARES = (14, 17, 17, 12, 12, 18)
RIGHT_SHARES = (27, 30, 26)


class Arrangement:
    """Knows the docks of one window."""

    def __init__(self, window: QMainWindow, docks: dict[str, Dock]) -> None:
        self.window, self.docks = window, docks
        self.enlarged: str | None = None
        self._hidden: list[str] = []

    def standard(self) -> None:
        """Six plots at the left, word, bars and log at the right; hidden: settings behind the log, timing below."""
        window, docks = self.window, self.docks
        self.end_enlargement()
        for dock in docks.values():
            window.removeDockWidget(dock)
        for area, keys in (
            (Qt.DockWidgetArea.LeftDockWidgetArea, LEFT_KEYS),
            (Qt.DockWidgetArea.RightDockWidgetArea, RIGHT_KEYS),
        ):
            for key in keys:
                docks[key].setFloating(False)
                window.addDockWidget(area, docks[key], Qt.Orientation.Vertical)
                docks[key].show()
        for key in HIDDEN_KEYS:
            docks[key].setFloating(False)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, docks["detection"])
        window.tabifyDockWidget(docks["log"], docks["detection"])
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, docks["timing"])
        for key in HIDDEN_KEYS:
            docks[key].hide()
        self.share_out()

    def share_out(self) -> None:
        """Standard widths and heights."""
        window, docks = self.window, self.docks
        right = max(270, min(640, window.width() // 4))
        window.resizeDocks(
            [docks["waveform"], docks["readout"]], [window.width() - right, right], Qt.Orientation.Horizontal
        )
        for keys, shares in ((LEFT_KEYS, LEFT_SHARES), (RIGHT_KEYS, RIGHT_SHARES)):
            heights = [share * window.height() // 100 for share in shares]
            window.resizeDocks([docks[key] for key in keys], heights, Qt.Orientation.Vertical)

    def make_room_below(self) -> None:
        """A height at which the charts below are legible."""
        self.window.resizeDocks([self.docks["timing"]], [self.window.height() // 5], Qt.Orientation.Vertical)

    def enlarge(self, key: str) -> None:
        """Give one panel the space of its column; a second call puts the others back."""
        if self.enlarged is not None:
            self.end_enlargement()
            return
        column = LEFT_KEYS if key in LEFT_KEYS else (*RIGHT_KEYS, "detection") if key != "timing" else tuple(self.docks)
        self._hidden = [other for other in column if other != key and not self.docks[other].isHidden()]
        for other in self._hidden:
            self.docks[other].hide()
        self.enlarged = key

    def end_enlargement(self) -> None:
        for other in self._hidden:
            self.docks[other].show()
        self._hidden, self.enlarged = [], None

    def place_axis(self) -> None:
        """Time labels stand under the lowest plot of each column of plots (and under each floating one)."""
        plots = [dock.widget() for key, dock in self.docks.items() if key in LEFT_KEYS and dock.isVisible()]
        spots = [(panel, panel.mapTo(panel.window(), panel.rect().bottomLeft())) for panel in plots]
        for panel, spot in spots:
            assert isinstance(panel, TimePanel)
            below = any(
                other.window() is panel.window() and abs(place.x() - spot.x()) < 8 and place.y() > spot.y()
                for other, place in spots
            )
            panel.set_axis(not below)

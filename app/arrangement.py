"""Where the panels stand: the presets, enlarging one of them, and which one carries the time labels."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtWidgets import QMainWindow, QTabBar, QToolBar, QWidget

from app.catalogue import BY_KEY, STANDARD, Area, keys_in
from app.dock import Dock
from app.panels.timepanel import TimePanel
from app.presets import Preset, find
from app.theme import scaled

HANDLE = 4  # px between docks, as the style sheet says
TABS = 30  # px, a row of tabs at 100 % text size
MARGIN = 6  # px, rounding
SETTLED = 200  # ms after which docks stand where they were put
_SIDES = (Area.SIDE, Area.BEHIND)


class Arrangement:
    """Knows the docks of one window."""

    def __init__(self, window: QMainWindow, docks: dict[str, Dock]) -> None:
        self.window, self.docks = window, docks
        self.enlarged: str | None = None
        self.preset = find(STANDARD)
        self._hidden: list[str] = []

    # -- presets ----------------------------------------------------------------------------------------------

    def use(self, preset: Preset) -> None:
        """All panels in their places, those of the preset shown."""
        self.end_enlargement()
        self.preset = preset
        for dock in self.docks.values():
            dock.setFloating(False)
            self.window.removeDockWidget(dock)
        for key in self.docks:
            self._place(key)
        shown = preset.shown
        for key, dock in self.docks.items():
            dock.setVisible(key in shown)
        for area in (Area.BEHIND, Area.BELOW):
            in_front = next((key for key in keys_in(area) if key in shown), None)
            if in_front is not None:
                self.docks[in_front].raise_()
        if "log" in shown:
            self.docks["log"].raise_()
        self.share_out()

    def refit(self) -> None:
        """After the least sizes of the panels have changed: a preset that is as it was made is made anew; of what was
        arranged by hand only that shares places which no longer has its room."""
        shown = {key for key, dock in self.docks.items() if not dock.isHidden()}
        floating = any(dock.isFloating() for dock in self.docks.values())
        if self.enlarged is None and not floating and shown == set(self.preset.shown):
            self.use(self.preset)
        QTimer.singleShot(0, self.share_out)

    def admit(self, key: str) -> None:
        """A panel was shown: where its column has no room for it, it shares the place of the lowest other one."""
        dock, window = self.docks[key], self.window
        area = window.dockWidgetArea(dock)
        if dock.isFloating() or area not in (
            Qt.DockWidgetArea.LeftDockWidgetArea,
            Qt.DockWidgetArea.RightDockWidgetArea,
        ):
            return
        column = {
            other
            for other, each in self.docks.items()
            if not each.isHidden() and not each.isFloating() and window.dockWidgetArea(each) is area
        }
        for _ in column:
            places = {frozenset({other, *self._beside(other)} & column) for other in column}
            needed = sum(max(map(self._least, place)) + scaled(TABS) * (len(place) > 1) for place in places)
            mine = next(place for place in places if key in place)
            seen = [other for other in column - mine if not self.is_behind(self.docks[other].bar)]
            if needed <= self._room() or not seen:
                break
            lowest = max(seen, key=lambda other: self.docks[other].y())
            for each in mine:
                window.tabifyDockWidget(self.docks[lowest], self.docks[each])
            dock.raise_()

    def is_behind(self, widget: QWidget) -> bool:
        """Whether a widget belongs to a panel that another one covers."""
        dock = next((each for each in self.docks.values() if each.isAncestorOf(widget)), None)
        return dock is not None and not dock.isFloating() and dock.bar.visibleRegion().isEmpty()

    def _beside(self, key: str) -> list[str]:
        """The panels that share the place of one."""
        return [each.objectName() for each in self.window.tabifiedDockWidgets(self.docks[key])]

    def _places(self, area: Area) -> list[list[str]]:
        """The panels of a column that are shown, those that share a place as tabs together.

        Where there are more than the height holds, the ones at the end share places.
        """
        places = [[key] for key in self._shown(area)]
        if not self.window.isVisible():  # no height is settled yet
            return places
        room = self._room()
        while len(places) > 1 and sum(max(map(self._least, p)) + scaled(TABS) * (len(p) > 1) for p in places) > room:
            single = [number for number, place in enumerate(places) if number and len(place) == 1]
            at = max(single, default=1)
            places[at - 1 : at + 1] = [places[at - 1] + places[at]]
        return places

    def _room(self) -> int:
        """Height that the two columns have between the bars and above what stands below, in pixels."""
        window = self.window
        bars = [bar for bar in window.findChildren(QToolBar) if not bar.isHidden() and not bar.isFloating()]
        taken = sum(bar.sizeHint().height() for bar in bars) + window.statusBar().sizeHint().height() + MARGIN
        below = self._shown(Area.BELOW)
        if below:
            taken += max(round(self.preset.below * window.height()), *(self._least(key) for key in below))
        return window.height() - taken

    def _least(self, key: str) -> int:
        """The least height of a dock with its title and the handle below it, in pixels."""
        dock = self.docks[key]
        panel, title = dock.widget(), dock.titleBarWidget()
        return panel.minimumSize().expandedTo(panel.minimumSizeHint()).height() + title.sizeHint().height() + HANDLE

    def standard(self) -> None:
        """Six plots at the left, word, bars and log at the right; the rest hidden."""
        self.use(find(STANDARD))

    def _place(self, key: str) -> None:
        """Put a dock where its area begins or goes on."""
        window, dock, area = self.window, self.docks[key], BY_KEY[key].area
        if area is Area.TIME:
            window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock, Qt.Orientation.Vertical)
        elif area is Area.SIDE:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock, Qt.Orientation.Vertical)
        elif area is Area.BEHIND:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock, Qt.Orientation.Vertical)
            log = self.docks["log"]
            if not log.isFloating() and window.dockWidgetArea(log) is not Qt.DockWidgetArea.NoDockWidgetArea:
                window.tabifyDockWidget(log, dock)
        else:
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            below = [other for other in keys_in(Area.BELOW) if other in self.docks and other != key]
            before = next((other for other in below if self._stands_below(other)), None)
            if before is not None:
                window.tabifyDockWidget(self.docks[before], dock)

    def _stands_below(self, key: str) -> bool:
        dock = self.docks[key]
        area = self.window.dockWidgetArea(dock)
        return area is Qt.DockWidgetArea.BottomDockWidgetArea and not dock.isFloating()

    def share_out(self) -> None:
        """Widths and heights of the preset, among the docks that are shown."""
        window, docks, preset = self.window, self.docks, self.preset
        low, high = (scaled(limit, 0.5) for limit in preset.side_limits)
        right = max(low, min(high, round(preset.side * window.width())))
        room = self._room()
        left_keys, right_keys = self._shown(Area.TIME), self._shown(Area.SIDE)
        if left_keys and right_keys:
            window.resizeDocks(
                [docks[left_keys[0]], docks[right_keys[0]]], [window.width() - right, right], Qt.Orientation.Horizontal
            )
        for area in (Area.TIME, Area.SIDE):
            places = self._places(area)
            for place in places:
                for key in place[1:]:
                    window.tabifyDockWidget(docks[place[0]], docks[key])
                if len(place) > 1:
                    docks[_in_front(place)].raise_()
            keys = [place[0] for place in places]
            shares = [preset.shares.get(key, BY_KEY[key].share) for key in keys]
            heights = [share * room // max(sum(shares), 1) for share in shares]
            window.resizeDocks([docks[key] for key in keys], heights, Qt.Orientation.Vertical)
        self.make_room_below()

    def make_room_below(self) -> None:
        """A height at which what stands below is legible."""
        below = [self.docks[key] for key in self._shown(Area.BELOW)][:1]
        height = round(self.preset.below * self.window.height())
        self.window.resizeDocks(below, [height] * len(below), Qt.Orientation.Vertical)

    def _shown(self, *areas: Area) -> list[str]:
        return [key for key in keys_in(*areas) if key in self.docks and not self.docks[key].isHidden()]

    # -- the remembered layout --------------------------------------------------------------------------------

    def restore(self, state: QByteArray, version: int) -> bool:
        """Put back a saved layout. Docks that it does not know stand in their usual place, shown if the standard layout
        shows them. False, and the standard layout, where the state is of no use."""
        if state.isEmpty() or not self.window.restoreState(state, version):
            self.standard()
            return False
        for key in [key for key in self.docks if not _knows(state, key)]:
            self.window.removeDockWidget(self.docks[key])
            self._place(key)
            self.docks[key].setVisible(STANDARD in BY_KEY[key].presets)
        if all(dock.isHidden() for dock in self.docks.values()):
            self.standard()
            return False
        return True

    # -- enlarging --------------------------------------------------------------------------------------------

    def enlarge(self, key: str) -> None:
        """Give one panel the space of its column; a second call puts the others back."""
        if self.enlarged is not None:
            self.end_enlargement()
            return
        area = BY_KEY[key].area
        column = keys_in(*_SIDES) if area in _SIDES else keys_in(area) if area is Area.TIME else tuple(self.docks)
        self._hidden = [other for other in column if other != key and not self.docks[other].isHidden()]
        for other in self._hidden:
            self.docks[other].hide()
        self.enlarged = key

    def end_enlargement(self) -> None:
        for other in self._hidden:
            self.docks[other].show()
        self._hidden, self.enlarged = [], None

    def sweep(self) -> None:
        """Empty the tab bars that Qt forgets when docks leave a place that they shared: they would lie over panels."""
        docks = [dock for dock in self.docks.values() if dock.isVisible() and not dock.isFloating()]
        groups = [
            {d.windowTitle() for d in (dock, *self.window.tabifiedDockWidgets(dock)) if not d.isHidden()}
            for dock in docks
        ]
        for bar in self.window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            spot, tabs = bar.geometry().adjusted(0, 2, 0, -2), {bar.tabText(at) for at in range(bar.count())}
            if bar.isVisible() and (tabs not in groups or any(spot.intersects(dock.geometry()) for dock in docks)):
                bar.blockSignals(True)
                while bar.count():
                    bar.removeTab(0)
                bar.blockSignals(False)
                bar.hide()

    def place_axis(self) -> None:
        """Time labels stand under the lowest plot of each column of plots (and under each floating one)."""
        for bar in self.window.findChildren(QTabBar):  # made by Qt as panels come to share a place
            bar.setAccessibleName("Panels that share this place")
        plots = [dock.widget() for dock in self.docks.values() if dock.isVisible()]
        spots = [
            (panel, panel.mapTo(panel.window(), panel.rect().bottomLeft()))
            for panel in plots
            if isinstance(panel, TimePanel)
        ]
        for panel, spot in spots:
            below = any(
                other.window() is panel.window() and abs(place.x() - spot.x()) < 8 and place.y() > spot.y()
                for other, place in spots
            )
            panel.set_axis(not below)
        QTimer.singleShot(SETTLED, self.window, self.sweep)


def _in_front(place: list[str]) -> str:
    """Of panels that share a place the one that tells most: of the usual plots the one with most room, of the others
    the first."""
    usual = [key for key in place if STANDARD in BY_KEY[key].presets]
    plots = [key for key in usual if BY_KEY[key].area is Area.TIME]
    return max(plots, key=lambda key: BY_KEY[key].share) if plots else next(iter(usual), place[0])


def _knows(state: QByteArray, key: str) -> bool:
    """Whether the dock named ``key`` is part of a saved layout (Qt's QDataStream: length in bytes, then UTF-16)."""
    name = key.encode("utf-16-be")
    return len(name).to_bytes(4, "big") + name in state.data()

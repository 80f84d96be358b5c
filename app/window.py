"""The main window: puts panels, toolbar and status bar together and paints them 30 times a second from one timer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QMenu, QTabWidget, QToolBar, QWidget

from app import settings as store
from app import theme as themes
from app.arrangement import Arrangement
from app.banner import Banner
from app.catalogue import FEATURES, PANELS, Area, keys_in
from app.commands import BY_NAME, COMMANDS, tooltip
from app.controller import Controller, Detected, DevicesFound, NetworkTried, Notice, Risen
from app.display import Display
from app.dock import Dock
from app.help import ShortcutOverlay
from app.panels.bars import BarsPanel
from app.panels.detection import DetectionPanel
from app.panels.log import LogPanel, LogRow
from app.panels.readout import ReadoutPanel
from app.panels.timepanel import TimePanel
from app.panels.timing import TimingPanel
from app.sources import Choice
from app.statusbar import StatusBar
from app.timeline import Timeline
from app.toolbar import Device, ToolBar
from app.window_commands import WindowCommands
from app.zoom import nearest
from kwscore.stream.detection import DetectionSettings

SAVE_MS = 3000  # a crash or a power cut loses no more settings than these
STATUS_EVERY = 8  # frames


class MainWindow(WindowCommands):
    """The instrument. The controller does the work; the window shows it and passes on what the user wants."""

    heard = Signal(object)  # Detected
    ready = Signal()  # the first frame has been painted

    def __init__(self, controller: Controller, settings: store.Settings, *, keep: bool = True, theme: str = "") -> None:
        """``keep``: remember layout and settings on closing. ``theme``: for this window only, instead of the settings'
        (a choice of ``app.theme.CHOICES``)."""
        super().__init__()
        self.controller, self.settings, self.keep = controller, settings, keep
        self.theme_choice = theme or settings.theme
        self.feed = controller.feed
        self.theme = themes.resolve(self.theme_choice)
        app = QApplication.instance()
        if themes.set_text_scale(settings.text_percent) and isinstance(app, QApplication):
            themes.apply(app, self.theme)
        self.display = Display(self.feed)
        self.setWindowTitle("KWScope")
        self.setObjectName("window")
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.setMinimumSize(900, 560)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self._closed = False
        self._frame = 0
        self.features = []
        self.actions_by_name = {command.name: self._action(command.name) for command in COMMANDS}
        self._build()
        self._connect()
        self._restore()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(1000 // settings.frame_rate)
        self.timer.timeout.connect(self.tick)
        self.timer.start()
        self._saved = asdict(settings)
        self.saving = QTimer(self)
        self.saving.setInterval(SAVE_MS)
        self.saving.timeout.connect(self.save_changes)
        if keep:
            self.saving.start()

    # -- building ---------------------------------------------------------------------------------------------

    def _action(self, name: str) -> QAction:
        command = BY_NAME[name]
        action = QAction(command.text, self)
        action.setCheckable(command.checkable or bool(command.dock))
        action.setToolTip(tooltip(name))
        if not command.direct:
            action.setShortcuts([QKeySequence(keys) for keys in command.keys])
        if command.dock:
            action.toggled.connect(lambda on: self.toggle_dock(command.dock, on))
        elif command.checkable:
            action.toggled.connect(lambda on: self.handler(name)(on))
        else:
            action.triggered.connect(lambda _checked=False: self.handler(name)())
        self.addAction(action)
        return action

    def handler(self, name: str) -> Callable[..., None]:
        """What carries out a command: the window's own method, or that of a feature."""
        for part in (self, *self.features):
            method = getattr(part, f"do_{name}", None)
            if method is not None:
                return method
        raise AttributeError(f"no part of the window carries out the command {name}")

    def _build(self) -> None:
        theme, feed = self.theme, self.feed
        self.toolbar = ToolBar(theme, self.actions_by_name)
        self.addToolBar(self.toolbar)
        self.banner = Banner(theme)
        self.banner.resize(self.width(), 0)
        self.banner_bar = _strip("messages", self.banner)
        self.addToolBarBreak()
        self.addToolBar(self.banner_bar)
        self.banner_bar.hide()
        self.banner.changed.connect(self.banner_bar.setVisible)
        self.panels = {spec.key: spec.make(self) for spec in PANELS}
        self.time_panels = {key: panel for key, panel in self.panels.items() if isinstance(panel, TimePanel)}
        self.readout: ReadoutPanel = self.panels["readout"]
        self.bars: BarsPanel = self.panels["bars"]
        self.log: LogPanel = self.panels["log"]
        self.detection: DetectionPanel = self.panels["detection"]
        self.timing: TimingPanel = self.panels["timing"]
        self.docks = {key: Dock(panel, key, panel.title, panel.about) for key, panel in self.panels.items()}
        self.arrangement = Arrangement(self, self.docks)
        self.timeline = Timeline(theme, feed)
        self.timeline_bar = _strip("timeline", self.timeline)
        self.addToolBar(Qt.ToolBarArea.BottomToolBarArea, self.timeline_bar)
        self.status = StatusBar(theme)
        self.setStatusBar(self.status)
        self.overlay = ShortcutOverlay(self, theme)
        self.arrangement.standard()
        self.features += [make(self) for make in FEATURES]
        self.toolbar.order_tabs()

    def _connect(self) -> None:
        for number, (key, dock) in enumerate(self.docks.items(), 1):
            dock.set_theme(self.theme)
            dock.enlarge_wanted.connect(lambda key=key: self.arrangement.enlarge(key))
            dock.visibilityChanged.connect(self._layout_changed)
            if number < 10:
                dock.toggleViewAction().setShortcut(QKeySequence(f"Ctrl+{number}"))
            dock.toggleViewAction().triggered.connect(lambda on, key=key: self.arrangement.admit(key) if on else None)
            self.addAction(dock.toggleViewAction())
        for panel in self.time_panels.values():
            panel.scrolled.connect(self.move_back)
            panel.zoomed.connect(self.zoom)
        for command in COMMANDS:
            if command.dock:
                action, dock = self.actions_by_name[command.name], self.docks[command.dock]
                dock.visibilityChanged.connect(
                    lambda _, action=action, dock=dock: action.setChecked(not dock.isHidden())
                )
        self.toolbar.fill_view_menu(dock.toggleViewAction() for dock in self.docks.values())
        self.toolbar.source_chosen.connect(self.listen_to)
        self.toolbar.network_chosen.connect(self.use_network)
        self.toolbar.source_menu_opened.connect(self._source_menu)
        self.toolbar.network_menu_opened.connect(self._network_menu)
        self.timeline.moved_to.connect(self.show_moment)
        self.timeline.live_wanted.connect(self.do_live)
        self.log.export_wanted.connect(self.do_export)
        self.detection.changed.connect(self._detection_changed)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_theme)
        for spec in PANELS:
            if spec.connect is not None:
                spec.connect(self, self.panels[spec.key])

    def _restore(self) -> None:
        self.display.pitch = nearest(self.settings.pitch)
        self.resize(1600, 1000)
        if self.settings.geometry:
            self.restoreGeometry(store.decode_state(self.settings.geometry))
        self._sized = bool(self.settings.layout) and self.arrangement.restore(
            store.decode_state(self.settings.layout), store.VERSION
        )
        self.sized = {key for key in keys_in(Area.BELOW) if not self.docks[key].isHidden()}
        self.banner_bar.setVisible(bool(self.banner.rows))

    # -- one frame --------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take what is new from the controller and paint what is visible."""
        for event in self.controller.poll():
            self._handle(event)
        self.display.update()
        end, pitch = self.display.end, self._device_pitch()
        self.feed.refresh(end, max(panel.visible_columns for panel in self.time_panels.values()))
        for panel in self.time_panels.values():
            if panel.isVisible():
                panel.advance(end, pitch)
        for spec in PANELS:
            if spec.frame is not None and self.panels[spec.key].isVisible():
                spec.frame(self, self.panels[spec.key])
        for feature in self.features:
            feature.frame()
        self.timeline.advance(end, self.shown_columns(), self.display.frozen)
        if self._frame % STATUS_EVERY == 0:
            self.refresh_status()
        self._frame += 1
        if self._frame == 2:
            self.ready.emit()

    def refresh_status(self) -> None:
        """What need not follow every frame."""
        health = self.controller.health()
        self.status.show_health(health)
        self.timing.set_dropped(health.dropped)
        if self.toolbar.running != self.controller.running:
            self.toolbar.set_running(self.controller.running)
        self.toolbar.set_network(self.controller.network_name)
        self.toolbar.set_choice(self.controller.choice, self.controller.source_note)
        waiting = self.controller.waiting
        for key, panel in self.time_panels.items():
            panel.set_hint(waiting)
            self.docks[key].set_value(panel.value_at_cursor())
        for spec in PANELS:
            if spec.status is not None:
                spec.status(self, self.panels[spec.key])
        for feature in self.features:
            feature.status(health)

    def _handle(self, event: object) -> None:
        if isinstance(event, Detected):
            self.log.add(LogRow(event.seconds, event.word, event.score, event.latency_ms, event.column))
            self.heard.emit(event)
        elif isinstance(event, Notice):
            self.notify(event.key, event.text, event.level)
        elif isinstance(event, Risen):
            self.log.raise_score(event.column, event.score)
        elif isinstance(event, NetworkTried):
            self._network_tried(event)
        elif isinstance(event, DevicesFound):
            self.toolbar.devices = [Device(d.id, d.host_api, d.name, d.default) for d in event.devices]
            self.toolbar.device_notice = event.notice
            self.toolbar.fill_source_menu()
        for spec in PANELS:
            if spec.event is not None:
                spec.event(self, self.panels[spec.key], event)
        for feature in self.features:
            feature.event(event)

    def _network_tried(self, event: NetworkTried) -> None:
        """Only what was chosen in the window, and loads, is used by later starts."""
        if event.loaded and event.name == self.chosen_network:
            self.settings.model = event.name
        elif not event.loaded and event.name == self.settings.model:
            self.settings.model = ""

    def _device_pitch(self) -> int:
        return max(1, round(self.display.pitch * self.devicePixelRatioF()))

    def _detection_changed(self, settings: DetectionSettings) -> None:
        self.controller.set_detection(settings)
        for panel in self.time_panels.values():
            panel.update()

    def _source_menu(self) -> None:
        self.toolbar.fill_source_menu()
        self.controller.find_devices()

    def _network_menu(self) -> None:
        self.toolbar.networks = self.controller.networks()
        self.toolbar.fill_network_menu()

    def _system_theme(self, _scheme: object) -> None:
        if self.theme_choice == "auto":
            self.apply_theme(themes.resolve("auto"))

    def _layout_changed(self, _visible: bool = False) -> None:
        QTimer.singleShot(0, self.arrangement.place_axis)

    # -- events -----------------------------------------------------------------------------------------------

    def createPopupMenu(self) -> QMenu:
        """The menu of a right click on a title: the panels, and none of the fixed bars."""
        menu = QMenu(self)
        menu.addActions([dock.toggleViewAction() for dock in self.docks.values()])
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that a table or a slider may want first come here when nobody else took them."""
        pressed = QKeySequence(event.keyCombination())
        for command in COMMANDS:
            if command.direct and any(pressed == QKeySequence(keys) for keys in command.keys):
                self.handler(command.name)()
                return
        super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab passes over panels that lie behind a tab: Qt keeps those on, beyond the edge of the window."""
        begin = self.focusWidget()
        while super().focusNextPrevChild(forward):
            now = self.focusWidget()
            if now is None or now is begin or not self.arrangement.is_behind(now):
                return True
            begin = begin or now
        return False

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._sized:
            self._sized = True
            QTimer.singleShot(0, self.arrangement.share_out)
        self._layout_changed()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._layout_changed()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.WindowStateChange:
            self.actions_by_name["full_screen"].setChecked(self.isFullScreen())
        super().changeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.listen_to(Choice("file", event.mimeData().urls()[0].toLocalFile()))

    def save_changes(self) -> None:
        """Save settings where they differ from what was saved last; trouble becomes a message."""
        self.collect()
        now = asdict(self.settings)
        if now != self._saved:
            self._saved = now
            self.notify("settings", store.save(self.settings), "warning")

    def remember(self) -> str:
        """Save settings; return a sentence when that failed."""
        self.arrangement.end_enlargement()
        self.collect()
        return store.save(self.settings)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save, stop painting, stop the worker; nothing here waits longer than the controller's deadline."""
        if not self._closed:
            self._closed = True
            self.timer.stop()
            self.saving.stop()
            ending = [feature.close() for feature in self.features]
            problem = self.remember() if self.keep else ""
            if problem:
                print(problem, file=sys.stderr)
            self.controller.close(ending)
        event.accept()


def _strip(name: str, widget: QWidget) -> QToolBar:
    """A fixed bar that holds one widget over the whole width."""
    bar = QToolBar(name)
    bar.setObjectName(name)
    bar.setMovable(False)
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    bar.setStyleSheet("QToolBar { padding: 0; border: none; }")
    bar.addWidget(widget)
    return bar

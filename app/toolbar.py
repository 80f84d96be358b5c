"""The row at the top: start, what is heard, which network, detection, freeze, reset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from app import icons
from app.commands import BY_NAME, in_menu, tooltip
from app.sources import DEMO, MICROPHONE, Choice
from app.theme import Theme, scaled

FULL, BARE = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone as the menu shows it."""

    id: str
    host_api: str
    name: str
    default: bool


class ToolBar(QToolBar):
    """Buttons only; what they do is decided by the window that connects the signals."""

    source_chosen = Signal(object)  # Choice
    network_chosen = Signal(str)  # name
    source_menu_opened = Signal()
    network_menu_opened = Signal()

    def __init__(self, theme: Theme, actions: dict[str, QAction]) -> None:
        super().__init__("Main")
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.gives_way: list[QToolButton] = []
        self._widths: dict[QToolButton, tuple[tuple[str, str], int]] = {}
        self.actions_by_name = actions
        self.devices: list[Device] = []
        self.device_notice = "Looking for microphones…"
        self.choice = DEMO
        self._said: tuple[Choice, str] | None = None
        self.network = ""
        self.networks: list[str] = []

        self.run_button = self._button("run", "primary")
        self.source_button = self._menu_button("Source", self.source_menu_opened)
        self.network_button = self._menu_button("Network", self.network_menu_opened)
        self.detection_button = self._button("detection")
        self.freeze_button = self._button("freeze")
        self.reset_button = self._button("reset")
        self.view_button = self._menu_button("View", None)
        self.view_button.setObjectName("")
        self.view_button.setText("View")
        self.help_button = self._menu_button("Help", None)
        self.help_button.setObjectName("plain")
        self.help_button.setToolTip("Keys, tour, versions")
        for name in in_menu("help"):
            self.help_button.menu().addAction(actions[name])
        self.help_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        spacer.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        left = (self.run_button, self.source_button, self.network_button, None, self.freeze_button, self.reset_button)
        for widget in (*left, spacer, self.detection_button, self.view_button, self.help_button):
            if widget is None:
                self._choices_end = self.addSeparator()
            else:
                self.addWidget(widget)
        self.gives_way = [
            self.reset_button, self.freeze_button, self.detection_button, self.view_button, self.network_button,
            self.source_button,
        ]  # fmt: skip
        self.set_theme(theme)
        self.set_running(False)
        self.set_choice(DEMO)
        self.set_network("")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def order_tabs(self) -> None:
        """Tab goes from left to right, also through what was added; to be called when all is there."""
        held = [self.widgetForAction(action) for action in self.actions()]
        stops = [each for each in held if each is not None and each.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for one, following in pairwise(stops):
            QWidget.setTabOrder(one, following)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # a button's words have changed
            self._fit()
        return done

    def _fit(self) -> None:
        """Where the row is too narrow, buttons lose their words, in the order of ``gives_way``; none is cut off."""
        layout = self.layout()
        assert layout is not None
        held = (self.widgetForAction(action) for action in self.actions() if action.isVisible())
        added = [
            each for each in held if isinstance(each, QToolButton) and each not in (self.run_button, self.help_button)
        ]
        saved = {button: self._saved(button) for button in dict.fromkeys((*self.gives_way, *added))}
        needed = layout.sizeHint().width()
        needed += sum(width for button, width in saved.items() if button.toolButtonStyle() is BARE)
        for button, width in saved.items():
            style = FULL if needed <= self.width() else BARE
            needed -= width if style is BARE else 0
            if button.toolButtonStyle() is not style:
                button.setToolButtonStyle(style)

    def _saved(self, button: QToolButton) -> int:
        """Pixels that a button gives back when it loses its words."""
        key = button.text(), button.font().key()
        known = self._widths.get(button)
        if known is None or known[0] != key:
            present, widths = button.toolButtonStyle(), []
            for style in (FULL, BARE):
                button.setToolButtonStyle(style)
                widths.append(button.sizeHint().width())
            button.setToolButtonStyle(present)
            known = self._widths[button] = key, widths[0] - widths[1]
        return known[1]

    def _button(self, name: str, role: str = "") -> QToolButton:
        button = QToolButton()
        button.setObjectName(role)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        action = self.actions_by_name[name]
        button.setCheckable(action.isCheckable())
        button.setText({"freeze": "Freeze", "detection": "Detection"}.get(name, action.text()))
        button.setToolTip(tooltip(name))
        button.setAccessibleName(action.text())
        button.clicked.connect(action.trigger)
        action.toggled.connect(button.setChecked)
        return button

    def _menu_button(self, name: str, opened: object) -> QToolButton:
        button = QToolButton()
        button.setObjectName("choice")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(name)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        button.setMenu(menu)
        if opened is not None:
            menu.aboutToShow.connect(opened)
        return button

    def add_choice(self, name: str, icon: str, fill: Callable[[QMenu], None]) -> QToolButton:
        """A further button with a menu, after the network's; ``fill`` builds the menu whenever it opens."""
        button = self._menu_button(name, None)
        button.menu().aboutToShow.connect(lambda: fill(button.menu()))
        button.setIcon(icons.icon(icon, self.theme.text))
        self.gives_way.insert(len(self.gives_way) - 2, button)
        self.add_control(button)
        return button

    def add_control(self, widget: QWidget) -> QAction:
        """A further widget at the end of the choices; returns the action that shows and hides it."""
        return self.insertWidget(self._choices_end, widget)

    def fit(self) -> None:
        """Share the row anew; to be called when the words of an added button have changed."""
        self._fit()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setIconSize(QSize(scaled(18), scaled(18)))
        for button, name in (
            (self.source_button, "source"), (self.network_button, "network"), (self.detection_button, "detection"),
            (self.freeze_button, "freeze"), (self.reset_button, "reset"), (self.view_button, "view"),
            (self.help_button, "help"),
        ):  # fmt: skip
            button.setIcon(icons.icon(name, theme.text, theme.accent))
        self.set_running(getattr(self, "running", False))

    def set_running(self, running: bool) -> None:
        self.running = running
        self.run_button.setText("Stop" if running else "Start")
        self.run_button.setIcon(icons.icon("stop" if running else "start", self.theme.on_accent))
        self.run_button.setAccessibleName("Stop listening" if running else "Start listening")

    def set_choice(self, choice: Choice, note: str = "") -> None:
        if self._said == (choice, note):
            return
        self._said = (choice, note)
        self.choice = choice
        self.source_button.setText(_shorten(choice.label, 26) + (f" ({note})" if note else ""))
        what = "What is heard: a microphone, a sound file or the demo playlist."
        self.source_button.setToolTip(f"<p><b>Source</b>: {choice.label}</p><p>{what}</p>")
        self.source_button.setAccessibleDescription(choice.label)

    def set_network(self, name: str) -> None:
        if name == self.network and self.network_button.text():
            return
        self.network = name
        self.network_button.setText(_shorten(name, 30) or "no network")
        self.network_button.setToolTip(f"<p><b>Network</b>: {name or 'none'}</p><p>The network that listens.</p>")
        self.network_button.setAccessibleDescription(name)

    def fill_source_menu(self) -> None:
        """Build the menu from what is known now; called whenever it opens or a search for devices ends."""
        menu = self.source_button.menu()
        menu.clear()
        group = QActionGroup(menu)
        self._choice(menu, group, "Demo playlist", DEMO, "demo")
        menu.addAction(self.actions_by_name["open"])
        if self.choice.kind == "file":
            self._choice(menu, group, self.choice.label, self.choice, "")
        menu.addSeparator()
        menu.addAction("Microphones").setEnabled(False)
        if self.devices:
            self._choice(menu, group, "System default", MICROPHONE, "microphone")
        for api in dict.fromkeys(device.host_api for device in self.devices):
            title = menu.addAction(api)
            title.setEnabled(False)
            for device in self.devices:
                if device.host_api == api:
                    self._choice(menu, group, "  " + device.name, Choice("mic", device.id), "")
        if self.device_notice:
            note = menu.addAction(self.device_notice)
            note.setEnabled(False)
        menu.addSeparator()
        menu.addAction(self.actions_by_name["rescan"])

    def _choice(self, menu: QMenu, group: QActionGroup, text: str, choice: Choice, command: str) -> None:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(choice == self.choice)
        action.setToolTip(choice.value or text)
        if command:
            action.setText(f"{text}\t{BY_NAME[command].keys[0]}")
        group.addAction(action)
        action.triggered.connect(lambda: self.source_chosen.emit(choice))

    def fill_network_menu(self) -> None:
        menu = self.network_button.menu()
        menu.clear()
        group = QActionGroup(menu)
        for name in self.networks:
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(name == self.network)
            group.addAction(action)
            action.triggered.connect(lambda _=False, name=name: self.network_chosen.emit(name))
        if not self.networks:
            menu.addAction("No trained network is installed").setEnabled(False)
        menu.addSeparator()
        menu.addAction(self.actions_by_name["open_network"])

    def fill_view_menu(self, panels: Iterable[QAction]) -> None:
        menu = self.view_button.menu()
        menu.clear()
        for action in panels:
            menu.addAction(action)
        menu.addSeparator()
        for group in ("layout", "view"):
            for name in in_menu(group):
                menu.addAction(self.actions_by_name[name])
            menu.addSeparator()


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length // 2] + "…" + text[-(length // 2 - 1) :]

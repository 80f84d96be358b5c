"""What the user may do in the window: one method a command of ``app.commands``, and what they need."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QFileDialog, QMainWindow

from app import settings as store
from app import theme as themes
from app.arrangement import Arrangement
from app.banner import Banner
from app.catalogue import BOOTH, BY_KEY, FPGA, RESEARCHER, STANDARD, Area
from app.controller import Controller
from app.display import Display
from app.dock import Dock
from app.feature import Feature
from app.help import ShortcutOverlay
from app.history_feed import HistoryFeed
from app.panels.log import LogPanel
from app.panels.timepanel import TimePanel
from app.presets import find
from app.sources import DEMO, MICROPHONE, Choice
from app.statusbar import StatusBar
from app.timeline import Timeline
from app.toolbar import ToolBar
from app.zoom import PITCHES, nearest

SOUND_FILES = "Sound and playlists (*.wav *.flac *.ogg *.opus *.mp3 *.aiff *.aif *.json);;All files (*)"
NETWORK_FILES = "Networks (*.safetensors *.pt);;All files (*)"


class WindowCommands(QMainWindow):
    """The base of the main window, which makes the parts that are named here."""

    controller: Controller
    settings: store.Settings
    feed: HistoryFeed
    theme: themes.Theme
    display: Display
    actions_by_name: dict[str, QAction]
    arrangement: Arrangement
    toolbar: ToolBar
    banner: Banner
    timeline: Timeline
    status: StatusBar
    overlay: ShortcutOverlay
    log: LogPanel
    time_panels: dict[str, TimePanel]
    panels: dict[str, Any]
    docks: dict[str, Dock]
    features: list[Feature]
    sized: set[str]  # panels below that got a height of their own
    chosen_network: str | None = None  # by the user, in this window

    def notify(self, key: str, text: str, level: str = "error") -> None:
        """Show one sentence; an empty one takes the message with this key away."""
        if text:
            self.banner.show_message(key, text, level)
        else:
            self.banner.dismiss(key)

    def shown_columns(self) -> int:
        """How many columns the panels show."""
        return next((panel.visible_columns for panel in self.time_panels.values() if panel.isVisible()), 500)

    # -- commands ---------------------------------------------------------------------------------------------

    def do_run(self) -> None:
        if self.controller.running:
            self.controller.stop()
        else:
            self.do_live()
            self.controller.start()
        self.toolbar.set_running(self.controller.running)

    def do_reset(self) -> None:
        self.do_live()
        self.controller.reset()

    def do_demo(self) -> None:
        self.listen_to(DEMO)

    def do_microphone(self) -> None:
        self.listen_to(MICROPHONE)

    def do_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open sound file", self.settings.folder, SOUND_FILES)
        if name:
            self.settings.folder = str(Path(name).parent)
            self.listen_to(Choice("file", name))

    def do_rescan(self) -> None:
        self.toolbar.device_notice = "Looking for microphones…"
        self.controller.find_devices(again=True)

    def do_open_network(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open network file", self.settings.folder, NETWORK_FILES)
        if name:
            self.use_network(name)

    def do_freeze(self, on: bool) -> None:
        self.display.freeze(on)

    def do_back(self) -> None:
        self.move_back(50)

    def do_forward(self) -> None:
        self.move_back(-50)

    def do_page_back(self) -> None:
        self.move_back(self.shown_columns() * 9 // 10)

    def do_page_forward(self) -> None:
        self.move_back(-self.shown_columns() * 9 // 10)

    def do_oldest(self) -> None:
        self.show_moment(self.feed.first + self.shown_columns())

    def do_live(self) -> None:
        self.actions_by_name["freeze"].setChecked(False)
        self.display.freeze(False)

    def do_zoom_in(self) -> None:
        self.zoom(1)

    def do_zoom_out(self) -> None:
        self.zoom(-1)

    def toggle_dock(self, key: str, on: bool) -> None:
        """Show or hide a panel; what is shown comes to the front of its tabs."""
        dock = self.docks[key]
        if dock.isHidden() is not on:
            return
        dock.setVisible(on)
        if on:
            dock.raise_()
            if BY_KEY[key].area is Area.BELOW and key not in self.sized:
                self.sized.add(key)
                QTimer.singleShot(0, self.arrangement.make_room_below)

    def do_export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Export detections", str(Path(self.settings.folder, "detections.csv")), "CSV (*.csv)"
        )
        if name:
            self.export_to(_with_suffix(name, ".csv"))

    def do_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save picture", str(Path(self.settings.folder, "kwscope.png")), "PNG (*.png)"
        )
        if name:
            self.save_picture(_with_suffix(name, ".png"))

    def do_theme(self) -> None:
        self.settings.theme = "light" if self.theme.dark else "dark"
        self.apply_theme(themes.resolve(self.settings.theme))

    def do_full_screen(self, on: bool) -> None:
        if on:
            self.showFullScreen()
        else:
            self.showNormal()

    def use_preset(self, name: str) -> None:
        """Arrange the panels by a preset of ``app.presets``."""
        preset = find(name)
        self.arrangement.use(preset)
        self.display.pitch = preset.pitch
        QTimer.singleShot(0, self.arrangement.share_out)  # docks that were hidden have their sizes only now

    def do_layout(self) -> None:
        self.use_preset(STANDARD)

    def do_booth(self) -> None:
        self.use_preset(BOOTH)

    def do_researcher(self) -> None:
        self.use_preset(RESEARCHER)

    def do_fpga(self) -> None:
        self.use_preset(FPGA)

    def do_dismiss(self) -> None:
        if self.arrangement.enlarged is not None:
            self.arrangement.end_enlargement()
        self.banner.dismiss_all()

    def do_help(self) -> None:
        self.overlay.toggle()

    def do_quit(self) -> None:
        self.close()

    # -- what the commands need -------------------------------------------------------------------------------

    def listen_to(self, choice: Choice) -> None:
        """Switch to another source; the present one goes on until the new one delivers."""
        self.do_live()
        for key in ("source", "fall-back"):
            self.notify(key, "")
        self.settings.source = choice.as_text()
        self.controller.set_source(choice)
        self.toolbar.set_choice(self.controller.choice, self.controller.source_note)

    def use_network(self, name: str) -> None:
        """Switch to another network by name or path."""
        for key in ("network", "standard-network"):
            self.notify(key, "")
        self.chosen_network = name
        self.controller.set_network(name)

    def move_back(self, columns: int) -> None:
        """Move into the past (or with a negative number towards now); the display freezes."""
        if self.feed.end:
            self.show_moment(self.display.end - columns)

    def show_moment(self, end: int) -> None:
        """Freeze the display so that column ``end`` is the newest one shown."""
        self.display.freeze(True)
        self.display.go_to(end, self.shown_columns())
        self.actions_by_name["freeze"].setChecked(True)

    def zoom(self, steps: int) -> None:
        place = PITCHES.index(nearest(self.display.pitch)) + steps
        self.display.pitch = PITCHES[min(max(place, 0), len(PITCHES) - 1)]

    def apply_theme(self, theme: themes.Theme) -> None:
        self.theme = theme
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        themes.apply(app, theme)
        for part in (
            self.toolbar,
            self.banner,
            self.timeline,
            self.status,
            *self.panels.values(),
            *self.docks.values(),
            *self.features,
        ):
            part.set_theme(theme)
        self.overlay.theme = theme

    def export_to(self, path: Path) -> None:
        """Write the detections; trouble becomes a message."""
        try:
            self.log.write_csv(path)
        except OSError as error:
            self.notify("export", f"{path} cannot be written ({error.strerror or error}): choose another folder.")
        else:
            self.notify("export", f"{len(self.log.model.rows)} detections were written to {path}.", "info")

    def save_picture(self, path: Path) -> bool:
        """Save the window as PNG, written beside and renamed; trouble becomes a message and False."""
        beside = path.with_name(path.name + ".part")
        if self.grab().save(str(beside), "PNG"):
            try:
                beside.replace(path)
                return True
            except OSError:
                pass
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        self.notify("picture", f"The picture {path} cannot be written: choose another folder.")
        return False


def _with_suffix(name: str, suffix: str) -> Path:
    """The path of a name from a dialog, with the suffix that was left out."""
    path = Path(name)
    return path if path.suffix else path.with_name(path.name + suffix)

"""What the user may do in the window: one method a command of ``app.commands``, and what they need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
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
from app.panels.detection import DetectionPanel
from app.panels.log import LogPanel
from app.panels.timepanel import TimePanel
from app.presets import find
from app.sources import DEMO, MICROPHONE, Choice
from app.statusbar import StatusBar
from app.timeline import Timeline
from app.toolbar import ToolBar
from app.zoom import PITCHES, nearest
from kwscore.errors import KWScopeError
from kwscore.files import beside
from kwscore.stream.detection import DetectionSettings

if TYPE_CHECKING:
    from app.about import AboutDialog
    from app.cursor import Cursor
    from app.settings_dialog import SettingsDialog

SOUND_FILES = (
    "Sound, playlists and sessions (*.wav *.flac *.ogg *.opus *.mp3 *.aiff *.aif *.json *.kwsession);;All files (*)"
)
NETWORK_FILES = "Networks (*.safetensors *.pt);;All files (*)"


class WindowCommands(QMainWindow):
    """The base of the main window, which makes the parts that are named here."""

    preference_changed = Signal(str)  # name
    preset_used = Signal(str)  # name

    controller: Controller
    settings: store.Settings
    feed: HistoryFeed
    theme: themes.Theme
    theme_choice: str  # of app.theme.CHOICES
    timer: QTimer
    display: Display
    actions_by_name: dict[str, QAction]
    arrangement: Arrangement
    toolbar: ToolBar
    banner: Banner
    timeline: Timeline
    status: StatusBar
    overlay: ShortcutOverlay
    log: LogPanel
    detection: DetectionPanel
    time_panels: dict[str, TimePanel]
    panels: dict[str, Any]
    docks: dict[str, Dock]
    features: list[Feature]
    time_cursor: Cursor
    sized: set[str]  # panels below that got a height of their own
    keep_layout = True  # off: the layout was given for this window only
    settings_dialog: SettingsDialog | None = None
    about_dialog: AboutDialog | None = None
    chosen_network: str | None = None  # by the user, in this window

    def collect(self) -> None:
        """Bring ``settings`` up to date with the window."""
        kept = self.settings
        kept.pitch = self.display.pitch
        kept.geometry = store.encode_state(self.saveGeometry())
        if self.keep_layout and self.arrangement.enlarged is None:
            kept.layout = store.encode_state(self.saveState(store.VERSION))
        kept.detection = self.detection.as_dict()

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
        if not self.time_cursor.step(-1):
            self.move_back(50)

    def do_forward(self) -> None:
        if not self.time_cursor.step(1):
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
            QTimer.singleShot(0, lambda: self.arrangement.admit(key))
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
        self.set_preference("theme", "light" if self.theme.dark else "dark")

    def do_full_screen(self, on: bool) -> None:
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(self.windowState() | full if on else self.windowState() & ~full)  # maximised stays so

    def use_preset(self, name: str) -> None:
        """Arrange the panels by a preset of ``app.presets``."""
        preset = find(name)
        self.arrangement.use(preset)
        self.display.pitch = preset.pitch
        QTimer.singleShot(0, self.arrangement.share_out)  # docks that were hidden have their sizes only now
        self.preset_used.emit(name)

    def do_layout(self) -> None:
        self.use_preset(STANDARD)

    def do_booth(self) -> None:
        self.use_preset(BOOTH)

    def do_researcher(self) -> None:
        self.use_preset(RESEARCHER)

    def do_fpga(self) -> None:
        self.use_preset(FPGA)

    def do_enlarge(self) -> None:
        """The first panel that is seen, or the one after that which is enlarged; after the last one all of them."""
        arrangement = self.arrangement
        before = arrangement.enlarged
        arrangement.end_enlargement()
        shown = [key for key, dock in self.docks.items() if not dock.isHidden()]
        following = shown[shown.index(before) + 1 :] if before in shown else shown
        if following:
            arrangement.enlarge(following[0])
            self.docks[following[0]].raise_()

    def do_dismiss(self) -> None:
        if self.isFullScreen() and self.arrangement.enlarged is None and not self.banner.rows:
            self.actions_by_name["full_screen"].setChecked(False)
        self.arrangement.end_enlargement()
        for feature in self.features:
            feature.dismiss()
        self.banner.dismiss_all()

    def do_settings(self) -> None:
        if self.settings_dialog is None:
            from app.settings_dialog import SettingsDialog

            self.settings_dialog = SettingsDialog(self, self)
            self.preference_changed.connect(self.settings_dialog.show_values)
        self.settings_dialog.show_values()
        self.settings_dialog.show()
        self.settings_dialog.raise_()
        self.settings_dialog.activateWindow()
        self.settings_dialog.search.setFocus()

    def do_about(self) -> None:
        from app.about import AboutDialog

        self.about_dialog = AboutDialog(self, self.theme, self.controller.network_name, self.controller.network_hash)
        self.about_dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.about_dialog.show()

    def offer_tour(self) -> None:
        """Once, to somebody who has not seen the window before."""
        if not self.settings.toured:
            self.settings.toured = True
            self.banner.show_message(
                "tour",
                "New here? A tour explains the window in five steps while the demo plays (Shift + F1).",
                "info",
                action=("Take the tour", self.actions_by_name["tour"].trigger),
            )

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

    def show_moment(self, end: int, shown: int = 0) -> None:
        """Freeze the display so that column ``end`` is the newest one of ``shown`` (0: of as many as are shown now)."""
        self.display.freeze(True)
        self.display.go_to(end, shown or self.shown_columns())
        self.actions_by_name["freeze"].setChecked(True)

    def zoom(self, steps: int) -> None:
        place = PITCHES.index(nearest(self.display.pitch)) + steps
        self.display.pitch = PITCHES[min(max(place, 0), len(PITCHES) - 1)]

    def set_preference(self, name: str, value: Any) -> None:
        """Set one preference, effective at once where it can be. Raises KWScopeError for a value it does not take."""
        row = next(row for row in store.PREFERENCES if row.name == name)
        setattr(self.settings, name, row.check(value))
        if name == "theme":
            self.theme_choice = value
            self.apply_theme(themes.resolve(value))
        elif name == "text_percent":
            themes.set_text_scale(value)
            self.apply_theme(self.theme)
            self.arrangement.refit()
        elif name == "pitch":
            self.display.pitch = value
        elif name == "frame_rate":
            self.timer.setInterval(1000 // value)
        elif name == "captions":
            self.actions_by_name["captions"].setChecked(value)
        self.preference_changed.emit(name)

    def import_settings(self, path: Path) -> str:
        """Take over the settings of an exported file, all or none; return a sentence that says so. Raises
        KWScopeError."""
        values = store.read_export(path)
        layout, present = values.pop("layout", ""), self.saveState(store.VERSION)
        if layout and not self.arrangement.restore(store.decode_state(layout), store.VERSION):
            self.arrangement.restore(present, store.VERSION)
            raise KWScopeError(f"{path}: its layout is damaged or of another version: export the settings again.")
        for name, value in values.items():
            if name == "detection":
                self.detection.set_settings(DetectionSettings.from_dict(value), announce=True)
            else:
                self.set_preference(name, value)
        return f"{len(values) + bool(layout)} settings were taken over from {path}."

    def export_settings(self, path: Path) -> str:
        """Write the settings as they are now; return a sentence that says so. Raises KWScopeError."""
        self.collect()
        store.export(self.settings, path)
        return f"The settings were written to {path}."

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
        if self.settings_dialog is not None:
            self.settings_dialog.set_theme(theme)

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
        try:
            with beside(path) as part:
                if not self.grab().save(str(part), "PNG"):
                    raise OSError
        except OSError:
            self.notify("picture", f"The picture {path} cannot be written: choose another folder.")
            return False
        return True


def _with_suffix(name: str, suffix: str) -> Path:
    """The path of a name from a dialog, with the suffix that was left out."""
    path = Path(name)
    return path if path.suffix else path.with_name(path.name + suffix)

"""Noise in the window: the button and slider in the toolbar, the keys, and what the panel wants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QFileDialog, QMenu

from app import icons
from app.feature import Feature
from app.noise import NoiseChanged, NoiseFailed, recordings
from app.noise_panel import SAID, NoisePanel, snr_slider
from app.statusbar import Health
from app.theme import Theme
from kwscore.audio.noise import PUBLISHED_NOISES

if TYPE_CHECKING:
    from app.window import MainWindow

LOST = "The monitor is off so that the lost microphone can be found again: switch it on (M) when it is back."
SOUND_FILES = "Sound (*.wav *.flac *.ogg *.opus *.mp3 *.aiff *.aif);;All files (*)"


class NoiseFeature(Feature):
    """Keeps toolbar and panel true to what is mixed in."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.noise = window.controller.noise
        self.panel: NoisePanel = window.panels["noise"]
        self.button = window.toolbar.add_choice("Noise", "noise", self.fill)
        self.slider = snr_slider()
        self.slider.setFixedWidth(96)
        self.shown = window.toolbar.add_control(self.slider)
        self.slider.valueChanged.connect(self.noise.set_snr)
        panel, noise = self.panel, self.noise
        panel.switched.connect(noise.switch)
        panel.noise_chosen.connect(noise.choose)
        panel.snr_chosen.connect(noise.set_snr)
        panel.seed_chosen.connect(noise.set_seed)
        panel.monitor_wanted.connect(self.do_monitor)
        panel.file_wanted.connect(self.do_noise_file)
        panel.folder_wanted.connect(self.do_noise_folder)
        panel.list_recordings(window.settings.noise_folder)
        self._show()

    # -- commands ---------------------------------------------------------------------------------------------

    def do_noise(self) -> None:
        """Noise on or off."""
        self.noise.switch()

    def do_noise_louder(self) -> None:
        """One dB less SNR."""
        self.noise.set_snr(self.noise.state.snr_db - 1)

    def do_noise_quieter(self) -> None:
        """One dB more SNR."""
        self.noise.set_snr(self.noise.state.snr_db + 1)

    def do_monitor(self, on: bool) -> None:
        """The loudspeakers on or off."""
        action = self.window.actions_by_name["monitor"]
        blocked = action.blockSignals(True)
        action.setChecked(on)
        action.blockSignals(blocked)
        self.panel.show_monitor(on, "")
        self.noise.set_monitor(on)

    def do_noise_file(self) -> None:
        """A recording of the user's own."""
        name, _ = QFileDialog.getOpenFileName(self.window, "Open a noise", self.window.settings.folder, SOUND_FILES)
        if name:
            self.window.settings.folder = str(Path(name).parent)
            self.noise.choose(name)

    def do_noise_folder(self) -> None:
        """A folder whose recordings are listed from now on."""
        folder = QFileDialog.getExistingDirectory(
            self.window, "Folder of noise recordings", self.window.settings.noise_folder
        )
        if folder:
            self.window.settings.noise_folder = folder
            self.panel.list_recordings(folder)
            found = recordings(folder)
            self.panel.show_trouble("" if found else f"There are no recordings in {folder}: choose another folder.")

    # -- the menu ---------------------------------------------------------------------------------------------

    def fill(self, menu: QMenu) -> None:
        """Build the menu from what is known now; called whenever it opens."""
        menu.clear()
        state, group = self.noise.state, QActionGroup(menu)
        self._offer(menu, group, "No noise\tN", "", not state.on)
        menu.addSeparator()
        for name in PUBLISHED_NOISES:
            self._offer(menu, group, SAID[name], name, state.on and state.name == name)
        found = recordings(self.window.settings.noise_folder)
        if found:
            more = menu.addMenu(f"Recordings ({len(found)})")
            for name, path in found.items():
                self._offer(more, group, name, str(path), state.on and state.name == str(path))
        if state.on and state.name not in PUBLISHED_NOISES and Path(state.name) not in found.values():
            self._offer(menu, group, state.title, state.name, True)
        menu.addSeparator()
        menu.addAction("File of your own…").triggered.connect(self.do_noise_file)
        menu.addAction("Folder of recordings…").triggered.connect(self.do_noise_folder)
        menu.addSeparator()
        for name in ("noise_panel", "monitor"):
            menu.addAction(self.window.actions_by_name[name])

    def _offer(self, menu: QMenu, group: QActionGroup, text: str, name: str, checked: bool) -> None:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(checked)
        action.setActionGroup(group)
        action.triggered.connect(lambda: self.noise.choose(name) if name else self.noise.switch(False))

    # -- what happens -----------------------------------------------------------------------------------------

    def event(self, event: object) -> None:
        if isinstance(event, NoiseChanged):
            self.window.notify("noise", "")
            self.panel.show_trouble("")
            self._show()
        elif isinstance(event, NoiseFailed) and event.monitor:
            if event.sentence:
                self._monitor_off(event.sentence)
        elif isinstance(event, NoiseFailed):
            self.panel.show_trouble(event.sentence)
            self.window.notify("noise", event.sentence)
            self._show()

    def status(self, health: Health) -> None:
        self.panel.list_recordings(self.window.settings.noise_folder)
        self.panel.show_figures(self.noise.figures())
        problem = self.noise.monitor.problem
        if not problem and self.noise.monitor.running and self.window.controller.source_note == "lost":
            problem = LOST  # PortAudio finds devices again only while no stream is open
        if problem and self.panel.monitor.isChecked():
            self.noise.set_monitor(False)
            self._monitor_off(problem)

    def set_theme(self, theme: Theme) -> None:
        self.button.setIcon(icons.icon("noise", theme.text))

    def _monitor_off(self, sentence: str) -> None:
        action = self.window.actions_by_name["monitor"]
        blocked = action.blockSignals(True)
        action.setChecked(False)
        action.blockSignals(blocked)
        self.panel.show_monitor(False, sentence)
        self.window.notify("monitor", sentence, "warning")

    def _show(self) -> None:
        state = self.noise.state
        self.panel.show_state(state)
        self.button.setText(state.label)
        self.button.setToolTip(f"<p><b>Noise</b>: {state.label}</p><p>N switches it, [ and ] change the SNR.</p>")
        self.button.setAccessibleDescription(state.label)
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(state.snr_db)
        self.slider.blockSignals(blocked)
        self.shown.setVisible(state.on)
        self.window.toolbar.fit()

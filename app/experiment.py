"""Noise experiments as a feature of the main window: one command, which opens a window of its own.

Listening goes on while an experiment runs: it is a process of its own, at a lower priority, so it takes no time from
sound and painting, and a visitor may go on looking at the live view.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.feature import Feature
from app.theme import Theme

if TYPE_CHECKING:
    from app.experiment_window import ExperimentWindow
    from app.window import MainWindow


class ExperimentFeature(Feature):
    """Makes the experiment's window when it is first wanted: pyqtgraph takes a while to import."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.experiment: ExperimentWindow | None = None

    def do_experiment(self) -> None:
        """Open the window of experiments, or bring it to the front."""
        if self.experiment is None:
            from app.experiment_window import ExperimentWindow

            controller = self.window.controller
            self.experiment = ExperimentWindow(self.window.theme, controller.networks(), lambda: controller.detection)
            folder = self.window.settings.noise_folder
            if folder and Path(folder).is_dir():  # the recordings that the noise menu lists
                self.experiment.editor.use_recordings(folder, checked=False)
        self.experiment.show()
        self.experiment.raise_()
        self.experiment.activateWindow()

    def set_theme(self, theme: Theme) -> None:
        if self.experiment is not None:
            self.experiment.set_theme(theme)

    def close(self) -> None:
        if self.experiment is not None:
            self.experiment.dispose()

"""Calibration in the window: the commands, the dialog, the line in the status bar and what is said when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.calibration import Calibration, CalibrationChanged
from app.calibration_dialog import CalibrationDialog
from app.feature import Feature
from app.noise import NoiseChanged
from app.session_replay import Replay
from app.statusbar import Health
from app.theme import Theme
from kwscore.stream.calibrator import Law

if TYPE_CHECKING:
    from app.window import MainWindow
    from kwscore.session.reader import Session


class CalibrationFeature(Feature):
    """Keeps dialog and status bar true to what is set."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.calibration: Calibration = window.controller.calibration
        self.dialog: CalibrationDialog | None = None
        self._session: Session | None = None  # what is replayed
        window.status.fields["calibration"].linkActivated.connect(self._follow)
        window.preference_changed.connect(self._preference_changed)

    @property
    def _law(self) -> Law:
        return "profile" if self.window.settings.calibration_law == "profile" else "continuous"

    # -- commands ---------------------------------------------------------------------------------------------

    def do_calibrate(self) -> None:
        """Open the dialog and measure; while it measures, stop."""
        if self.calibration.measuring:
            self.calibration.cancel()
        else:
            self.measure()
        dialog = self._open()
        dialog.raise_()
        dialog.activateWindow()

    def do_calibrate_undo(self) -> None:
        """The constants from before the last change."""
        self.calibration.undo()

    def measure(self) -> None:
        """Measure the silence that begins now."""
        window, controller = self.window, self.window.controller
        settings = window.settings
        live = controller.choice.kind == "mic"
        self.calibration.begin(settings.calibration_seconds, self._law, controller.running, live)

    def _open(self) -> CalibrationDialog:
        if self.dialog is None:
            dialog = self.dialog = CalibrationDialog(self.window, self.window.theme)
            calibration = self.calibration
            for name in ("calibrate", "calibrate_undo"):
                dialog.addAction(self.window.actions_by_name[name])  # so that their keys work in it too
            dialog.measure_wanted.connect(self.measure)
            dialog.cancel_wanted.connect(calibration.cancel)
            dialog.undo_wanted.connect(calibration.undo)
            dialog.redo_wanted.connect(calibration.redo)
            dialog.reset_wanted.connect(calibration.reset)
            dialog.anyway_wanted.connect(calibration.take_anyway)
            dialog.law_chosen.connect(lambda law: self.window.set_preference("calibration_law", law))
        self._refresh()
        self.dialog.show()
        return self.dialog

    def _follow(self, link: str) -> None:
        """The link of the status bar."""
        if link == "cancel":
            self.calibration.cancel()
        elif link == "undo":
            self.calibration.undo()
        else:
            self._open()

    def _preference_changed(self, name: str) -> None:
        if name == "calibration_law":
            self.calibration.use_law(self._law)
        if name in ("calibration_law", "calibration_seconds"):
            self._refresh()

    # -- what happens -----------------------------------------------------------------------------------------

    def event(self, event: object) -> None:
        if isinstance(event, CalibrationChanged):
            if event.said:
                self._tell(event)
            self._refresh()
        elif isinstance(event, NoiseChanged):
            self.calibration.noise_is(event.state.label if event.state.on else "")

    def _tell(self, event: CalibrationChanged) -> None:
        action = ("Keep it all the same", self.calibration.undo) if event.back else None
        self.window.banner.show_message("calibration", event.said, "info", action)

    def frame(self) -> None:
        if self.calibration.measuring and self.dialog is not None:
            self.dialog.show_progress(self.calibration)

    def status(self, health: Health) -> None:
        if not self.window.controller.running or health.state == "bad":
            self.calibration.stopped()
        replay = next((each for each in self.window.features if isinstance(each, Replay)), None)
        session = replay.session if replay is not None else None
        if session is not self._session:
            self._session = session
            self._tell_session()

    def _tell_session(self) -> None:
        """Say where a recorded session was computed with other constants than it is heard with now."""
        session, said = self._session, ""
        if session is not None and any(change.what == "calibrated" and change.to for change in session.changes):
            said = f"{session.path.name} was calibrated while it was recorded and is heard with the present constants; "
            said += "Verify computes it with the recorded ones."
        self.window.notify("calibration-session", said, "info")

    def _refresh(self) -> None:
        if self.dialog is not None:
            settings, controller = self.window.settings, self.window.controller
            self.dialog.show_calibration(
                self.calibration, settings.calibration_seconds, self._law, controller.choice.label
            )

    def set_theme(self, theme: Theme) -> None:
        if self.dialog is not None:
            self.dialog.set_theme(theme)
            self._refresh()

    def dismiss(self) -> None:
        self.calibration.cancel()

    def close(self) -> None:
        self.calibration.cancel()
        if self.dialog is not None:
            self.dialog.close()

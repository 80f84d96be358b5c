"""Recording what is heard: one button, the seconds before it, and what a crash left behind."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolBar, QToolButton

from app import icons
from app.commands import tooltip
from app.feature import Feature
from app.listening import in_thread
from app.panels.timepanel import clock
from app.sources import Choice
from app.statusbar import Health
from app.theme import Theme
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.session.container import SUFFIX
from kwscore.session.places import new_path, standard_folder
from kwscore.session.recorder import Progress, Recorder
from kwscore.session.tap import PreRoll
from kwscore.stream.runner import Batch

if TYPE_CHECKING:
    from app.window import MainWindow

LOOKED_AT = 5  # newest recordings that are looked at for one that was cut off
log = logging.getLogger(__name__)


class Recording(Feature):
    """The Record command. The listener runs in the engine thread and hands over; files belong to the recorder."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.recorder: Recorder | None = None
        """What is being recorded into."""
        self.path: Path | None = None
        """The newest recording of this window."""
        self._active: Recorder | None = None  # the same, as the engine thread sees it
        self._pre_roll = PreRoll(window.settings.pre_roll)
        self._said: deque[Callable[[], None]] = deque()
        self._notice = ""
        self._heard = False  # since recording began, something was heard
        self._ending: threading.Thread | None = None  # the newest recording is being closed in it
        self.button = QToolButton()
        self.button.setObjectName("record")
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.action = window.actions_by_name["record"]
        self.button.clicked.connect(self.action.trigger)
        self.action.toggled.connect(lambda _: self.button.setChecked(self.action.isChecked()))
        _insert_after(window.toolbar, window.toolbar.reset_button, self.button)
        self.set_theme(window.theme)
        self._show()
        window.controller.listen_in(self._listen)
        if window.keep:
            in_thread("kwscope-recover", self._look_for_cut)

    @property
    def folder(self) -> Path:
        """Where recordings go."""
        return Path(self.window.settings.recordings) if self.window.settings.recordings else standard_folder()

    # -- commands ---------------------------------------------------------------------------------------------

    def do_record(self, on: bool) -> None:
        """Begin, with the seconds before; or end, in order."""
        if on and self.recorder is None:
            self._begin()
        elif not on and self.recorder is not None:
            self._finish(self.recorder)
        self._show()

    def _begin(self) -> None:
        try:
            path = new_path(self.folder)
            recorder = Recorder(path, detail=self.window.settings.record_detail, about={"program": "window"})
        except KWScopeError as error:
            self.window.notify("recording", str(error))
            self._uncheck()
            return
        self.window.notify("recording", "")
        self.recorder, self.path, self._notice, self._heard = recorder, path, "", False
        worker = self.window.controller.worker

        def start() -> None:  # in the engine thread
            recorder.start(self._pre_roll if worker.runner is not None else None)
            self._active = recorder

        worker.post(start)
        if not self.window.controller.running:
            self.window.do_live()
            self.window.controller.start()

    def _finish(self, recorder: Recorder) -> None:
        """Writing what waits may take a moment: not in the window's thread."""
        self.recorder = self._active = None
        self._uncheck()

        def work() -> None:
            progress = recorder.stop()
            if not progress.message and not progress.samples:
                recorder.path.unlink(missing_ok=True)
            self._said.append(lambda: self._ended(recorder.path, progress))

        self._ending = in_thread("kwscope-record-end", work)

    def _ended(self, path: Path, progress: Progress) -> None:
        if progress.message:
            self.window.notify("recording", progress.message)
        elif not progress.samples:
            self.window.notify("recording", "Nothing was heard, so nothing was recorded.", "warning")
        else:
            length, size = clock(progress.samples / SAMPLE_RATE), progress.size / 1e6
            text = f"Recorded {length} into {path} ({size:.1f} MB)."
            self.window.banner.show_message("recording", text, "info", ("Replay", lambda: self._replay(path)))

    def _replay(self, path: Path) -> None:
        for key in ("recording", "recovered"):
            self.window.notify(key, "")
        self.window.listen_to(Choice("file", str(path)))

    def _uncheck(self) -> None:
        self.action.blockSignals(True)
        self.action.setChecked(False)
        self.action.blockSignals(False)
        self.button.setChecked(False)

    # -- engine thread ----------------------------------------------------------------------------------------

    def _listen(self, batch: Batch) -> None:
        """Whatever happens here, listening goes on."""
        runner = self.window.controller.worker.runner
        if runner is None:
            return
        try:
            if self._pre_roll.seconds != self.window.settings.pre_roll:
                self._pre_roll = PreRoll(self.window.settings.pre_roll)
            recorder = self._active
            if recorder is not None:
                recorder.feed(batch, runner)
            self._pre_roll.feed(batch, runner)
        except Exception as error:
            log.exception("recording")
            self._active, self._pre_roll = None, PreRoll(0.0)
            sentence = f"The recording ended unexpectedly ({error or type(error).__name__}): start another one."
            self._said.append(lambda: self.window.notify("recording", sentence))

    # -- what is shown ----------------------------------------------------------------------------------------

    def frame(self) -> None:
        while self._said:
            self._said.popleft()()
        recorder = self.recorder
        if recorder is None:
            return
        self._heard = self._heard or recorder.position > 0
        over = self._heard and not self.window.controller.running
        if not recorder.recording or over:
            self._finish(recorder)
            self._show()

    def status(self, health: Health) -> None:
        recorder = self.recorder
        if recorder is not None:
            notice = recorder.progress().notice
            if notice != self._notice:
                self._notice = notice
                self.window.notify("recording", notice, "warning")
        self._show()

    def _show(self) -> None:
        """State in words and by shape; the colour only repeats it."""
        recorder = self.recorder
        if recorder is None:
            text, said, tip = "Record", "Record", tooltip("record")
            before = self.window.settings.pre_roll
            if before:
                tip += f". The {before} s before it are recorded too"
        else:
            progress = recorder.progress()
            text = f"Recording {clock(progress.samples / SAMPLE_RATE)}"
            said = "Stop recording"
            tip = f"Recording into {recorder.path}, {progress.size / 1e6:.1f} MB so far. Press again to end ({_KEYS})"
        if self.button.text() != text:
            self.button.setText(text)
            self.button.setAccessibleName(said)
            self.button.setAccessibleDescription(text)
        if self.button.toolTip() != tip:
            self.button.setToolTip(tip)

    def set_theme(self, theme: Theme) -> None:
        self.button.setIcon(icons.icon("record", theme.bad, theme.bad))
        self.button.setStyleSheet(f"QToolButton:checked {{ color: {theme.bad}; border-color: {theme.bad}; }}")

    def close(self) -> threading.Thread | None:
        self.window.controller.listen_in(self._listen, on=False)
        if self.recorder is not None:
            self._finish(self.recorder)
        return self._ending

    # -- recovery ---------------------------------------------------------------------------------------------

    def _look_for_cut(self) -> None:
        """Close recordings that a crash or a power cut left open, and say so, once."""
        from kwscore.session.reader import finish_cut

        try:
            newest = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)[-LOOKED_AT:]
        except OSError:
            return
        for path in newest:
            try:
                sentence = finish_cut(path)
            except (KWScopeError, OSError):
                continue
            if sentence:
                self._said.append(partial(self._tell_cut, path, sentence))

    def _tell_cut(self, path: Path, sentence: str) -> None:
        self.window.banner.show_message("recovered", sentence, "warning", ("Replay", lambda: self._replay(path)))


_KEYS = "Ctrl + R"


def _insert_after(toolbar: QToolBar, widget: QToolButton, new: QToolButton) -> None:
    """Put ``new`` behind ``widget``."""
    actions = toolbar.actions()
    place = next(i for i, action in enumerate(actions) if toolbar.widgetForAction(action) is widget)
    toolbar.insertWidget(actions[place + 1], new)

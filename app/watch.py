"""A false-accept run: listen for hours, keep the seconds around words, count false accepts by word and threshold."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from app.feature import Feature
from app.listening import in_thread
from app.moments import Moments
from app.panels.timepanel import clock
from app.session_recording import Recording
from app.session_replay import Replay
from app.sources import Choice
from app.statusbar import Health
from app.theme import Theme
from app.watch_dialog import LISTED, State, WatchDialog, Word, headline
from kwscore.constants import HOP, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.session.accepts import comparable
from kwscore.session.facts import describe_engine, describe_source
from kwscore.session.places import new_path
from kwscore.session.recorder import Progress, Recorder
from kwscore.session.spans import LOWEST, Spans
from kwscore.session.tally import Tally
from kwscore.stream.detection import DetectionSettings
from kwscore.stream.runner import Batch, Runner

if TYPE_CHECKING:
    from app.window import MainWindow

LIMIT = 1_000_000_000
"""Bytes from which on words are only counted, as with `kwscope session watch`."""
KEY = "watch"  # of its messages
log = logging.getLogger(__name__)


class Run:
    """One run, as the engine thread sees it: what is heard must stay what it was, or the figures mean nothing."""

    def __init__(self, path: Path, settings: DetectionSettings, detail: str) -> None:
        """Raises KWScopeError where the file cannot be made."""
        self.settings = settings
        self.spans = Spans.for_settings(settings, min(LOWEST, *settings.thresholds))
        self.tally = Tally(settings, self.spans.floor)
        self.recorder = Recorder(
            path, detail=detail, spans=self.spans, limit=LIMIT, about={"program": "window"}, listener=self.tally.take
        )
        self.words: deque[Word] = deque(maxlen=LISTED)
        """Reported, for the window to take."""
        self.changed = ""
        """What was changed, so that it ended."""
        self._runner: Runner | None = None
        self._engine: object = None
        self._facts: tuple[Any, ...] | None = None

    def feed(self, batch: Batch, runner: Runner, history: Any) -> None:
        """Right after each step, in the engine thread."""
        if self.changed or not self.recorder.recording:
            return
        self.changed = self._check(runner)
        if self.changed:
            return
        self.recorder.feed(batch, runner)
        for event in batch.events:
            at = event.decided + batch.origin  # on the runner's clock, as the history's columns are
            column = (at + 1 - WINDOW) // HOP + 1
            self.words.append(Word(at + self.recorder.offset, event.word, event.score, column, ref(history)))

    def _check(self, runner: Runner) -> str:
        settings = runner.detector.settings
        if settings is not self.settings:
            kept = min(settings.thresholds) >= min(LOWEST, *self.settings.thresholds)
            if not comparable(self.settings, settings) or not kept:
                return "the detection settings were changed"
        if runner is self._runner and runner.engine is self._engine:
            return ""
        self._runner, self._engine = runner, runner.engine
        engine, source = describe_engine(runner.engine), describe_source(runner.source)
        facts = (engine["hash"], source["name"])
        before, self._facts = self._facts, facts
        if before is None or before == facts:
            return ""
        return "another network was chosen" if before[0] != facts[0] else "another source was chosen"


class Watch(Feature):
    """The command "False-accept run", its line in the status bar and its dialog."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.run: Run | None = None
        """The run that goes on."""
        self.last: Run | None = None
        """The newest run, also when it has ended."""
        self.dialog: WatchDialog | None = None
        self.message = ""
        self._active: Run | None = None  # the same as ``run``, as the engine thread sees it
        self._said: deque[Callable[[], None]] = deque()
        self._heard = self._kept = False
        self._ending: threading.Thread | None = None
        self.action = window.actions_by_name["watch"]
        window.status.fields["watch"].linkActivated.connect(lambda _: self._open())
        window.controller.listen_in(self._listen)

    # -- commands ---------------------------------------------------------------------------------------------

    def do_watch(self, on: bool) -> None:
        """Begin, and show the dialog; or end, in order."""
        if on and self.run is None:
            self._begin()
        elif not on and self.run is not None:
            self._finish(self.run)
        self._show()

    def _begin(self) -> None:
        window = self.window
        folder = self._part(Recording).folder
        try:
            run = Run(new_path(folder, "watch"), window.controller.detection, window.settings.record_detail)
        except KWScopeError as error:
            window.notify(KEY, str(error))
            self._uncheck()
            return
        window.notify(KEY, "")
        self.run = self.last = run
        self.message, self._heard, self._kept = "", False, False

        def start() -> None:  # in the engine thread
            if self.run is run:
                run.recorder.start()
                self._active = run

        window.controller.worker.post(start)
        if not window.controller.running:
            window.do_live()
            window.controller.start()
        dialog = self._open()
        dialog.begin()

    def _finish(self, run: Run, why: str = "") -> None:
        """Writing what waits may take a moment: not in the window's thread."""
        self.run = self._active = None
        self._uncheck()

        def work() -> None:
            progress = run.recorder.stop()
            if not progress.message and not progress.samples:
                run.recorder.path.unlink(missing_ok=True)
            self._said.append(lambda: self._ended(run, progress, why))

        self._ending = in_thread("kwscope-watch-end", work)

    def _ended(self, run: Run, progress: Progress, why: str) -> None:
        standing, path = run.tally.standing(), run.recorder.path
        window, level, action = self.window, "info", None
        if not progress.samples:
            text, level = progress.message or "Nothing was heard, so the false-accept run kept nothing.", "warning"
        else:
            words = "1 word" if standing.reported == 1 else f"{standing.reported} words"
            figures = ", ".join([words, *headline(standing, run.settings.threshold)])
            text = f"The false-accept run heard {clock(progress.samples / SAMPLE_RATE)}: {figures}; "
            text += f"{path} keeps the words ({progress.size / 1e6:.1f} MB)."
            if progress.message or why:
                text, level = f"{progress.message or why} {text}", "error" if progress.message else "warning"
            action = ("Open", self.replay)
        if run is self.last:
            self._kept, self.message = progress.samples > 0, progress.message or why or text
            self._show(full=True)
        if self.run is None:
            window.banner.show_message(KEY, text, level, action)

    def _uncheck(self) -> None:
        self.action.blockSignals(True)
        self.action.setChecked(False)
        self.action.blockSignals(False)

    # -- engine thread ----------------------------------------------------------------------------------------

    def _listen(self, batch: Batch) -> None:
        """Whatever happens here, listening goes on."""
        run, worker = self._active, self.window.controller.worker
        if run is None or worker.runner is None:
            return
        try:
            run.feed(batch, worker.runner, worker.history)
        except Exception as error:
            log.exception("false-accept run")
            run.changed = f"something unexpected happened ({error or type(error).__name__})"

    # -- what is shown ----------------------------------------------------------------------------------------

    def frame(self) -> None:
        while self._said:
            self._said.popleft()()
        run = self.run
        if run is None:
            return
        self._heard = self._heard or run.recorder.position > 0
        over = self._heard and not self.window.controller.running
        if run.changed or not run.recorder.recording or over:
            why = f"The false-accept run ended because {run.changed}: start another one." if run.changed else ""
            self._finish(run, why)
            self._show()

    def status(self, health: Health) -> None:
        if self.run is not None:
            notice = self.run.recorder.progress().notice
            if notice != self.message:
                self.message = notice
                self.window.notify(KEY, notice, "warning")
            self._show()

    def _show(self, full: bool = False) -> None:
        """Status bar and dialog; ``full``: also where the run is over."""
        run, last, dialog = self.run, self.last, self.dialog
        if run is not None:
            standing = run.tally.standing()
            words = "1 word" if standing.reported == 1 else f"{standing.reported} words"
            self.window.status.show_watch(f"{clock(standing.samples / SAMPLE_RATE)} · {words}")
        else:
            self.window.status.show_watch("")
        if dialog is None or last is None or not (dialog.isVisible() or full):
            return
        if last.words:
            dialog.add([last.words.popleft() for _ in range(len(last.words))])
        dialog.show_standing(last.tally.standing(), last.settings.threshold)
        progress = last.recorder.progress()
        heard = self.window.controller.choice.label
        ended = run is None and self._kept
        dialog.show_state(State(run is not None, heard, last.recorder.path.name, progress.size, self.message, ended))

    def _open(self) -> WatchDialog:
        if self.dialog is None:
            dialog = self.dialog = WatchDialog(self.window, self.window.theme)
            dialog.addAction(self.action)  # so that its keys work in it too
            dialog.run_wanted.connect(self.action.trigger)
            dialog.open_wanted.connect(self.replay)
            dialog.word_wanted.connect(self.show_word)
        self.dialog.show()
        self.dialog.raise_()
        self._show()
        return self.dialog

    def show_word(self, word: Word) -> None:
        """The moment: in the plots while they hold it, else, once the run is over, from its file."""
        window, history = self.window, self.window.controller.worker.history
        self.window.notify("moment", "")
        if history is not None and word.history() is history and word.column > window.feed.first:
            self._part(Moments).at(word.column)
            window.activateWindow()
        elif self.run is None and self._kept:
            self.replay(word.position)
        else:
            said = "The plots no longer hold that moment; its clip is in the run's file, which opens when the run ends."
            window.notify("moment", said, "info")

    def replay(self, position: int | None = None) -> None:
        """Open the newest run's file, a second before session sample ``position``."""
        if self.last is None or self.run is not None:
            return
        self.window.notify(KEY, "")
        path = self.last.recorder.path
        if position is None:
            self.window.listen_to(Choice("file", str(path)))
        else:
            self._part(Replay).open_at(path, max(position - SAMPLE_RATE, 0))

    def _part(self, kind: type) -> Any:
        return next(feature for feature in self.window.features if isinstance(feature, kind))

    def set_theme(self, theme: Theme) -> None:
        if self.dialog is not None:
            self.dialog.set_theme(theme)
            self._show(full=True)

    def close(self) -> threading.Thread | None:
        self.window.controller.listen_in(self._listen, on=False)
        if self.run is not None:
            self._finish(self.run)
        if self.dialog is not None:
            self.dialog.close()
        return self._ending

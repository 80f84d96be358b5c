"""A recorded session in the window: heard again like a file, with its words and notes, from any moment."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QToolBar

from app.feature import Feature
from app.session_strip import SessionStrip
from app.sources import Choice
from app.theme import Theme
from kwscore.constants import HOP
from kwscore.errors import KWScopeError
from kwscore.session.source import SessionSource
from kwscore.stream.telemetry import Engine

if TYPE_CHECKING:
    from app.window import MainWindow
    from kwscore.session.reader import Session

WRITERS: dict[str, str] = {
    "Sound, WAV (*.wav)": "audio",
    "Sound, FLAC (*.flac)": "audio",
    "Telemetry of every hop (*.csv)": "telemetry_csv",
    "Words (*.csv)": "events_csv",
    "Telemetry, Parquet (*.parquet)": "parquet",
    "Settings, versions and notes (*.json)": "metadata_json",
}
"""What can be exported: the dialog's filter and the function of ``kwscore.session.export``."""
log = logging.getLogger(__name__)


class Replay(Feature):
    """Knows the session that is heard, shows its strip, goes where it is clicked, and verifies."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.source: SessionSource | None = None
        """The session that is shown: the one that is heard, or was heard last."""
        self._wanted: int | None = None  # where to go on once the session is open again
        self._share: float | None = None
        self._said: deque[Callable[[], None]] = deque()
        self.strip = SessionStrip(window.theme)
        self.strip.track.seek_wanted.connect(self.seek)
        self.strip.verify_wanted.connect(self.verify)
        self.strip.export_wanted.connect(self.export)
        self.bar = QToolBar("session")
        self.bar.setObjectName("session")
        self.bar.setMovable(False)
        self.bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.bar.setStyleSheet("QToolBar { padding: 0; border: none; }")
        self.bar.addWidget(self.strip)
        window.addToolBarBreak(Qt.ToolBarArea.BottomToolBarArea)
        window.addToolBar(Qt.ToolBarArea.BottomToolBarArea, self.bar)
        self.bar.hide()

    @property
    def session(self) -> Session | None:
        """What is replayed; its fields only, its file belongs to the engine thread."""
        return self.source.session if self.source is not None else None

    # -- places -----------------------------------------------------------------------------------------------

    def position_of(self, column: float) -> int:
        """The session sample that column ``column`` of the display shows."""
        assert self.source is not None
        return round((column - self.window.feed.column_of(0)) * HOP) + self.source.shift

    def column_of(self, position: int) -> int | None:
        """The column that shows session sample ``position``, if it is still held."""
        feed = self.window.feed
        if self.source is None:
            return None
        column = round(feed.column_of(position - self.source.shift))
        return column if feed.first <= column < feed.end else None

    def seek(self, position: int) -> None:
        """Hear the session from sample ``position`` on; it is opened again where it has ended."""
        source = self.source
        if source is None:
            return
        self.window.do_live()
        if self.window.controller.running and self._heard() is source:
            source.seek(position)
            self.window.controller.reset()
        else:
            self._wanted = position
            self.window.listen_to(Choice("file", str(source.path)))

    def open_at(self, path: Path, position: int) -> None:
        """Hear the session of ``path`` from sample ``position`` on."""
        if self.source is not None and self.source.path == path:
            self.seek(position)
        else:
            self._wanted = position
            self.window.listen_to(Choice("file", str(path)))

    def show_position(self, position: int) -> None:
        """Show a moment: on the display where it is held, else by going there."""
        column = self.column_of(position)
        if column is None:
            self.seek(position)
        else:
            self.window.show_moment(column + self.window.shown_columns() // 3)

    def _heard(self) -> object:
        runner = self.window.controller.worker.runner
        return runner.source if runner is not None else None

    # -- frames -----------------------------------------------------------------------------------------------

    def frame(self) -> None:
        while self._said:
            self._said.popleft()()
        heard = self._heard()
        if isinstance(heard, SessionSource):
            if heard is not self.source:
                self.source = heard
                if self._wanted is not None:
                    wanted, self._wanted = self._wanted, None
                    self.seek(wanted)
        elif heard is not None:
            self.source = None
        session = self.session
        if self.bar.isHidden() == (session is not None):
            self.bar.setVisible(session is not None)
        if session is not None:
            end = self.window.display.end
            self.strip.show_session(session, min(max(self.position_of(end), 0), session.length) if end else 0)
            self.strip.set_verifying(self._share)

    def set_theme(self, theme: Theme) -> None:
        self.strip.set_theme(theme)

    # -- verify and export ------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Replay all of it in a thread of its own and say whether every bit is the same."""
        session = self.session
        if session is None or self._share is not None:
            return
        self._share = 0.0
        self.window.notify("verify", "")
        path = session.path

        def work() -> None:
            try:
                text, level = self._verify(path)
            except KWScopeError as error:
                text, level = str(error), "error"
            except Exception as error:
                log.exception("verifying")
                text, level = f"{path.name} could not be verified ({error or type(error).__name__}).", "error"

            def tell() -> None:
                self._share = None
                self.strip.set_verifying(None)
                self.window.notify("verify", text, level)

            self._said.append(tell)

        threading.Thread(target=work, name="kwscope-verify", daemon=True).start()

    def _verify(self, path: Path) -> tuple[str, str]:
        from kwscore.session.reader import Session
        from kwscore.session.replay import verify

        with Session(path) as session:

            def progress(position: int) -> None:
                self._share = position / max(session.length, 1)

            verdict = verify(session, self._present_engine(session), progress)
            lost = f" {session.trouble}" if session.lost else ""  # known only now that all of it was read
        if not verdict.frames:
            why = lost or " it began in the middle of a stream."
            return f"Nothing of {path.name} could be compared:{why}", "warning"
        if verdict.difference:
            return f"{verdict.difference}{lost}", "error"
        rest = f"; {verdict.unchecked} could not be checked" if verdict.unchecked else ""
        level = "warning" if lost else "info"
        return f"{path.name} replays bit for bit: {verdict.frames} hops are equal{rest}.{lost}", level

    def _present_engine(self, session: Session) -> Engine | None:
        """The network in use, where it made the session (it may be one that does not come with KWScope)."""
        from kwscore.session.facts import describe_engine

        controller = self.window.controller
        made = session.segments[0].engine if session.segments else {}
        if made.get("hash") != controller.network_hash or made.get("kind") not in ("float", "window"):
            return None
        spare = controller.load_spare()
        return spare if describe_engine(spare)["kind"] == made["kind"] else None

    def export(self) -> None:
        """Ask what and where to, and write it in a thread of its own."""
        session = self.session
        if session is None:
            return
        settings = self.window.settings
        start = str(Path(settings.folder or session.path.parent, session.path.stem + ".wav"))
        name, chosen = QFileDialog.getSaveFileName(self.window, "Export session", start, ";;".join(WRITERS))
        if not name:
            return
        suffix = chosen.rpartition("*")[2].rstrip(")")
        path = Path(name)
        if path.suffix.lower() != suffix:
            path = path.with_suffix(suffix)
        settings.folder = str(path.parent)
        self.export_to(path, WRITERS[chosen])

    def export_to(self, path: Path, writer: str) -> None:
        """Write with a function of ``kwscore.session.export``; the outcome becomes a message."""
        session = self.session
        if session is None:
            return
        source = session.path

        def work() -> None:
            from kwscore.session import export
            from kwscore.session.reader import Session

            try:
                with Session(source) as opened:
                    getattr(export, writer)(opened, path)
                    lost = f" {opened.trouble}" if opened.lost else ""
                text, level = f"{source.name} was exported to {path}.{lost}", "warning" if lost else "info"
            except KWScopeError as error:
                text, level = str(error), "error"
            except Exception as error:
                log.exception("exporting")
                text, level = f"{path} could not be written ({error or type(error).__name__}).", "error"
            self._said.append(lambda: self.window.notify("session-export", text, level))

        self.window.notify("session-export", "")
        threading.Thread(target=work, name="kwscope-export", daemon=True).start()

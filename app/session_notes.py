"""Pins and notes: P marks the moment, the list leads back to it, a recording keeps it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.feature import Feature
from app.feed import Mark
from app.panels.notes import PIN, NoteRow, NotesPanel
from app.session_recording import Recording
from app.session_replay import Replay
from app.statusbar import Health
from kwscore.constants import HOP, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.session.notes import Note
from kwscore.stream.history import History

if TYPE_CHECKING:
    from app.window import MainWindow

PER_SECOND = SAMPLE_RATE // HOP


@dataclass(slots=True)
class _Kept:
    """A note of this window: where it is on the display (while ``history`` is shown), and in which recording."""

    note: Note
    column: int
    history: History | None
    path: Path | None = None


class Notes(Feature):
    """Between the list, the plots and whatever stores notes: the recorder, or the session that is replayed."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.panel: NotesPanel = window.panels["notes"]
        self._kept: dict[str, _Kept] = {}
        self._shown: list[NoteRow] = []
        self._said: deque[Callable[[], None]] = deque()
        # one thread: two versions of a note must reach its file one after the other, in this order
        self._writer = ThreadPoolExecutor(1, "kwscope-notes")
        self.panel.pin_wanted.connect(self.do_pin)
        self.panel.note_wanted.connect(self.do_note)
        self.panel.moment_wanted.connect(self._jump)
        self.panel.edited.connect(self._edit)
        self.panel.deleted.connect(self._delete)

    @property
    def recording(self) -> Recording:
        """The feature that records."""
        return next(feature for feature in self.window.features if isinstance(feature, Recording))

    @property
    def replay(self) -> Replay:
        """The feature that replays."""
        return next(feature for feature in self.window.features if isinstance(feature, Replay))

    # -- commands ---------------------------------------------------------------------------------------------

    def do_pin(self) -> None:
        """Mark the moment: the newest one, or on a frozen display the one under the cursor, else in its middle."""
        self.add()

    def do_note(self) -> None:
        """Mark the moment and write."""
        id = self.add()
        if id:
            dock = self.window.docks["notes"]
            dock.show()
            dock.raise_()
            self._refresh()
            self.panel.edit(id)

    def add(self, text: str = "") -> str:
        """Add a note at the present moment; return its id, or nothing where nothing was heard yet."""
        if not self.window.feed.end:
            self.window.notify("notes", "There is nothing to mark yet: press Start (Space) to listen.", "warning")
            return ""
        self.window.notify("notes", "")
        column = self._column()
        replay = self.replay
        if replay.session is not None:
            note = Note(max(replay.position_of(column), 0), text)
            self._store(replay.session.path, note)
        else:
            history = self.window.controller.worker.history
            note = Note(_sample(column), text)
            self._kept[note.id] = _Kept(note, column, history)
            self._hand_over()
        self._refresh()
        return note.id

    def _column(self) -> int:
        display = self.window.display
        if not display.frozen:
            return self.window.feed.end
        cursor = next((p.cursor_column for p in self.window.time_panels.values() if p.cursor_column is not None), None)
        return cursor if cursor is not None else max(display.end - self.window.shown_columns() // 2, 1)

    # -- keeping ----------------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Give the recorder what lies in its time, also what was marked before the button was pressed."""
        recorder = self.recording.recorder
        if recorder is None or not recorder.position:
            return
        history = self.window.controller.worker.history
        for kept in self._kept.values():
            position = _sample(kept.column) + recorder.offset
            if kept.path is None and kept.history is history and position >= 0:
                kept.path = recorder.path
                kept.note = replace(kept.note, position=position)
                recorder.put_note(kept.note)

    def _store(self, path: Path, note: Note) -> None:
        """Put a note into a session's file: a new one, or another version of one."""
        session = self.replay.session
        live = session if session is not None and session.path == path else None
        recorder = self.recording.recorder
        if recorder is not None and recorder.path == path:
            recorder.put_note(note)
            return
        if live is not None:
            live.history.append(note)

        def work() -> None:
            from kwscore.session.reader import Session

            try:
                with Session(path) as opened:
                    opened.add_note(note)
            except KWScopeError as error:
                sentence = f"The note was not stored: {error}"
                self._said.append(lambda: self.window.notify("notes", sentence))

        self._writer.submit(work)

    def _edit(self, id: str, text: str) -> None:
        self._change(id, lambda note: replace(note, text=text))

    def _delete(self, id: str) -> None:
        self._change(id, lambda note: replace(note, deleted=True))

    def _change(self, id: str, change: Callable[[Note], Note]) -> None:
        session = self.replay.session
        stored = next((note for note in session.notes if note.id == id), None) if session is not None else None
        if session is not None and stored is not None:
            self._store(session.path, change(stored))
        elif id in self._kept:
            kept = self._kept[id]
            kept.note = change(kept.note)
            if kept.path is not None:
                self._store(kept.path, kept.note)
            if kept.note.deleted:
                del self._kept[id]
        self._refresh()

    # -- showing ----------------------------------------------------------------------------------------------

    def _jump(self, place: int) -> None:
        if self.replay.session is not None:
            self.replay.show_position(place)
        else:
            self.window.show_moment(place + self.window.shown_columns() // 3)

    def frame(self) -> None:
        while self._said:
            self._said.popleft()()

    def status(self, health: Health) -> None:
        self._hand_over()
        self._refresh()

    def close(self) -> None:
        self._writer.shutdown(wait=False)  # what is still to be written is, before the process ends

    def _refresh(self) -> None:
        """List and plots show what there is."""
        replay, feed = self.replay, self.window.feed
        if replay.session is not None:
            rows = [NoteRow(n.id, n.position / SAMPLE_RATE, n.text, n.position) for n in replay.session.notes]
            columns = [(replay.column_of(row.place or 0), row) for row in rows]
        else:
            history = self.window.controller.worker.history
            kept = sorted(self._kept.values(), key=lambda kept: (kept.history is history, kept.column))
            rows = []
            for one in kept:
                held = one.history is history and one.column > feed.first
                rows.append(NoteRow(one.note.id, one.column / PER_SECOND, one.note.text, one.column if held else None))
            columns = [(row.place, row) for row in rows]
        feed.pins = [Mark(at, at, row.text or PIN, kind="pin") for at, row in columns if at is not None]
        if rows != self._shown and not self.panel.editing:
            self._shown = rows
            self.panel.show_rows(rows)


def _sample(column: int) -> int:
    """Sample on the runner's clock that ends column ``column``."""
    return (column - 1) * HOP + WINDOW

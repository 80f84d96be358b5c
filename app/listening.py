"""What is heard: opens sources in threads, keeps the old one until the new one delivers, and watches it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from app.sources import DEMO, Choice
from app.worker import Ended, Notice
from kwscore.audio.source import Source, SourceState, SourceStatus
from kwscore.errors import KWScopeError

OPEN_DEADLINE = 6.0  # s
FIRST_SOUND = 2.0  # s that a device may take before it delivers
STALL_SHOWN = 1.0  # s of stall before it is announced: a loaded machine stalls for less
log = logging.getLogger(__name__)

_TROUBLE = {
    SourceState.STALLED: ("no sound", "warn", "{name} delivers no sound at the moment; waiting for it to go on."),
    SourceState.LOST: ("lost", "bad", "{name} is gone; trying to open it again every second."),
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A source delivers."""

    token: int
    choice: Choice
    source: Source


@dataclass(frozen=True, slots=True)
class NotOpened:
    """A source could not be opened, and why."""

    token: int
    choice: Choice
    sentence: str


class Listening:
    """State of what is heard. ``events``: where threads leave what happened, for ``take``. ``hear``: gets each new
    source (None: nothing any more). ``fall_back``: the demo takes the place of a first source that does not open."""

    def __init__(
        self,
        choice: Choice,
        events: deque[object],
        hear: Callable[[Source | None], None],
        build: Callable[[Choice], Source],
        fall_back: bool,
    ) -> None:
        self.choice = choice
        self.note = ""
        self.running = False
        self.postponed: Choice | None = None
        """Opened as soon as there is a network."""
        self._events, self._hear, self._build, self._fall_back = events, hear, build, fall_back
        self._source: Source | None = None
        self._token = 0
        self._opening: tuple[int, Choice, float] | None = None  # token, choice, since
        self._state = SourceState.IDLE
        self._stalled_since: float | None = None
        self._remark = ""  # what the running source has to say

    # -- what is wanted ---------------------------------------------------------------------------------------

    def postpone(self, choice: Choice) -> None:
        """Wait for the network: sound that nobody takes would pile up."""
        self.choice = self.postponed = choice
        self.note = "waiting for the network"

    def give_up_waiting(self) -> None:
        """There will be no network."""
        self.postponed, self.note = None, ""

    def open(self, choice: Choice) -> None:
        """Open a source in a thread; the present one is heard until then."""
        self._token += 1
        token, build, events = self._token, self._build, self._events
        self._opening = (token, choice, time.monotonic())
        self.note = "opening…"
        if not self.running:
            self.choice = choice

        def work() -> None:
            try:
                source = build(choice)
                source.start()
                wait = getattr(source, "wait_delivering", None)
                if wait is not None and not wait(FIRST_SOUND) and self.running:
                    source.stop()
                    raise KWScopeError(f"{choice.label} delivers no sound: choose another source or unmute it.")
                events.append(Opened(token, choice, source))
            except KWScopeError as error:
                events.append(NotOpened(token, choice, str(error)))
            except Exception as error:
                log.exception("opening %s", choice)
                events.append(
                    NotOpened(token, choice, f"{choice.label} cannot be opened ({error}): choose another source.")
                )

        in_thread("kwscope-open", work)

    def stop(self) -> Source | None:
        """Hear nothing any more; returns the source, which is being closed."""
        self._token += 1
        self._opening = self.postponed = None
        self.note = ""
        self.running = False
        if self._state in _TROUBLE:
            self._events.append(Notice("device", ""))  # what is not heard is in no trouble
        self._state = SourceState.IDLE
        self._hear(None)
        source, self._source = self._source, None
        release(source)
        return source

    def close(self) -> threading.Thread | None:
        """Close for good; returns the thread that closes the source."""
        self._token += 1
        source, self._source = self._source, None
        return release(source)

    # -- what is asked ----------------------------------------------------------------------------------------

    @property
    def source(self) -> Source | None:
        """What is heard now."""
        return self._source

    @property
    def busy(self) -> bool:
        """Whether something is heard or about to be."""
        return self.running or self._opening is not None or self.postponed is not None

    @property
    def well(self) -> bool:
        """Whether what is heard delivers."""
        return self.running and self._state is SourceState.RUNNING

    def status(self) -> SourceStatus | None:
        """Of the source that is heard."""
        return self._source.status() if self._source is not None else None

    def in_words(self) -> tuple[str, str]:
        """Lamp (good, warn, bad, idle) and words for the status bar."""
        if self._opening is not None and not self.running:
            return "idle", "opening…"
        if not self.running:
            return "idle", self.note or "stopped"
        if self._state in _TROUBLE:
            note, lamp, _ = _TROUBLE[self._state]
            return lamp, note
        return "good", "listening" if self.choice.kind == "mic" else "playing"

    # -- what happened ----------------------------------------------------------------------------------------

    def take(self, event: object) -> list[object] | None:
        """Follow up on an event of a thread; what the window should know, or None where it is no affair of ours."""
        if isinstance(event, Opened):
            return self._opened(event)
        if isinstance(event, NotOpened):
            return self._not_opened(event)
        if isinstance(event, Ended):
            return self._ended(event)
        return None

    def watch(self) -> list[object]:
        """Called often: deadlines, trouble of the running source and its end, as sentences."""
        said: list[object] = []
        if self._opening is not None and time.monotonic() - self._opening[2] > OPEN_DEADLINE:
            token, choice, _ = self._opening
            sentence = f"{choice.label} did not open within {OPEN_DEADLINE:.0f} s: choose another source."
            said += self._not_opened(NotOpened(token, choice, sentence))
        return said + self._watch_source()

    def _opened(self, event: Opened) -> list[object]:
        if event.token != self._token:
            release(event.source)  # no longer wanted
            return []
        old, self._source = self._source, event.source
        self.choice, self._opening, self.note = event.choice, None, ""
        self.running = True
        said: list[object] = [Notice("source", "")]
        said += [Notice("remark", "")] if self._remark else []
        said += [Notice("device", "")] if self._state in _TROUBLE else []  # of the source before
        self._state = SourceState.RUNNING
        self._stalled_since = None
        self._remark = ""
        self._fall_back = False
        self._hear(event.source)
        release(old)
        return said

    def _not_opened(self, event: NotOpened) -> list[object]:
        if event.token != self._token:
            return []
        self._token += 1  # should it open after all, it is closed again
        self._opening, self.note = None, ""
        if self._fall_back and event.choice != DEMO:
            self._fall_back = False
            self.open(DEMO)
            return [Notice("fall-back", f"{event.sentence} Playing the demo instead.", "warning")]
        return [Notice("source", event.sentence)]

    def _ended(self, event: Ended) -> list[object]:
        if event.source is not self._source:
            return []
        message = event.source.status().message
        self.running = False
        self.note = "ended"
        release(self._source)
        self._source = None
        return [Notice("source", message, "warning")] if message and message != self._remark else []

    def _watch_source(self) -> list[object]:
        if self._source is None or not self.running:
            return []
        status = self._source.status()
        if status.state is not SourceState.STALLED:
            self._stalled_since = None
        if status.state is self._state:
            if status.state is SourceState.RUNNING and status.message != self._remark:
                self._remark = status.message
                return [Notice("remark", status.message, "warning")]
            return []
        if status.state is SourceState.STALLED:
            now = time.monotonic()
            if self._stalled_since is None:
                self._stalled_since = now
            if now - self._stalled_since < STALL_SHOWN:
                return []
        self._state = status.state
        if status.state in _TROUBLE:
            note, lamp, sentence = _TROUBLE[status.state]
            self.note = note
            text = status.message or sentence.format(name=self.choice.label)
            return [Notice("device", text, "warning" if lamp == "warn" else "error")]
        self.note = ""
        return [Notice("device", "")]


def release(source: Source | None) -> threading.Thread | None:
    """Stop a source in a thread of its own: with a frozen sound server that may never return."""
    return in_thread("kwscope-stop", source.stop) if source is not None else None


def in_thread(name: str, work: Callable[[], object]) -> threading.Thread:
    """Start a thread that does not keep the program alive."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread

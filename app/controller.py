"""Between window and engine thread: opens sources and networks in threads, keeps the old until the new works.

Called by the GUI thread only; nothing here waits, except ``close``, which waits at most ``CLOSE_DEADLINE``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app import networks
from app.feed import HELD, Mark
from app.history_feed import HistoryFeed
from app.sources import DEMO, Choice
from app.statusbar import Health
from app.worker import Attached, Detected, Ended, Notice, Worker
from kwscore.audio.devices import InputDevice
from kwscore.audio.level import judge_level
from kwscore.audio.source import Source, SourceState
from kwscore.errors import KWScopeError
from kwscore.stream.detection import DetectionSettings
from kwscore.stream.telemetry import Engine

OPEN_DEADLINE = 6.0  # s
FIRST_SOUND = 2.0  # s that a device may take before it delivers
CLOSE_DEADLINE = 1.5  # s
STALL_SHOWN = 1.0  # s of stall before it is announced: a loaded machine stalls for less
log = logging.getLogger(__name__)

__all__ = ["Controller", "Detected", "DevicesFound", "NetworkTried", "Notice", "Risen"]

_TROUBLE = {
    SourceState.STALLED: ("no sound", "warn", "{name} delivers no sound at the moment; waiting for it to go on."),
    SourceState.LOST: ("lost", "bad", "{name} is gone; trying to open it again every second."),
}


@dataclass(frozen=True, slots=True)
class DevicesFound:
    devices: Sequence[InputDevice]
    notice: str


@dataclass(frozen=True, slots=True)
class Risen:
    """The word reported at ``column`` has meanwhile reached a higher ``score``."""

    column: float
    score: float


@dataclass(frozen=True, slots=True)
class NetworkTried:
    """A network by name or path (empty: the standard one) was loaded, or could not be."""

    name: str
    loaded: bool


@dataclass(frozen=True, slots=True)
class _Opened:
    token: int
    choice: Choice
    source: Source


@dataclass(frozen=True, slots=True)
class _NotOpened:
    token: int
    choice: Choice
    sentence: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    token: int
    name: str
    engine: Engine
    training_level: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class _NotLoaded:
    token: int
    name: str
    sentence: str


class Controller:
    """State of the instrument as the window sees it. ``build_source`` and ``load_engine`` are injected by tests."""

    def __init__(
        self,
        choice: Choice = DEMO,
        network: str = "",
        detection: DetectionSettings | None = None,
        *,
        fall_back: bool = False,
        build_source: Callable[[Choice], Source] = Choice.build,
        load_engine: Callable[[str, Callable[[str], None]], tuple[Engine, tuple[float, float] | None]] | None = None,
    ) -> None:
        self.choice = choice
        self.network_choice = network
        self.network_name = network
        self.network_hash = ""
        self.detection = detection or DetectionSettings()
        self.feed = HistoryFeed()
        self.feed.settings = self.detection
        self.running = False
        self.source_note = ""
        self.worker = Worker()
        self.worker.settings = self.detection
        self._fall_back = fall_back
        self._build_source = build_source
        self._load_engine = load_engine or networks.load_engine
        self._source: Source | None = None
        self._engine: Engine | None = None
        self._token = 0
        self._network_token = 0
        self._opening: tuple[int, Choice, float] | None = None  # token, choice, since
        self._postponed: Choice | None = None  # opened as soon as there is an engine
        self._loading = False
        self._fell_back = False  # the network that is being loaded stands in for one that failed
        self._stalled_since: float | None = None
        self._remark = ""  # what the running source has to say
        self._searching = False
        self._state = SourceState.IDLE
        self._closed = False
        self.worker.start()

    # -- what the user wants ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen to the chosen source with the chosen network, loading it first where needed."""
        self._open_with_engine(self.choice)

    def stop(self) -> None:
        """Close the source; what was heard stays on the display."""
        self._token += 1
        self._opening = self._postponed = None
        self.source_note = ""
        self.running = False
        self.worker.post(lambda: self.worker.use_source(None))
        self._release(self._source)
        self._source = None

    def reset(self) -> None:
        """Network, plots and clock start anew."""
        if self.running:
            self.worker.post(self.worker.begin_anew)
        else:
            self.feed.attach(None, None, 0, self.feed.expert_names)

    def set_source(self, choice: Choice) -> None:
        """Open another source; the present one is heard until the new one delivers."""
        if choice.kind == "mic" and choice == self.choice and self.running and self._state is SourceState.RUNNING:
            return  # already heard, and some devices cannot be opened twice
        self._open_with_engine(choice)

    def set_network(self, name: str) -> None:
        """Load another network by name or path (empty: the standard one); the present one goes on meanwhile.

        Where there is none yet and this one fails, the standard one is loaded instead.
        """
        self._fell_back = False
        self._load(name)

    def _load(self, name: str) -> None:
        self._network_token += 1
        self._loading = True
        token, load = self._network_token, self._load_engine
        events = self.worker.events

        def work() -> None:
            try:

                def progress(sentence: str) -> None:
                    events.append(Notice("compile", sentence, "info"))

                engine, level = load(name, progress)
                events.append(_Loaded(token, name, engine, level))
            except KWScopeError as error:
                events.append(_NotLoaded(token, name, str(error)))
            except Exception as error:
                log.exception("loading the network")
                events.append(
                    _NotLoaded(token, name, f"{name or 'The network'} cannot be loaded ({error}): choose another one.")
                )

        _thread("kwscope-load", work)

    def set_detection(self, settings: DetectionSettings) -> None:
        """Effective with the next frame."""
        self.detection = self.feed.settings = settings
        self.worker.post(lambda: self.worker.use_settings(settings))

    def find_devices(self, again: bool = False) -> None:
        """List microphones; ``again`` asks the sound system anew: a running microphone is closed and reopened."""
        if self._searching:
            return
        self._searching = True
        events = self.worker.events
        reopen = again and self.running and self.choice.kind == "mic"
        held = self._source if reopen else None
        if reopen:
            self.stop()

        def work() -> None:
            from kwscore.audio.devices import list_devices, rescan

            devices: Sequence[InputDevice] = ()
            try:
                if held is not None:
                    held.stop()
                devices = rescan() if again else list_devices()
                notice = "" if devices else "No microphone was found"
            except KWScopeError as error:
                notice = str(error)
            events.append(_Searched(DevicesFound(devices, notice), reopen))

        _thread("kwscope-devices", work)

    def networks(self) -> list[str]:
        """Names of the networks that come with KWScope."""
        return networks.names()

    # -- what the window asks ---------------------------------------------------------------------------------

    def poll(self) -> list[object]:
        """What happened since the last call, in order: any of the classes in ``__all__`` but this one."""
        found: list[object] = []
        events = self.worker.events
        while events:
            found += self._take(events.popleft())
        if self._opening is not None and time.monotonic() - self._opening[2] > OPEN_DEADLINE:
            token, choice, _ = self._opening
            sentence = f"{choice.label} did not open within {OPEN_DEADLINE:.0f} s: choose another source."
            found += self._take(_NotOpened(token, choice, sentence))
        found += self._watch_source()
        found += [Risen(mark.column, mark.score) for mark in self.feed.follow()]
        return found

    @property
    def waiting(self) -> str:
        """What a display without data is waiting for; empty when it is for the user."""
        if not self.running and self._opening is None and self._postponed is None:
            return ""
        if self._loading:
            return "Loading the network…"
        return "Waiting for the first sound…"

    def caption(self, end: int) -> str:
        return self.feed.caption(end)

    def health(self) -> Health:
        """For the status bar."""
        status = self._source.status() if self._source is not None else None
        runner = self.worker.runner
        figures = runner.statistics() if runner is not None else None
        measured = figures is not None and figures.frames > 0
        history = self.worker.history
        recent = history.view(None, HELD).level.tolist() if history is not None and self.running else []
        level, level_word = judge_level(recent, self.feed.training_level) if recent else (None, "")
        state, words = self._in_words()
        rate = f" · {status.native_rate / 1000:g} kHz" if status is not None and self.running else ""
        return Health(
            source=words + rate,
            state=state,
            hop_median=figures.hop_us if measured and figures else None,
            hop_p99=figures.hop_p99_us if measured and figures else None,
            load=figures.load if measured and figures else None,
            dropped=status.dropped if status else 0,
            overflows=status.overflows if status else 0,
            level=level,
            level_word=level_word,
            network=f"{self.network_name} · {self.network_hash}" if self.network_hash else "",
            notice="loading network…" if self._loading else "",
        )

    def close(self) -> None:
        """Stop everything; returns within about ``CLOSE_DEADLINE`` whatever devices and engines do."""
        if self._closed:
            return
        self._closed = True
        self._token += 1
        self._network_token += 1
        ends = time.monotonic() + CLOSE_DEADLINE
        self.worker.leave()
        closing = self._release(self._source)
        self._source = None
        self.worker.join(max(0.0, ends - time.monotonic()))
        if closing is not None:
            closing.join(max(0.0, ends - time.monotonic()))

    # -- inside -----------------------------------------------------------------------------------------------

    def _open_with_engine(self, choice: Choice) -> None:
        """Open a source, after the network where there is none yet: sound that nobody takes would pile up."""
        if self._engine is not None:
            self._open(choice)
            return
        self.choice = self._postponed = choice
        self.source_note = "waiting for the network"
        if not self._loading:
            self.set_network(self.network_choice)

    def _open(self, choice: Choice) -> None:
        self._token += 1
        token, build, events = self._token, self._build_source, self.worker.events
        self._opening = (token, choice, time.monotonic())
        self.source_note = "opening…"
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
                events.append(_Opened(token, choice, source))
            except KWScopeError as error:
                events.append(_NotOpened(token, choice, str(error)))
            except Exception as error:
                log.exception("opening %s", choice)
                events.append(
                    _NotOpened(token, choice, f"{choice.label} cannot be opened ({error}): choose another source.")
                )

        _thread("kwscope-open", work)

    def _take(self, event: object) -> list[object]:
        """Follow up on one event; return what the window should know."""
        if isinstance(event, Attached):
            self.feed.attach(event.history, event.source, event.base, event.engine.expert_names)
            return []
        if isinstance(event, Detected):
            self.feed.marks.append(Mark(event.start_column, event.column, event.word, event.score))
            return [event]
        if isinstance(event, _Opened):
            return self._opened(event)
        if isinstance(event, _NotOpened):
            return self._not_opened(event)
        if isinstance(event, _Loaded):
            return self._loaded(event)
        if isinstance(event, _NotLoaded):
            return self._not_loaded(event)
        if isinstance(event, _Searched):
            self._searching = False
            if event.reopen:
                self._open_with_engine(self.choice)
            return [event.found]
        if isinstance(event, Ended):
            return self._ended(event)
        return [event]

    def _opened(self, event: _Opened) -> list[object]:
        if event.token != self._token:
            self._release(event.source)  # no longer wanted
            return []
        old, self._source = self._source, event.source
        self.choice, self._opening, self.source_note = event.choice, None, ""
        self.running = True
        self._state = SourceState.RUNNING
        self._stalled_since = None
        said = [Notice(key, "") for key in ("source", "remark") if key == "source" or self._remark]
        self._remark = ""
        self._fall_back = False
        self.worker.post(lambda: self.worker.use_source(event.source))
        self._release(old)
        return [*said]

    def _not_opened(self, event: _NotOpened) -> list[object]:
        if event.token != self._token:
            return []
        self._token += 1  # should it open after all, it is closed again
        self._opening, self.source_note = None, ""
        if self._fall_back and event.choice != DEMO:
            self._fall_back = False
            self._open(DEMO)
            return [Notice("fall-back", f"{event.sentence} Playing the demo instead.", "warning")]
        return [Notice("source", event.sentence)]

    def _loaded(self, event: _Loaded) -> list[object]:
        if event.token != self._network_token:
            return []
        engine = self._engine = event.engine
        self._loading = False
        self.network_choice, self.network_name, self.network_hash = event.name, engine.name, engine.model_hash
        self.feed.training_level = event.training_level
        self.worker.post(lambda: self.worker.use_engine(engine))
        said: list[object] = [Notice("compile", ""), NetworkTried(event.name, True)]
        if not self._fell_back:
            said.append(Notice("network", ""))
        self._fell_back = False
        if self._postponed is not None:
            choice, self._postponed = self._postponed, None
            self._open(choice)
        return said

    def _not_loaded(self, event: _NotLoaded) -> list[object]:
        if event.token != self._network_token:
            return []
        self._loading = False
        said: list[object] = [Notice("compile", ""), NetworkTried(event.name, False)]
        sentence = event.sentence
        if self._engine is None and event.name:
            sentence = f"{sentence} The standard network is used instead."
            self.network_choice = self.network_name = ""
            self._fell_back = True
            self._load("")
        elif self._engine is None:
            self._postponed, self.source_note = None, ""
        # with the first failure still shown, the second one gets a line of its own
        key = "standard-network" if self._fell_back and not event.name else "network"
        return [*said, Notice(key, sentence)]

    def _ended(self, event: Ended) -> list[object]:
        if event.source is not self._source:
            return []
        message = event.source.status().message
        self.running = False
        self.source_note = "ended"
        self._release(self._source)
        self._source = None
        return [Notice("source", message, "warning")] if message and message != self._remark else []

    def _watch_source(self) -> list[object]:
        """Trouble of a running source, and its end, as sentences."""
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
            self.source_note = note
            text = status.message or sentence.format(name=self.choice.label)
            return [Notice("device", text, "warning" if lamp == "warn" else "error")]
        self.source_note = ""
        return [Notice("device", "")]

    def _in_words(self) -> tuple[str, str]:
        if self._opening is not None and not self.running:
            return "idle", "opening…"
        if not self.running:
            return "idle", self.source_note or "stopped"
        if self._state in _TROUBLE:
            note, lamp, _ = _TROUBLE[self._state]
            return lamp, note
        return "good", "listening" if self.choice.kind == "mic" else "playing"

    def _release(self, source: Source | None) -> threading.Thread | None:
        """Stop a source in a thread of its own: with a frozen sound server that may never return."""
        return _thread("kwscope-stop", source.stop) if source is not None else None


@dataclass(frozen=True, slots=True)
class _Searched:
    found: DevicesFound
    reopen: bool


def _thread(name: str, work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread

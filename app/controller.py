"""Between window and engine thread: what the user wants, and what the window may ask.

Called by the GUI thread only; nothing here waits, except ``close``, which waits at most ``CLOSE_DEADLINE``. Sources are
``app.listening``'s business, boards ``app.boards``'; networks and engines are loaded here, in threads, while the
present ones go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from app import networks
from app.boards import Boards, OpenBoard, open_board
from app.calibration import Calibration
from app.engines import EngineChoice, EngineSet, Kind, Workshop, called
from app.events import DevicesFound, EnginesTried, NetworkTried, Risen, Searched
from app.feed import HELD, Mark
from app.history_feed import HistoryFeed
from app.listening import Listening, in_thread
from app.loading import Floating, Loaded, LoadEngine, Loading, NotLoaded, Progress
from app.noise import Noise
from app.sources import DEMO, Choice
from app.statusbar import Health
from app.worker import Attached, Compared, Detected, Notice, Worker
from kwscore.audio.devices import InputDevice
from kwscore.audio.level import judge_level
from kwscore.audio.monitor import Monitor
from kwscore.audio.source import Source
from kwscore.errors import KWScopeError
from kwscore.stream.deferred import DeferredEngine
from kwscore.stream.detection import DetectionSettings
from kwscore.stream.runner import Batch
from kwscore.stream.telemetry import Engine

if TYPE_CHECKING:
    from kwscore.audio.mixing import StreamingMixer

CLOSE_DEADLINE = 1.5  # s

__all__ = ["Compared", "Controller", "Detected", "DevicesFound", "EnginesTried", "NetworkTried", "Notice", "Risen"]


class Controller:
    """State of the instrument as the window sees it. The keyword arguments after ``fall_back`` are for tests."""

    def __init__(
        self,
        choice: Choice = DEMO,
        network: str = "",
        detection: DetectionSettings | None = None,
        *,
        fall_back: bool = False,
        engines: EngineChoice | None = None,
        build_source: Callable[[Choice], Source] = Choice.build,
        load_engine: LoadEngine | None = None,
        load_integer: Callable[[str, Progress], Engine] | None = None,
        open_board: OpenBoard = open_board,
        monitor: Monitor | None = None,
    ) -> None:
        self.network_choice = network
        self.network_name = network
        self.network_hash = ""
        self.engine_choice = engines or EngineChoice()
        """What runs, or was wanted first; ``EnginesTried`` tells of changes."""
        self.detection = detection or DetectionSettings()
        self.feed = HistoryFeed()
        self.feed.settings = self.detection
        self.worker = Worker()
        self.worker.settings = self.detection
        self.boards = Boards(open_board)
        self.noise = Noise(self.worker.events, self.set_mixer, self.listen_in, monitor)
        self.calibration = Calibration(self.worker, self.listen_in, self.noise.speech)
        self._listening = Listening(choice, self.worker.events, self._hear, build_source, fall_back)
        load = self._load_engine = load_engine or networks.load_engine
        workshop = Workshop(lambda name, say: load(name, say)[0], load_integer or networks.load_integer, self.boards)
        self._loading = Loading(self.worker.events, load, workshop)
        self._engines: EngineSet | None = None
        self._first: Floating | None = None
        self._fell_back = False  # the network that is being loaded stands in for one that failed
        self._searching = False
        self._closed = False
        self.worker.start()

    # -- what the user wants ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen to the chosen source with the chosen network, loading it first where needed."""
        self._open_with_engine(self.choice)

    def stop(self) -> None:
        """Close the source; what was heard stays on the display."""
        self._listening.stop()

    def reset(self) -> None:
        """Network, plots and clock start anew."""
        if self.running:
            self.worker.post(self.worker.begin_anew)
        else:
            self.feed.attach(None, None, 0, self.feed.expert_names)

    def set_source(self, choice: Choice) -> None:
        """Open another source; the present one is heard until the new one delivers."""
        if choice.kind == "mic" and choice == self.choice and self._listening.well:
            return  # already heard, and some devices cannot be opened twice
        self._open_with_engine(choice)

    def set_network(self, name: str) -> None:
        """Load another network by name or path (empty: the standard one); the present one goes on meanwhile.

        Where there is none yet and this one fails, the standard one is loaded instead.
        """
        self._fell_back = False
        self._loading.start(name, self.engine_choice, None, self._engines is None)

    def set_engines(self, choice: EngineChoice) -> None:
        """Compute with other engines; the present ones go on until these are ready. ``EnginesTried`` tells the end."""
        if self._engines is None and not self._loading.what:
            self.engine_choice = choice  # nothing runs yet: they are made with the network
        else:
            self._loading.start(self.network_choice, choice, self._first, False)

    def count_anew(self) -> None:
        """Forget the figures of the comparison; what is drawn stays."""
        if self.feed.comparison is not None:
            self.feed.comparison.count_anew()

    def set_detection(self, settings: DetectionSettings) -> None:
        """Effective with the next frame."""
        self.detection = self.feed.settings = settings
        self.worker.post(lambda: self.worker.use_settings(settings))

    def set_mixer(self, mixer: StreamingMixer | None) -> None:
        """Mix noise in from the next sample on; it stays over sources and resets."""
        self.worker.post(lambda: self.worker.use_mixer(mixer))

    def listen_in(self, listener: Callable[[Batch], None], on: bool = True) -> None:
        """Give every batch to ``listener``, in the engine thread, or no longer."""
        others = tuple(other for other in self.worker.listeners if other != listener)
        self.worker.listeners = (*others, listener) if on else others

    def find_devices(self, again: bool = False) -> None:
        """List microphones; ``again`` asks the sound system anew: a running microphone is closed and reopened."""
        if self._searching:
            return
        self._searching = True
        events = self.worker.events
        reopen = again and self.running and self.choice.kind == "mic"
        held = self._listening.stop() if reopen else None

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
            events.append(Searched(DevicesFound(devices, notice), reopen))

        in_thread("kwscope-devices", work)

    def load_spare(self) -> Engine:
        """A float engine of the present network, calibrated as it is now, for one's own use. Takes a while, so call it
        in a worker.

        Raises KWScopeError.
        """
        spare = self._load_engine(self.network_choice, lambda _: None)[0]
        self.calibration.dress(spare)
        return spare

    def networks(self) -> list[str]:
        """Names of the networks that come with KWScope."""
        return networks.names()

    # -- what the window asks ---------------------------------------------------------------------------------

    @property
    def choice(self) -> Choice:
        """What is heard, or would be."""
        return self._listening.choice

    @property
    def running(self) -> bool:
        """Whether a source is open."""
        return self._listening.running

    @property
    def source_note(self) -> str:
        """A word about the source: "opening…", "ended", "lost"; empty while all is well."""
        return self._listening.note

    @property
    def engines(self) -> EngineSet | None:
        """What computes; None until a network is loaded."""
        return self._engines

    def poll(self) -> list[object]:
        """What happened since the last call, in order: any of the classes in ``__all__`` but this one."""
        found: list[object] = []
        events = self.worker.events
        while events:
            found += self._take(events.popleft())
        found += self._listening.watch()
        found += [Risen(mark.column, mark.score) for mark in self.feed.follow()]
        return found

    @property
    def waiting(self) -> str:
        """What a display without data is waiting for; empty when it is for the user."""
        if not self._listening.busy:
            return ""
        return "Loading the network…" if self._engines is None else "Waiting for the first sound…"

    def caption(self, end: int) -> str:
        """What the playlist plays at column ``end``."""
        return self.feed.caption(end)

    def health(self) -> Health:
        """For the status bar."""
        status = self._listening.status()
        runner = self.worker.runner
        figures = runner.statistics() if runner is not None else None
        measured = figures is not None and figures.frames > 0
        history = self.worker.history
        recent = history.view(None, HELD).level.tolist() if history is not None and self.running else []
        level, level_word = judge_level(recent, self.feed.training_level) if recent else (None, "")
        state, words = self._listening.in_words()
        board = self.boards.status()
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
            notice=f"loading {self._loading.what}…" if self._loading.what else "",
            board=f"{called(Kind.BOARD, board.port)} {board.port}: {board.words}" if board.port else "",
            board_state=board.lamp,
            calibration=self.calibration.words[0],
            calibration_link=self.calibration.words[1],
        )

    def close(self, others: Iterable[threading.Thread | None] = ()) -> None:
        """Stop everything; returns within about ``CLOSE_DEADLINE`` whatever devices and engines do. ``others``: threads
        that are to be waited for as well."""
        if self._closed:
            return
        self._closed = True
        self._loading.forget()
        ends = time.monotonic() + CLOSE_DEADLINE
        self.worker.leave()
        closing = [
            *others,
            self._listening.close(),
            in_thread("kwscope-monitor", self.noise.close),
            in_thread("kwscope-board", lambda: self.boards.close(for_good=True)),
        ]
        self._retire(self._engines, None)
        self.worker.join(max(0.0, ends - time.monotonic()))
        for thread in closing:
            if thread is not None:
                thread.join(max(0.0, ends - time.monotonic()))

    # -- inside -----------------------------------------------------------------------------------------------

    def _hear(self, source: Source | None) -> None:
        if source is not None:
            self.calibration.source_is(self.choice)
        self.worker.post(lambda: self.worker.use_source(source))

    def _open_with_engine(self, choice: Choice) -> None:
        """Open a source, after the network where there is none yet: sound that nobody takes would pile up."""
        if self._engines is not None:
            self._listening.open(choice)
            return
        self._listening.postpone(choice)
        if not self._loading.what:
            self.set_network(self.network_choice)

    def _take(self, event: object) -> list[object]:
        """Follow up on one event; return what the window should know."""
        for part in (self._listening, self.noise, self.calibration):
            said = part.take(event)
            if said is not None:
                return said
        if isinstance(event, Attached):
            self.feed.attach(event.history, event.source, event.base, event.engine.expert_names)
            return []
        if isinstance(event, Compared):
            self.feed.compare(event.comparison)
            return [event]
        if isinstance(event, Detected):
            self.feed.marks.append(Mark(event.start_column, event.column, event.word, event.score))
            return [event]
        if isinstance(event, Loaded):
            return self._loaded(event)
        if isinstance(event, NotLoaded):
            return self._not_loaded(event)
        if isinstance(event, Searched):
            self._searching = False
            if event.reopen:
                self._open_with_engine(self.choice)
            return [event.found]
        return [event]

    def _loaded(self, event: Loaded) -> list[object]:
        if not self._loading.done(event.token, event.more):
            self._retire(event.engines, self._engines)
            return []
        another = event.fresh
        self._first = event.first
        said: list[object] = [] if event.more else [Notice("compile", "")]
        if event.engines is None:
            said += [Notice("engines", event.sentence), EnginesTried(event.choice, event.sentence)]
        else:
            said += [Notice("engines", ""), EnginesTried(event.choice)]
        if event.engines is not None or another:  # a new network runs in any case, in floating point if need be
            self._use(event.engines or EngineSet(EngineChoice(port=event.choice.port), event.first.engine), event.first)
        if another:
            said.append(NetworkTried(event.first.name, True))
            if not self._fell_back:
                said.append(Notice("network", ""))
        self._fell_back = False
        if self._listening.postponed is not None:
            choice, self._listening.postponed = self._listening.postponed, None
            self._listening.open(choice)
        return said

    def _use(self, engines: EngineSet, first: Floating) -> None:
        self.noise.prepare()  # which takes the interpreter's time, so not before there is a network
        old, self._engines = self._engines, engines
        self.engine_choice = engines.choice
        self.network_choice = first.name
        self.network_name, self.network_hash = first.engine.name, first.engine.model_hash
        self.feed.training_level = first.training_level
        set_up = self.calibration.engines_are(engines, first.engine)

        def work() -> None:
            set_up()
            self.worker.use_engines(engines)

        self.worker.post(work)
        self.worker.post(lambda: self._retire(old, engines))

    def _retire(self, old: EngineSet | None, new: EngineSet | None) -> None:
        """End the threads of engines that nobody uses any more; the board stays connected for the next time."""
        kept = [each for each in (new.engine, new.reference) if each is not None] if new is not None else []
        for each in (old.engine, old.reference) if old is not None else ():
            on_board = isinstance(each, DeferredEngine) and each.engine is self.boards.running
            if isinstance(each, DeferredEngine) and not on_board and each not in kept:
                in_thread("kwscope-retire", each.close)

    def _not_loaded(self, event: NotLoaded) -> list[object]:
        if not self._loading.done(event.token):
            return []
        said: list[object] = [Notice("compile", ""), NetworkTried(event.name, False)]
        sentence = event.sentence
        if self._engines is None and event.name:
            sentence = f"{sentence} The standard network is used instead."
            self.network_choice = self.network_name = ""
            self._fell_back = True
            self._loading.start("", self.engine_choice, None, True)
        elif self._engines is None:
            self._listening.give_up_waiting()
        # with the first failure still shown, the second one gets a line of its own
        key = "standard-network" if self._fell_back and not event.name else "network"
        return [*said, Notice(key, sentence)]

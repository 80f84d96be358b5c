"""Records what a runner delivers. Everything slow happens in a thread of its own; the engine thread only hands over."""

from __future__ import annotations

import errno
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import HOP, LABELS, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.session.codec import DETAILS, Frames, flac, pack_arrays, pack_frames, pack_json
from kwscore.session.container import AUDIO, END, EVENT, FRAMES, HEAD, NOTE, STATE, TICK, ChunkWriter
from kwscore.session.facts import versions
from kwscore.session.notes import Note
from kwscore.session.places import free_bytes
from kwscore.session.spans import Spans
from kwscore.session.tap import Entry, Heard, Moment, PreRoll, Remembered, Tap
from kwscore.stream.runner import Batch, Runner

FORMAT = 1
CHUNK = SAMPLE_RATE
"""Samples that stand in one chunk: a crash loses no more than about this second."""
FLUSH_SECONDS = 1.0
SYNC_SECONDS = 5.0
TICK_EVERY = 10 * SAMPLE_RATE
BACKLOG = 60 * SAMPLE_RATE
"""Samples that may wait for a slow disk before the recording ends."""
HELD_BACK = 2 * SAMPLE_RATE
"""Samples that may wait where the engine waits for the disk."""
RESERVE = 200_000_000
"""Bytes that a recording leaves free on the disk."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """``samples`` recorded, of which ``written`` are on the disk; ``size`` of the file in bytes; ``message``: why the
    recording ended by itself, one sentence, else empty; ``notice``: what it no longer does although it goes on."""

    samples: int
    written: int
    size: int
    message: str
    notice: str


class Recorder:
    """One recording into a new file ``path``.

    ``start`` and ``feed`` belong to the engine thread and never wait, unless ``patient`` (for sources that can wait
    for the disk); ``note``, ``progress`` and ``stop`` may be called from any thread. ``detail``: "full", or "brief"
    without mel, SNR, routing and the like (``codec.DETAILS``). ``spans``: keep only what lies around words. ``limit``:
    bytes that the file may take; a recording of spans then goes on counting words, any other ends. ``reserve``: bytes
    to leave free on the disk. ``about``: further plain values for the header. ``listener`` is given everything, kept
    or not, in the writing thread.

    Raises KWScopeError where the file cannot be made.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        detail: str = "full",
        spans: Spans | None = None,
        limit: int | None = None,
        reserve: int = RESERVE,
        patient: bool = False,
        about: dict[str, Any] | None = None,
        listener: Callable[[Heard | Entry | Remembered], None] | None = None,
        open_writer: Callable[[Path], ChunkWriter] = ChunkWriter,
    ) -> None:
        if detail not in DETAILS:
            raise KWScopeError(f"There is no detail {detail!r} of recordings: choose one of {', '.join(DETAILS)}.")
        self.path = Path(path)
        self._detail, self._spans, self._limit, self._reserve = detail, spans, limit, reserve
        self._patient, self._about, self._listener = patient, about or {}, listener
        try:
            if free_bytes(self.path.parent) < reserve:
                raise KWScopeError(
                    f"The disk of {self.path.parent} has less than {reserve / 1e6:.0f} MB left: make room, or choose "
                    "another folder for recordings."
                )
            self._writer = open_writer(self.path)
        except FileExistsError:
            raise KWScopeError(f"{self.path} exists already: give another name.") from None
        except OSError as error:
            raise KWScopeError(
                f"{self.path} cannot be written ({error.strerror or error}): choose another folder."
            ) from error
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._tap = Tap(self._queue.put)
        self._room = threading.Condition()
        self._taken = 0  # samples that the writing thread has taken from the queue
        self._written = 0
        self._rows = self._events = self._ticked = 0
        self._message = ""
        self._over = threading.Event()
        self._notice = ""  # the limit of a recording of spans is reached
        self._last: Moment | None = None
        self._audio: list[NDArray[np.int16]] = []
        self._audio_at = self._audio_end = 0
        self._frames: list[Heard] = []
        self._thread = threading.Thread(target=self._work, name="kwscope-record", daemon=True)

    # -- engine thread ----------------------------------------------------------------------------------------

    def start(self, pre_roll: PreRoll | None = None) -> None:
        """Begin with the next batch, or with those before it that ``pre_roll`` has heard."""
        state, moments = pre_roll.take() if pre_roll is not None else (None, [])
        before = sum(len(moment.batch.samples) for moment in moments)
        began = datetime.now(UTC) - timedelta(seconds=before / SAMPLE_RATE)
        self._queue.put(Entry(HEAD, 0, self._header(began, before)))
        self._thread.start()
        self._tap.begin(state, moments)

    def feed(self, batch: Batch, runner: Runner) -> None:
        """Right after the step that delivered ``batch``. Does nothing once the recording has ended."""
        if self._over.is_set():
            return
        self._last = Moment.of(batch, runner)
        self._tap.take(self._last, live=True)
        waiting = self._tap.position - self._taken
        if self._patient:
            with self._room:
                self._room.wait_for(lambda: self._over.is_set() or self._tap.position - self._taken < HELD_BACK)
        elif waiting > BACKLOG:
            self._end(f"The disk is too slow: the recording {self.path} ended.")

    # -- any thread -------------------------------------------------------------------------------------------

    def note(self, text: str = "", position: int | None = None) -> Note:
        """Mark session sample ``position`` (None: now) with a note, or a pin where ``text`` is empty."""
        mark = Note(self._tap.position if position is None else max(position, 0), text)
        self.put_note(mark)
        return mark

    def put_note(self, mark: Note) -> None:
        """Add a note, or change or delete the one with its id."""
        self._queue.put(Entry(NOTE, mark.position, mark.to_dict()))

    @property
    def recording(self) -> bool:
        """False once it has ended, by ``stop`` or by itself."""
        return not self._over.is_set()

    @property
    def position(self) -> int:
        """Session samples so far."""
        return self._tap.position

    @property
    def offset(self) -> int:
        """Add it to a position on the present runner's clock to get the session's."""
        return self._tap.offset

    def progress(self) -> Progress:
        """Figures to show."""
        return Progress(self._tap.position, self._written, self._writer.size, self._message, self._notice)

    def stop(self, timeout: float = 10.0) -> Progress:
        """End in order: write what waits, then the end. Waits at most ``timeout`` seconds for it."""
        if self._thread.ident is None:
            self._queue.put(Entry(HEAD, 0, self._header(datetime.now(UTC), 0)))
            self._thread.start()
        self._queue.put(None)
        self._thread.join(timeout)
        self._over.set()
        return self.progress()

    # -- writing thread ---------------------------------------------------------------------------------------

    def _header(self, began: datetime, before: int) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "began": began.isoformat(timespec="milliseconds"),
            "sample_rate": SAMPLE_RATE,
            "hop": HOP,
            "window": WINDOW,
            "labels": list(LABELS),
            "detail": self._detail,
            "pre_roll": before,
            "spans": {"floor": self._spans.floor, "around": self._spans.around} if self._spans else None,
            **self._about,
        }

    def _work(self) -> None:
        synced = flushed = time.monotonic()
        try:
            while True:
                try:
                    item = self._queue.get(timeout=FLUSH_SECONDS)
                except queue.Empty:
                    item = ()
                if item is None:
                    break
                self._take(item)
                now = time.monotonic()
                if now - flushed >= FLUSH_SECONDS:
                    self._flush()
                    self._guard()
                    flushed = now
                if now - synced >= SYNC_SECONDS:
                    self._writer.sync()
                    synced = now
                if self._message:
                    break
            self._flush()
        except OSError as error:
            self._end(self._sentence(error))
        except Exception as error:
            log.exception("recording")
            self._end(f"The recording {self.path} ended ({error or type(error).__name__}): start another one.")
        self._finish()

    def _take(self, item: Any) -> None:
        if self._listener is not None and item != ():
            self._listener(item)
        if isinstance(item, Heard):
            kept: Iterable[Heard] = (item,)
            if self._spans is not None:
                kept = () if self._notice else self._spans.take(item)
            for event in item.events:  # before their sound, so that sound never lacks its words
                self._events += 1
                self._writer.append(EVENT, event.decided, 1, pack_json(asdict(event)))
            for part in kept:
                self._collect(part)
            with self._room:
                self._taken = item.position + len(item.samples)
                self._room.notify_all()
            if self._spans is not None and self._taken - self._ticked >= TICK_EVERY:
                self._ticked = self._taken
                self._writer.append(TICK, self._taken, 0, b"")
        elif isinstance(item, Entry):
            value = {**item.value, "versions": versions()} if item.kind == HEAD else item.value
            self._writer.append(item.kind, item.position, 1, pack_json(value))
        elif isinstance(item, Remembered):
            self._writer.append(STATE, item.position, 1, pack_arrays({"origin": np.array(item.origin), **item.arrays}))

    def _collect(self, heard: Heard) -> None:
        if self._audio and heard.position != self._audio_end:
            self._flush()
        if not self._audio:
            self._audio_at = heard.position
        self._audio.append(heard.samples)
        self._audio_end = heard.position + len(heard.samples)
        if heard.telemetry:
            self._frames.append(heard)
        if self._audio_end - self._audio_at >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        """Write what was collected; frames after the audio they were computed from."""
        if self._audio:
            samples = np.concatenate(self._audio)
            self._audio = []
            for at in range(0, len(samples), 10 * CHUNK):
                part = samples[at : at + 10 * CHUNK]
                self._writer.append(AUDIO, self._audio_at + at, len(part), flac(part))
            self._written = self._audio_end
        waiting, self._frames = self._frames, []
        parts = [Frames.of(heard.telemetry, heard.posteriors, heard.origin, heard.stood_in) for heard in waiting]
        if self._detail == "brief":
            parts = [part.brief() for part in parts]
        while parts:
            count = next((i for i, part in enumerate(parts) if not part.fits(parts[0])), len(parts))
            block = Frames.joined(parts[:count])
            self._writer.append(FRAMES, self._rows, len(block), pack_frames(block))
            self._rows += len(block)
            del parts[:count]
        self._keep_limit()

    def _keep_limit(self) -> None:
        if self._limit is not None and self._writer.size >= self._limit and not self._notice:
            room = f"{self._limit / 1e6:.0f} MB"
            if self._spans is None:
                self._end(f"The recording {self.path} ended: it has reached its limit of {room}.")
            else:
                self._notice = f"{self.path} has reached its limit of {room}: words are counted, no sound is kept."

    def _guard(self) -> None:
        """End before the disk's end is reached."""
        if free_bytes(self.path.parent) < self._reserve:
            self._end(
                f"The disk is almost full: the recording ended after {self._length()}, and {self.path} keeps it; make "
                "room before the next one."
            )

    def _sentence(self, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return (
                f"The disk is full: the recording ended after {self._length()}, and {self.path} keeps it; make room "
                "before the next one."
            )
        return f"{self.path} cannot be written any more ({error.strerror or error}): the recording ended."

    @property
    def _heard(self) -> int:
        """Samples that the file tells of."""
        return self._taken if self._spans is not None else self._written

    def _length(self) -> str:
        return f"{self._heard / SAMPLE_RATE:.0f} s"

    def _end(self, sentence: str) -> None:
        if not self._message:
            self._message = sentence
        self._over.set()
        with self._room:
            self._room.notify_all()

    def _finish(self) -> None:
        """The end record; on a full disk the newest chunks make room for it."""
        self._over.set()
        samples = self._heard
        while True:
            value = {
                "samples": samples,
                "rows": self._rows,
                "events": self._events,
                "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "reason": self._message,
                "kept_all": not self._notice,
            }
            try:
                self._writer.append(END, samples, 0, pack_json(value))
                break
            except OSError:
                try:
                    if not self._writer.drop_last():
                        break
                except OSError:
                    break
        with suppress(OSError):
            self._writer.sync()
        with suppress(OSError):
            self._writer.close()
        with self._room:
            self._room.notify_all()

"""Opening a session: everything complete in it, whatever happened to its end."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.playlist import Truth
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.session import container
from kwscore.session.codec import Frames, pack_json, unflac, unpack_arrays, unpack_frames, unpack_json
from kwscore.session.container import Chunk, ChunkWriter, being_written, read_payload, scan
from kwscore.session.facts import Arrays
from kwscore.session.notes import Note, current
from kwscore.stream.detection import Event

_KEPT = 4  # decoded chunks of audio
NEWEST_FORMAT = 1
LATE = 2 * SAMPLE_RATE
"""Samples by which a board's frames may come later than their sound."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch [start, end) of session samples in which one engine ran without a reset. ``origin``: session sample at
    which the engine's clock began, before 0 where it had run before the recording. ``reference``: a second engine that
    ran beside it."""

    start: int
    end: int
    origin: int
    engine: dict[str, Any]
    source: dict[str, Any]
    reference: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """From session sample ``position`` on, ``what`` is ``to``: "detection", "noise", "calibration" (the constants),
    "calibrated" (what was measured to set them, ``CalibrationRecord.to_dict``; None: undone), "dropped" (samples lost
    so far); "detector" was exchanged."""

    position: int
    what: str
    to: Any


class Session:
    """A recorded session, open for reading; use it as a context, or ``close`` it. One thread at a time.

    ``header``    how it was recorded. ``length`` in samples; with ``spans`` only parts of them are there.
    ``segments``, ``changes``, ``events`` (on the session's clock), ``truths``, ``notes``  in order of time.
    ``kept``      spans [start, end) of samples that are there.
    ``complete``  whether it was ended in order. ``trouble``: one sentence about what is missing, else empty.

    Raises KWScopeError where the file is missing or no session.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        found = scan(self.path)
        self._file: BinaryIO = self.path.open("rb")
        try:
            self._read(found)
        except BaseException:
            self._file.close()
            raise

    def _read(self, found: container.Scan) -> None:
        by_kind: dict[bytes, list[Chunk]] = {}
        for chunk in found.chunks:
            by_kind.setdefault(chunk.kind, []).append(chunk)
        self.lost = sum(size for _, size in found.damaged)
        """Bytes in the middle of the file that could not be used."""
        headers = self._values(by_kind.get(container.HEAD, []))
        if not headers:
            raise KWScopeError(f"{self.path} has lost its beginning and cannot be opened: use a copy of it.")
        self.header: dict[str, Any] = headers[0]
        if self.header.get("format", 0) > NEWEST_FORMAT:
            raise KWScopeError(f"{self.path} was recorded by a newer KWScope: open it with that version.")
        self._audio = sorted(by_kind.get(container.AUDIO, []), key=lambda chunk: chunk.first)
        self._starts = [chunk.first for chunk in self._audio]
        self._frames = sorted(by_kind.get(container.FRAMES, []), key=lambda chunk: chunk.first)
        self._states = sorted(by_kind.get(container.STATE, []), key=lambda chunk: chunk.first)
        self._cache: OrderedDict[int, NDArray[np.int16]] = OrderedDict()
        self.kept = _spans(self._audio)
        ends = self._values(by_kind.get(container.END, []))
        self.ending: dict[str, Any] = ends[-1] if ends else {}
        heard = self.kept[-1][1] if self.kept else 0
        ticks = [chunk.first for chunk in by_kind.get(container.TICK, [])]
        self.length = max([heard, self.ending.get("samples", 0), *ticks])
        self.complete = bool(ends)
        self.active = not self.complete and being_written(self.path)
        self.cut = found.cut
        self.events = sorted(
            (
                Event(**value)
                for value in self._values(by_kind.get(container.EVENT, []))
                if value["decided"] < self.length
            ),
            key=lambda event: event.decided,
        )
        self.changes = [
            Change(chunk.first, value["what"], value.get("to"))
            for chunk, value in self._with_values(by_kind.get(container.CHANGE, []))
        ]
        self.segments = self._segments(by_kind.get(container.SEGMENT, []))
        truths = self._values(by_kind.get(container.TRUTH, []))
        self.truths = sorted((Truth(**value) for value in truths), key=lambda truth: truth.start)
        self.history = [Note.from_dict(value) for value in self._values(by_kind.get(container.NOTE, []))]

    def _segments(self, chunks: list[Chunk]) -> list[Segment]:
        found = self._with_values(chunks)
        ends = [*(chunk.first for chunk, _ in found[1:]), self.length][: len(found)]
        return [
            Segment(chunk.first, end, value["origin"], value["engine"], value["source"], value.get("reference"))
            for (chunk, value), end in zip(found, ends, strict=True)
            if end > chunk.first
        ]

    def _with_values(self, chunks: list[Chunk]) -> list[tuple[Chunk, Any]]:
        pairs = [(chunk, self._payload(chunk)) for chunk in chunks]
        return [(chunk, unpack_json(data)) for chunk, data in pairs if data is not None]

    def _values(self, chunks: list[Chunk]) -> list[Any]:
        return [value for _, value in self._with_values(chunks)]

    def _payload(self, chunk: Chunk) -> bytes | None:
        data = read_payload(self._file, chunk)
        if data is None:
            self.lost += chunk.length
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    # -- what is there ----------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Length."""
        return self.length / SAMPLE_RATE

    @property
    def rows(self) -> int:
        """Frames that are there."""
        return sum(chunk.count for chunk in self._frames)

    @property
    def notes(self) -> list[Note]:
        """Notes and pins that stand, in order of position."""
        return current(self.history)

    @property
    def spans(self) -> bool:
        """Whether only what lies around words was kept."""
        return self.header.get("spans") is not None

    @property
    def detection(self) -> list[Change]:
        """The detection settings and from when on they held; the first ones hold from the beginning."""
        return [change for change in self.changes if change.what == "detection"]

    @property
    def trouble(self) -> str:
        """One sentence about what is missing from the file, else empty."""
        if self.active:
            return f"{self.path.name} is still being recorded: what is there up to now is shown."
        missing = "some of it is damaged and left out" if self.lost else ""
        if not self.complete:
            kept = f"{self.path.name} was cut off while recording: its first {_clock(self.seconds)} are kept"
            if self.cut:
                kept += f", the last {self.cut} bytes were not complete and are left out"
            return f"{kept}{f'; {missing}' if missing else ''}."
        if missing:
            return f"{self.path.name} was damaged after it was recorded: {missing}; use a copy if you have one."
        return ""

    # -- reading ----------------------------------------------------------------------------------------------

    def audio(self, start: int = 0, stop: int | None = None) -> NDArray[np.int16]:
        """Samples [start, stop), (n,) int16, as far as the session is long; zeros where none were kept."""
        start = min(max(start, 0), self.length)
        stop = self.length if stop is None else min(max(stop, start), self.length)
        out = np.zeros(stop - start, np.int16)
        at = max(bisect_right(self._starts, start) - 1, 0)
        for place in range(at, len(self._audio)):
            chunk = self._audio[place]
            if chunk.first >= stop:
                break
            first, last = max(chunk.first, start), min(chunk.first + chunk.count, stop)
            if last > first:
                samples = self._decoded(place)
                out[first - start : last - start] = samples[first - chunk.first : last - chunk.first]
        return out

    def _decoded(self, place: int) -> NDArray[np.int16]:
        if place in self._cache:
            self._cache.move_to_end(place)
            return self._cache[place]
        chunk = self._audio[place]
        data = self._payload(chunk)
        samples = np.zeros(chunk.count, np.int16) if data is None else unflac(data)
        self._cache[place] = samples
        while len(self._cache) > _KEPT:
            self._cache.popitem(last=False)
        return samples

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Frames that ended in samples [start, stop), in blocks of about a second, each of one shape."""
        stop = self.length if stop is None else stop
        for chunk in self._frames:
            data = self._payload(chunk)
            if data is None:
                continue
            block = unpack_frames(data)
            if block.position[0] >= stop + LATE:
                break
            if block.position[-1] >= start:
                inside = (block.position >= start) & (block.position < stop)
                if inside.all():
                    yield block
                elif inside.any():
                    yield block[inside]

    def states(self) -> Iterator[tuple[int, int, Arrays]]:
        """(position, origin of the engine's clock, arrays) of every stored state, in order."""
        for chunk in self._states:
            data = self._payload(chunk)
            if data is not None:
                arrays = unpack_arrays(data)
                yield chunk.first, int(arrays.pop("origin")), arrays

    def check(self) -> str:
        """Read everything; return ``trouble`` as it then stands."""
        for place in range(len(self._audio)):
            self._decoded(place)
        for _ in self.frames():
            pass
        for _ in self.states():
            pass
        return self.trouble

    def add_note(self, note: Note) -> None:
        """Add a note to the file, or change or delete the one with its id. Raises KWScopeError where that fails."""
        if self.active:
            raise KWScopeError(f"{self.path} is still being recorded: note it in the window that records.")
        try:
            writer = ChunkWriter(self.path, append_to=True)
            try:
                found = scan(self.path)
                writer.truncate(found.end)
                writer.append(container.NOTE, note.position, 1, pack_json(note.to_dict()))
                writer.sync()
            finally:
                writer.close()
        except OSError as error:
            raise KWScopeError(f"{self.path} cannot be written ({error.strerror or error}): copy it first.") from error
        self.history.append(note)


def _spans(chunks: list[Chunk]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for chunk in chunks:
        if found and chunk.first == found[-1][1]:
            found[-1] = (found[-1][0], chunk.first + chunk.count)
        else:
            found.append((chunk.first, chunk.first + chunk.count))
    return found


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02} h" if hours else f"{rest // 60}:{rest % 60:02} min"


def finish_cut(path: Path) -> str:
    """Close a recording that was cut off, so that this is told only once; return its ``trouble``, else "".

    What belonged to no complete chunk is taken away. Recordings that are complete or still being made are left alone.
    """
    with Session(path) as session:
        if session.complete or session.active:
            return ""
        sentence, value = session.trouble, {"samples": session.length, "reason": session.trouble, "kept_all": False}
        value |= {"rows": session.rows, "events": len(session.events), "ended": ""}
    found = scan(path)
    try:
        writer = ChunkWriter(path, append_to=True)
        try:
            writer.truncate(found.end)
            writer.append(container.END, value["samples"], 0, pack_json(value))
        finally:
            writer.close()
    except OSError:
        return sentence  # it can be read all the same
    return sentence

"""The file of a session: chunks that are only ever appended, each checked by itself.

    file   := MAGIC chunk*
    chunk  := header payload
    header := sync(4) kind(4) first(u64) count(u32) length(u32) payload CRC-32(u32) header CRC-32(u32), little-endian

Whatever was written before a crash or a full disk stays readable: a chunk is either complete and proves it, or it is
left out. ``first`` and ``count`` say which samples or rows a chunk holds, so that opening reads headers only.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kwscore.errors import KWScopeError

try:
    import fcntl
except ImportError:  # no such locks on this system: a file that is being written is not recognised as such
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".kwsession"
MAGIC = b"KWSESS\x00\x01"
"""The last byte is the version of the framing."""
SYNC = b"\xabKWc"
HEADER = struct.Struct("<4s4sQIIII")
LARGEST = 1 << 28
"""No payload is longer: a length beyond it is damage."""
CHECKED_TAIL = 4 << 20
"""So many bytes at the end of a file without an end are checked whole: a power cut leaves headers without payloads."""

HEAD, SEGMENT, STATE, AUDIO, FRAMES = b"HEAD", b"SEGM", b"STAT", b"AUDI", b"FRAM"
EVENT, CHANGE, NOTE, TRUTH, TICK, END = b"EVNT", b"CHNG", b"NOTE", b"TRTH", b"TICK", b"ENDS"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a payload lies. ``first``, ``count``: samples (audio, changes, notes) or rows (frames) that it holds."""

    kind: bytes
    first: int
    count: int
    offset: int
    length: int
    crc: int


@dataclass(frozen=True, slots=True)
class Scan:
    """``chunks`` in the order of the file; ``damaged``: (offset, bytes) skipped between them; ``end``: where
    the last good chunk ends; ``cut``: bytes after it that belong to no complete chunk."""

    chunks: tuple[Chunk, ...]
    damaged: tuple[tuple[int, int], ...]
    end: int
    cut: int

    @property
    def complete(self) -> bool:
        """Whether the recording was ended in order."""
        return any(chunk.kind == END for chunk in self.chunks)


def pack(kind: bytes, first: int, count: int, payload: bytes) -> bytes:
    """A chunk as it stands in the file."""
    start = struct.pack("<4s4sQIII", SYNC, kind, first, count, len(payload), zlib.crc32(payload))
    return start + struct.pack("<I", zlib.crc32(start)) + payload


class ChunkWriter:
    """Appends chunks to a new file, or to an existing one with ``append_to``. Raises OSError.

    ``append`` is all or nothing: where a chunk does not fit, what was written of it is taken away again.
    """

    def __init__(self, path: Path, *, append_to: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR if append_to else os.O_RDWR | os.O_CREAT | os.O_EXCL
        self._descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
        self._starts: list[int] = []
        if fcntl is not None:
            with suppress(OSError):  # file systems without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if append_to:
            self.size = os.lseek(self._descriptor, 0, os.SEEK_END)
        else:
            self.size = 0
            self._write(MAGIC)

    def append(self, kind: bytes, first: int, count: int, payload: bytes) -> None:
        """Add one chunk behind the others."""
        start = self.size
        self._write(pack(kind, first, count, payload))
        self._starts = [*self._starts[-7:], start]

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        begin = self.size
        try:
            while view:
                done = os.write(self._descriptor, view)
                self.size += done
                view = view[done:]
        except OSError:
            self.truncate(begin)
            raise

    def truncate(self, size: int) -> None:
        """Take everything from byte ``size`` on away."""
        os.ftruncate(self._descriptor, size)
        os.lseek(self._descriptor, size, os.SEEK_SET)
        self.size = size

    def drop_last(self) -> bool:
        """Take the newest chunk away, to make room; False where none can be given up."""
        if not self._starts:
            return False
        self.truncate(self._starts.pop())
        return True

    def sync(self) -> None:
        """Have the disk keep what was written, so that it survives a power cut too."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def being_written(path: Path) -> bool:
    """Whether some process is recording into ``path`` now (where the system has file locks)."""
    if fcntl is None:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def scan(path: Path) -> Scan:
    """Find every chunk of a file. Raises KWScopeError where it is no session or cannot be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                _refuse(path)
            return _scan(file, size)
    except FileNotFoundError:
        raise KWScopeError(f"There is no session {path}: check the name.") from None
    except IsADirectoryError:
        raise KWScopeError(f"{path} is a folder: give a session file ({SUFFIX}).") from None
    except OSError as error:
        raise KWScopeError(f"{path} cannot be read ({error.strerror or error}): check its permissions.") from error


def _refuse(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start[:-1] == MAGIC[:-1]:
        raise KWScopeError(f"{path} was recorded by a newer KWScope: open it with that version.")
    raise KWScopeError(f"{path} is no session: give a {SUFFIX} file that KWScope recorded.")


def _scan(file: BinaryIO, size: int) -> Scan:
    chunks: list[Chunk] = []
    damaged: list[tuple[int, int]] = []
    at = end = len(MAGIC)
    while at + HEADER.size <= size:
        file.seek(at)
        chunk = _header(file.read(HEADER.size), at, size)
        if chunk is None:
            following = _next_chunk(file, at + 1, size)
            if following is None:
                break
            damaged.append((at, following - at))
            at = following
            continue
        chunks.append(chunk)
        at = end = chunk.offset + chunk.length
    if not any(chunk.kind == END for chunk in chunks):
        while chunks and chunks[-1].offset > size - CHECKED_TAIL and not _intact(file, chunks[-1]):
            end = chunks.pop().offset - HEADER.size
        chunks = [c for c in chunks if c.offset <= size - CHECKED_TAIL or _intact(file, c)]
    return Scan(tuple(chunks), tuple(damaged), end, size - end)


def _header(data: bytes, at: int, size: int) -> Chunk | None:
    if len(data) < HEADER.size or not data.startswith(SYNC):
        return None
    _, kind, first, count, length, crc, own = HEADER.unpack(data)
    offset = at + HEADER.size
    if own != zlib.crc32(data[:-4]) or length > LARGEST or offset + length > size:
        return None
    return Chunk(kind, first, count, offset, length, crc)


def _next_chunk(file: BinaryIO, start: int, size: int) -> int | None:
    """Where the next header that proves itself begins."""
    block = 1 << 20
    while start < size:
        file.seek(start)
        data = file.read(block + len(SYNC) - 1)
        found = data.find(SYNC)
        while found >= 0:
            file.seek(start + found)
            if _header(file.read(HEADER.size), start + found, size) is not None:
                return start + found
            found = data.find(SYNC, found + 1)
        start += block
    return None


def _intact(file: BinaryIO, chunk: Chunk) -> bool:
    file.seek(chunk.offset)
    return zlib.crc32(file.read(chunk.length)) == chunk.crc


def read_payload(file: BinaryIO, chunk: Chunk) -> bytes | None:
    """The payload, or None where it is damaged."""
    file.seek(chunk.offset)
    data = file.read(chunk.length)
    return data if len(data) == chunk.length and zlib.crc32(data) == chunk.crc else None

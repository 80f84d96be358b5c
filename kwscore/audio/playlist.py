"""A playlist with ground truth: items played without a gap, and where each word lies on the stream's own clock."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.file import AudioReader, read_audio
from kwscore.audio.pacing import Pace, PacedSource
from kwscore.constants import LABELS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.resources import resource

DEMO_MANIFEST = resource("assets", "demo", "playlist.json")
"""The demo that comes with KWScope."""


class Truth(NamedTuple):
    """A word in the stream: samples [start, end) since the source was started."""

    word: str
    start: int
    end: int
    caption: str


@dataclass(frozen=True, slots=True)
class PlaylistItem:
    """One file of a playlist: ``first`` and ``length`` place it in a pass, ``start`` and ``end`` its word (samples)."""

    path: Path
    label: str
    first: int
    length: int
    start: int
    end: int
    noise: str
    snr_db: float | None
    caption: str
    clean: Path | None = None
    """The same item without its noise, where there is one."""


class PlaylistSource(PacedSource):
    """The items of a manifest, one after the other, as a ``Source``.

    ``manifest``: a JSON file {"title": str, "items": [{"file": path beside the manifest, "label": one of LABELS,
    "start": s, "end": s, "noise": str, "snr_db": number or null, "caption": str, "clean": path beside the manifest}]};
    None for the demo. ``start`` and ``end`` bound the word within the item; ``clean`` names the same item without its
    noise, as long as it (left out where it has none or it is not known). ``loop`` begins again after the last item,
    without a gap. Raises KWScopeError for a bad manifest or item.
    """

    def __init__(
        self,
        manifest: str | Path | None = None,
        pace: Pace = "realtime",
        *,
        loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.path = DEMO_MANIFEST if manifest is None else Path(manifest)
        self.title, self.items = load_manifest(self.path)
        super().__init__("Demo playlist" if manifest is None else self.title, pace, clock=clock, sleep=sleep)
        self.loop = loop
        self._firsts = [item.first for item in self.items]
        self._reader: AudioReader | None = None
        self._at = 0  # item being read
        self._left = 0  # samples of it still to come
        self._clean: tuple[Path | None, NDArray[np.int16]] = (None, np.zeros(0, np.int16))  # the last one that was read

    @property
    def length(self) -> int:
        """Samples of one pass."""
        return self.items[-1].first + self.items[-1].length

    def truth(self, since: int = 0) -> list[Truth]:
        """Every word of every item that ends after sample ``since``, up to the end of the pass that is playing."""
        last_pass = max(self._position - 1, 0) // self.length if self.loop else 0
        found = []
        for number in range(max(since, 0) // self.length, last_pass + 1):
            base = number * self.length
            found += [
                Truth(item.label, base + item.start, base + item.end, item.caption)
                for item in self.items
                if base + item.end > since
            ]
        return found

    def item_at(self, sample: int) -> PlaylistItem | None:
        """The item that sounds at a sample of the stream; None before the first and after the last."""
        if sample < 0 or (sample >= self.length and not self.loop):
            return None
        return self.items[bisect_right(self._firsts, sample % self.length) - 1]

    def clean_of(self, samples: NDArray[np.int16], start: int) -> NDArray[np.int16] | None:
        """``samples``, the stream's from sample ``start`` on, without the noise of their items; None where of no item
        in them it is known. Items without noise stay as they are."""
        out: NDArray[np.int16] | None = None
        at, stop = start, start + len(samples)
        while at < stop and (item := self.item_at(at)) is not None:
            offset = at % self.length - item.first
            until = min(stop, at + item.length - offset)
            clean = self._read_clean(item.clean) if item.clean is not None else None
            if clean is not None and len(clean) == item.length:
                out = samples.copy() if out is None else out
                out[at - start : until - start] = clean[offset : offset + until - at]
            at = until
        return out

    def _read_clean(self, path: Path) -> NDArray[np.int16] | None:
        """None where the file was lost meanwhile: nothing is known then, and the sound goes on."""
        if self._clean[0] != path:
            try:
                self._clean = path, read_audio(path)
            except KWScopeError:
                return None
        return self._clean[1]

    @property
    def current(self) -> PlaylistItem | None:
        """The item that the newest delivered sample belongs to."""
        return self.item_at(self._position - 1)

    def _open(self) -> None:
        self._at = -1
        self._left = 0
        self._message = ""
        self._next_item()

    def _next_item(self) -> bool:
        self._close()
        if self._at + 1 == len(self.items):
            if not self.loop:
                return False
            self._at = -1
        self._at += 1
        self._left = self.items[self._at].length
        self._reader = AudioReader(self.items[self._at].path)
        return True

    def _pull(self, n: int) -> NDArray[np.int16]:
        parts = []
        while n > 0 and (self._left > 0 or self._next_item()):
            wanted = min(n, self._left)
            part = self._reader.read(wanted) if self._reader else np.zeros(0, dtype=np.int16)
            if len(part) < wanted:  # a damaged item keeps its length, so that the truth stays where it is
                part = np.concatenate((part, np.zeros(wanted - len(part), dtype=np.int16)))
                self._message = self._reader.trouble if self._reader else self._message
                self._damaged = True
            parts.append(part)
            n -= wanted
            self._left -= wanted
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)

    def _close(self) -> None:
        if self._reader:
            self._reader.close()
            self._reader = None


def load_manifest(path: Path) -> tuple[str, list[PlaylistItem]]:
    """Title and items of a manifest, every file opened once for its length. Raises KWScopeError with one sentence."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KWScopeError(f"There is no playlist {path}: give another, or use a file or a microphone.") from None
    except OSError as error:
        raise KWScopeError(f"The playlist {path} cannot be read ({error.strerror}): check the file.") from error
    except ValueError as error:
        raise KWScopeError(f"The playlist {path} is not valid JSON ({error}): correct or replace it.") from error
    entries = content.get("items") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise KWScopeError(f"The playlist {path} has no list 'items' with at least one entry: add one.")
    items: list[PlaylistItem] = []
    first = 0
    for number, entry in enumerate(entries, 1):
        item = _item(path, number, entry, first)
        items.append(item)
        first += item.length
    return str(content.get("title") or path.stem), items


def _item(path: Path, number: int, entry: Any, first: int) -> PlaylistItem:
    where = f"Item {number} of the playlist {path}"
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise KWScopeError(f"{where} names no 'file': add one.")
    label = entry.get("label")
    if label not in LABELS:
        raise KWScopeError(f"{where} has the label {label!r}: use one of {', '.join(LABELS)}.")
    reader = AudioReader(path.parent / entry["file"])
    reader.close()
    if reader.length is None:
        raise KWScopeError(f"{where} does not say how long it is: convert {entry['file']} to WAV or FLAC.")
    times = [entry.get("start", 0.0), entry.get("end", reader.length / SAMPLE_RATE)]
    if not all(isinstance(t, int | float) for t in times) or not 0 <= times[0] < times[1]:
        raise KWScopeError(f"{where} has no valid 'start' and 'end': give seconds with 0 <= start < end.")
    start, end = (round(t * SAMPLE_RATE) for t in times)
    if end > reader.length + SAMPLE_RATE // 100:
        raise KWScopeError(f"{where} has its word end at {times[1]} s, beyond the file's end: correct 'end'.")
    snr = entry.get("snr_db")
    if snr is not None and not isinstance(snr, int | float):
        raise KWScopeError(f"{where} has 'snr_db' {snr!r}: give a number or null.")
    clean = entry.get("clean")
    if clean is not None and not isinstance(clean, str):
        raise KWScopeError(f"{where} has 'clean' {clean!r}: give the name of a file, or leave it out.")
    clean_path = None if clean is None else path.parent / clean
    if clean_path is not None and _length(clean_path) != reader.length:
        raise KWScopeError(f"{where} and its 'clean' version {clean} are not equally long: make them so.")
    return PlaylistItem(
        path=reader.path,
        label=label,
        first=first,
        length=reader.length,
        start=first + start,
        end=first + min(end, reader.length),
        noise=str(entry.get("noise") or "none"),
        snr_db=None if snr is None else float(snr),
        caption=str(entry.get("caption") or ""),
        clean=clean_path,
    )


def _length(path: Path) -> int | None:
    reader = AudioReader(path)
    reader.close()
    return reader.length

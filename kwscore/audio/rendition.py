"""A word without noise, to hold what was heard against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.file import AudioReader
from kwscore.audio.playlist import DEMO_MANIFEST, PlaylistItem, load_manifest
from kwscore.constants import LABELS, SILENCE
from kwscore.errors import KWScopeError


@dataclass(frozen=True, slots=True)
class Rendition:
    """``samples`` (n,) int16: a quiet room, so that a network has settled, then the word at [start, end)."""

    word: str
    samples: NDArray[np.int16]
    start: int
    end: int


def clean_rendition(word: str, manifest: Path = DEMO_MANIFEST) -> Rendition:
    """The first clean item of ``word`` in a playlist (the demo has one of every word), after its first quiet item.

    Raises KWScopeError where the playlist has none.
    """
    _, items = load_manifest(manifest)
    found = next((item for item in items if item.label == word and item.noise == "none"), None)
    if found is None:
        raise KWScopeError(f"The playlist {manifest} has no clean {word!r}: use a playlist that has one.")
    quiet = next((item for item in items if item.label == LABELS[SILENCE] and item.noise == "none"), None)
    lead = _read(quiet) if quiet is not None else np.zeros(0, np.int16)
    offset = len(lead) - found.first
    return Rendition(word, np.concatenate([lead, _read(found)]), found.start + offset, found.end + offset)


def _read(item: PlaylistItem) -> NDArray[np.int16]:
    reader = AudioReader(item.path)
    try:
        return reader.read(item.length)
    finally:
        reader.close()

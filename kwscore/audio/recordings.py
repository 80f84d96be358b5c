"""Recorded noise: a folder of files as named, endless streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.file import read_audio
from kwscore.audio.noise import CROSSFADE, PUBLISHED_NOISES, Float, SyntheticNoise
from kwscore.errors import KWScopeError

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif")
LONGEST = 600.0
"""Seconds of a recording that are used."""


class NoiseStream(Protocol):
    """An endless noise whose long-term RMS is 1."""

    name: str

    def read(self, n: int) -> Float:
        """The next (n,) float32 samples."""


class RecordedNoise:
    """A recording at RMS 1, begun at a random point and repeated for ever, its ends crossfaded over 0.2 s.

    ``samples``: the recording (n,) int16 at 16 kHz where it has been read already; ``path`` then only names it.
    Raises KWScopeError for a file that cannot be read or is silent.
    """

    def __init__(
        self,
        path: str | Path,
        rng: np.random.Generator,
        name: str | None = None,
        *,
        samples: NDArray[np.int16] | None = None,
    ) -> None:
        self.path = Path(path)
        self.name = name or self.path.stem
        read = read_audio(self.path, LONGEST) if samples is None else samples
        x = read.astype(np.float32) / np.float32(32768)
        fade = min(CROSSFADE, len(x) // 4)
        if fade:
            ramp = (np.arange(fade, dtype=np.float32) + np.float32(0.5)) * np.float32(np.pi / 2 / fade)
            head, tail = x[:fade] * np.sin(ramp), x[len(x) - fade :] * np.cos(ramp)
            x = x[: len(x) - fade]
            x[:fade] = head + tail
        level = float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
        if level < 1e-5:
            raise KWScopeError(f"{self.path} is silent and cannot serve as noise: choose another recording.")
        self._loop = x * np.float32(1 / level)
        self._at = int(rng.integers(len(x)))

    def read(self, n: int) -> Float:
        """The next (n,) float32 samples."""
        end = self._at + n
        if end <= len(self._loop):
            out = self._loop[self._at : end].copy()
        else:
            out = np.take(self._loop, np.arange(self._at, end), mode="wrap")
        self._at = end % len(self._loop)
        return out


def recordings_in(folder: str | Path) -> dict[str, Path]:
    """Noise recordings of a folder and its subfolders: name (path without suffix, "/" between folders) to file, sorted.

    Raises KWScopeError where there is no such folder or nothing in it.
    """
    top = Path(folder)
    if not top.is_dir():
        raise KWScopeError(f"There is no noise folder {top}: give a folder of recordings.")
    found = {str(path.relative_to(top).with_suffix("").as_posix()): path for path in sorted(_audio_files(top))}
    if not found:
        raise KWScopeError(f"The noise folder {top} holds no recordings ({', '.join(SUFFIXES)}): choose another.")
    return found


def _audio_files(top: Path) -> Iterator[Path]:
    return (path for path in top.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def open_noise(name: str, rng: np.random.Generator) -> NoiseStream:
    """A stream of one of the published noises, or of the recording whose path ``name`` is."""
    if name in PUBLISHED_NOISES:
        return SyntheticNoise(name, rng, unit_rms=True)
    if Path(name).suffix:
        return RecordedNoise(name, rng)
    raise KWScopeError(f"There is no noise '{name}': choose one of {', '.join(PUBLISHED_NOISES)}, or give a file.")

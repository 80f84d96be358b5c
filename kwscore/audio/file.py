"""WAV, FLAC, OGG, Opus and whatever else libsndfile reads, streamed as mono 16 kHz int16."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.pacing import Pace, PacedSource
from kwscore.audio.resample import HIGHEST_RATE, LOWEST_RATE, Resampler, resampled_length
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError

_BLOCK = 4_096  # frames decoded at a time
_NO_LENGTH = 1 << 48  # libsndfile's "unknown" is about 2^63
_STREAMED = 0x7FFF0000  # programs that write to a pipe leave a size like this in the header
_NOTHING = np.zeros(0, dtype=np.int16)


def _open_sequentially(path: Path) -> Any:
    """A SoundFile that is only ever read onwards.

    soundfile seeks after each read of a seekable file, which makes an MP3 decoder lose its bit reservoir: read block by
    block, half of the sound is missing.
    """
    import soundfile

    class Sequential(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

    return Sequential(os.fsencode(path))  # as bytes: a name need not be valid text


class AudioReader:
    """One open audio file, decoded block by block: memory does not grow with the file.

    ``length`` is the duration in 16 kHz samples, or None where the file does not say. ``trouble`` is a sentence once
    the file proved to be cut short or damaged, else empty: what can be decoded is delivered all the same.
    """

    def __init__(self, path: str | Path) -> None:
        import soundfile

        self.path = Path(path)
        self.trouble = ""
        self._error = soundfile.SoundFileError
        if not self.path.exists():
            raise KWScopeError(f"There is no file {self.path}: check the name.")
        if self.path.is_dir():
            raise KWScopeError(f"{self.path} is a folder: give an audio file.")
        if not self.path.is_file():
            raise KWScopeError(f"{self.path} is a pipe or a device, which cannot be read here: give an audio file.")
        try:
            if self.path.stat().st_size == 0:
                raise KWScopeError(f"{self.path} is empty: give a file that holds audio.")
            self._file = _open_sequentially(self.path)
        except OSError as error:
            raise KWScopeError(f"{self.path} cannot be read ({error.strerror}): check its permissions.") from error
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise KWScopeError(
                f"{self.path} is not audio that can be read here: give a WAV, FLAC, OGG, Opus or MP3 file."
            ) from error
        self.native_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        frames = self._file.frames
        self._find_cut(frames)
        if frames <= 0:
            self._file.close()
            raise KWScopeError(f"{self.path} holds no audio: give a file with at least one sample.")
        if not LOWEST_RATE <= self.native_rate <= HIGHEST_RATE:
            self._file.close()
            raise KWScopeError(
                f"{self.path} has a sample rate of {self.native_rate} Hz: use {LOWEST_RATE} to {HIGHEST_RATE} Hz."
            )
        self.length = resampled_length(frames, self.native_rate) if frames < _NO_LENGTH else None
        self._resampler = Resampler(self.native_rate)
        self._ready: list[NDArray[np.int16]] = []
        self._ready_samples = 0
        self._ended = False
        self._decoded = 0
        self._frames = frames

    def _find_cut(self, frames: int) -> None:
        """libsndfile reads a shortened file without complaint and notes it only in its log."""
        log = self._file.extra_info
        cut = re.search(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", log, re.MULTILINE)
        if cut and int(cut[2]) < int(cut[1]) < _STREAMED:
            seconds = frames / self.native_rate
            whole = seconds * int(cut[1]) / max(int(cut[2]), 1)
            self.trouble = f"{self.path} is cut short: {seconds:.2f} s of {whole:.2f} s are there; copy it again."
        elif "Junk after the last page" in log and re.search("end-of-stream", log, re.IGNORECASE):
            self.trouble = f"{self.path} is cut short after {frames / self.native_rate:.2f} s: copy it again."

    def _check_end(self) -> None:
        """Compressed files show only now that they are short; an MP3 may state its length a little wrong."""
        if not self.trouble:
            self._find_cut(self._decoded)
        missing = self._frames - self._decoded
        if not self.trouble and self._frames < _NO_LENGTH and missing > max(self._frames / 50, self.native_rate / 10):
            self.trouble = f"{self.path} is damaged or cut short: copy it again."

    @property
    def notice(self) -> str:
        """A sentence about something odd that does not keep the file from being heard, else empty."""
        return (
            f"The channels of {self.path} cancel each other: only the first is used." if self._resampler.cancels else ""
        )

    def read(self, n: int) -> NDArray[np.int16]:
        """The next (n,) samples, fewer only at the end. Never raises for damaged material: see ``trouble``."""
        while self._ready_samples < n and not self._ended:
            try:
                block = self._file.read(_BLOCK, dtype="float32", always_2d=True)
            except self._error:
                block = np.zeros((0, self.channels), dtype=np.float32)
                self.trouble = f"{self.path} is damaged or cut short: copy it again."
            part = self._resampler.process(block)
            self._decoded += len(block)
            if len(block) == 0:
                part, self._ended = self._resampler.flush(), True
                self._check_end()
            self._ready.append(part)
            self._ready_samples += len(part)
        if not self._ready:
            return _NOTHING
        ready = np.concatenate(self._ready)
        self._ready, self._ready_samples = [ready[n:]], max(len(ready) - n, 0)
        return ready[:n]

    def close(self) -> None:
        self._file.close()


class FileSource(PacedSource):
    """An audio file of any rate and channel count as a ``Source``; ``name`` is the file's name."""

    def __init__(
        self,
        path: str | Path,
        pace: Pace = "realtime",
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(Path(path).name, pace, clock=clock, sleep=sleep)
        self.path = Path(path)
        self._reader: AudioReader | None = None
        self._rate = SAMPLE_RATE
        self._length: int | None = None

    @property
    def length(self) -> int | None:
        """Duration in 16 kHz samples, known once started; None where the file does not say."""
        return self._length

    def _open(self) -> None:
        self._reader = AudioReader(self.path)
        self._rate, self._length = self._reader.native_rate, self._reader.length

    def _pull(self, n: int) -> NDArray[np.int16]:
        if self._reader is None:
            return _NOTHING
        samples = self._reader.read(n)
        self._message = self._reader.notice
        return samples

    def _close(self) -> None:
        if self._reader:
            self._reader.close()
            self._reader = None

    def _native_rate(self) -> int:
        return self._rate

    def _trouble(self) -> str:
        return self._reader.trouble if self._reader else ""


def read_audio(path: str | Path, max_seconds: float | None = None) -> NDArray[np.int16]:
    """A whole file, or its first ``max_seconds``, as (n,) int16 at 16 kHz mono.

    Raises KWScopeError with one sentence for a file that is missing, empty, cut short, damaged or not audio.
    """
    reader = AudioReader(path)
    try:
        parts: list[NDArray[np.int16]] = []
        left = None if max_seconds is None else max(round(max_seconds * SAMPLE_RATE), 0)
        while left is None or left > 0:
            wanted = SAMPLE_RATE if left is None else min(left, SAMPLE_RATE)
            parts.append(reader.read(wanted))
            if left is not None:
                left -= len(parts[-1])
            if len(parts[-1]) < wanted:
                break
        if reader.trouble:
            raise KWScopeError(reader.trouble)
    finally:
        reader.close()
    return np.concatenate(parts) if parts else _NOTHING

"""What the networks hear, on the loudspeakers: an output stream with a ring of its own, apart from everything else."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.devices import PORTAUDIO, PortAudio, with_deadline
from kwscore.audio.ring import Ring
from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError

CUSHION = 0.08
"""Seconds that are collected before sound begins, and again after it ran dry."""
FULLEST = 0.4
"""Seconds under way at most: what comes while so much waits is left out, so that one hears what happens now."""
LATENCY = 0.05


class Monitor:
    """Plays the int16 samples (16 kHz mono) that ``write`` is given on the system's default output.

    ``start`` and ``stop`` belong to one thread; ``write`` may be called from another one and never waits. Trouble after
    the start shows in ``problem``, one sentence, and silences the monitor; nothing else is touched by it.
    """

    def __init__(self, audio: PortAudio = PORTAUDIO) -> None:
        self._audio = audio
        self._stream: Any = None
        self._ring = Ring(1)
        self._resampler: Any = None
        self._rate = SAMPLE_RATE
        self._flowing = False
        self._stopping = False
        self.problem = ""
        """Why it fell silent; empty while all is well."""
        self.skipped = 0
        """Samples that were left out because too many waited."""

    @property
    def running(self) -> bool:
        """Whether the output is open."""
        return self._stream is not None

    def start(self) -> None:
        """Open the default output. Raises KWScopeError, within seconds, where that fails."""
        if self._stream is not None:
            return
        self.problem, self.skipped, self._stopping = "", 0, False
        with_deadline(self._open)

    def write(self, samples: NDArray[np.int16]) -> None:
        """Take (n,) samples of what the networks heard."""
        if self._stream is None or not len(samples):
            return
        sound: NDArray[Any] = samples
        if self._resampler is not None:
            sound = self._resampler.resample_chunk(samples)
        room = max(0, round(FULLEST * self._rate) - len(self._ring))
        self.skipped += max(0, len(sound) - room)
        self._ring.write(sound[:room])

    def stop(self) -> None:
        """Close the output; returns within about a second even if the sound server hangs."""
        self._stopping = True
        stream, self._stream = self._stream, None
        if stream is None:
            return
        self._audio.stops.discard(self.stop)
        self._resampler = None
        closing = threading.Thread(target=self._close, args=(stream,), name="kwscope-monitor", daemon=True)
        closing.start()
        closing.join(1.0)

    def _open(self) -> None:
        with self._audio.lock:
            backend = self._audio.backend
            refusal: Exception | None = None
            for rate in dict.fromkeys((SAMPLE_RATE, self._own_rate(backend))):
                stream = None
                try:
                    self._prepare(rate)
                    stream = backend.OutputStream(
                        samplerate=rate, channels=1, dtype="int16", latency=LATENCY, blocksize=rate // 100,
                        callback=self._play, finished_callback=self._finished,
                    )  # fmt: skip
                    stream.start()
                except (backend.PortAudioError, ValueError) as error:
                    refusal = error
                    if stream is not None:
                        with contextlib.suppress(backend.PortAudioError):
                            stream.close()
                    continue
                self._stream = stream
                self._audio.streams += 1
                self._audio.stops.add(self.stop)
                return
            reason = str(refusal.args[0]).rstrip(". ") if refusal and refusal.args else "it takes no format"
            raise KWScopeError(f"The loudspeakers cannot be opened ({reason}): connect some, or listen without them.")

    @staticmethod
    def _own_rate(backend: Any) -> int:
        try:
            return round(backend.query_devices(kind="output")["default_samplerate"])
        except (backend.PortAudioError, ValueError, KeyError):
            return SAMPLE_RATE

    def _prepare(self, rate: int) -> None:
        self._rate = rate
        self._ring = Ring(rate)
        self._flowing = False
        self._resampler = None
        if rate != SAMPLE_RATE:
            import soxr

            self._resampler = soxr.ResampleStream(SAMPLE_RATE, rate, 1, dtype="int16")

    def _play(self, out: NDArray[np.int16], frames: int, _time: object, _status: object) -> None:
        """PortAudio's callback: copies, nothing else."""
        ring = self._ring
        if not self._flowing and len(ring) < CUSHION * self._rate:
            out[:] = 0
            return
        first, second = ring.peek(frames)
        n = len(first) + len(second)
        out[: len(first), 0] = first
        out[len(first) : n, 0] = second
        out[n:] = 0
        ring.advance(n)
        self._flowing = n == frames

    def _finished(self) -> None:
        if not self._stopping:
            self.problem = "The loudspeakers went away: the monitor is off, switch it on again when they are back."

    def _close(self, stream: Any) -> None:
        with self._audio.lock:
            with contextlib.suppress(Exception):  # a device that is gone cannot be closed in order
                stream.abort()
            with contextlib.suppress(Exception):
                stream.close()
            self._audio.streams -= 1

"""A sounddevice-like module without hardware: refuses, overflows, stalls, vanishes and hangs on command."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PortAudioError(Exception):
    """As sounddevice raises it."""


class FakeStream:
    """An input stream; the test plays the device's part with ``push`` and ``vanish``."""

    def __init__(self, sound: FakeSound, options: dict[str, Any]) -> None:
        self.sound = sound
        self.options = options
        self.callback: Callable[..., None] = options["callback"]
        self.finished_callback: Callable[[], None] = options["finished_callback"]
        self.started = self.closed = False

    def start(self) -> None:
        self.started = True

    def abort(self) -> None:
        self.sound.closing.wait(30)
        if self.started:
            self.started = False
            self.finished_callback()

    def close(self) -> None:
        self.closed = True
        self.sound.open_now -= 1

    def push(self, frames: NDArray[Any], *, overflow: bool = False) -> None:
        """Deliver (n,) or (n, channels) as PortAudio would: in the stream's type, two-dimensional."""
        data = frames.astype(self.options["dtype"])
        if data.ndim == 1:
            data = np.repeat(data[:, None], self.options["channels"], 1)
        self.callback(data, len(data), None, SimpleNamespace(input_overflow=True) if overflow else None)

    def vanish(self) -> None:
        """The device goes away: the stream ends without being asked."""
        self.started = False
        self.finished_callback()


class FakeSound:
    """The module. ``inputs``: (host API, name, channels, rate); ``accepts(rate, channels)`` says which formats open."""

    PortAudioError = PortAudioError

    def __init__(self, inputs: list[tuple[str, str, int, int]] | None = None) -> None:
        self.inputs = [("ALSA", "Built-in", 2, 48_000), ("JACK", "Studio", 8, 96_000)] if inputs is None else inputs
        self.pending_inputs: list[tuple[str, str, int, int]] | None = None  # found at the next initialisation
        self.accepts: Callable[[int, int], bool] = lambda rate, channels: True
        self.broken: Exception | None = None
        self.streams: list[FakeStream] = []
        self.open_now = 0
        self.initialisations = 0
        self.opening, self.closing = threading.Event(), threading.Event()  # clear: the call hangs
        self.opening.set()
        self.closing.set()

    def query_hostapis(self) -> tuple[dict[str, Any], ...]:
        return tuple({"name": name} for name in dict.fromkeys(["ALSA", "JACK", *(api for api, *_ in self.inputs)]))

    def query_devices(self, kind: str | None = None) -> Any:
        if self.broken:
            raise self.broken
        apis = [api["name"] for api in self.query_hostapis()]
        rows = [{"name": "Speaker", "hostapi": 0, "max_input_channels": 0, "default_samplerate": 48_000.0, "index": 0}]
        for api, name, channels, rate in self.inputs:
            row = {"name": name, "hostapi": apis.index(api), "max_input_channels": channels}
            rows.append({**row, "default_samplerate": float(rate), "index": len(rows)})
        if kind is None:
            return rows
        if len(rows) == 1:
            raise PortAudioError("Error querying device -1")
        return rows[1]

    def InputStream(self, **options: Any) -> FakeStream:
        self.opening.wait(30)
        if self.broken:
            raise self.broken
        if not self.accepts(options["samplerate"], options["channels"]):
            raise PortAudioError("Invalid sample rate", -9997)
        stream = FakeStream(self, options)
        self.streams.append(stream)
        self.open_now += 1
        return stream

    def _terminate(self) -> None:
        assert self.open_now == 0, "re-enumerated with a stream open"

    def _initialize(self) -> None:
        self.initialisations += 1
        if self.pending_inputs is not None:
            self.inputs, self.pending_inputs = self.pending_inputs, None

"""The monitor on a fake output: nothing it does, or fails to do, reaches anybody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kwscore.audio.devices import PortAudio
from kwscore.audio.monitor import CUSHION, FULLEST, Monitor
from kwscore.errors import KWScopeError

RATE = 16_000


class Refusal(Exception):
    """As sounddevice raises it."""


class Output:
    """A backend with one output that takes the rates in ``rates``."""

    PortAudioError = Refusal

    def __init__(self, *rates: int) -> None:
        self.rates = rates
        self.streams: list[Any] = []

    def _exit_handler(self) -> None: ...

    def query_devices(self, kind: str) -> dict[str, float]:
        return {"default_samplerate": 48_000.0}

    def OutputStream(self, **options: Any) -> Any:
        if options["samplerate"] not in self.rates:
            raise Refusal("Invalid sample rate.")
        stream = SimpleNamespace(options=options, open=True, start=lambda: None)
        stream.abort = lambda: options["finished_callback"]()
        stream.close = lambda: setattr(stream, "open", False)
        self.streams.append(stream)
        return stream

    def play(self, frames: int) -> NDArray[np.int16]:
        """What the loudspeakers get for the next ``frames``."""
        out = np.full((frames, 1), 77, np.int16)
        self.streams[-1].options["callback"](out, frames, None, None)
        return out[:, 0]


def opened(*rates: int) -> tuple[Monitor, Output, PortAudio]:
    backend = Output(*rates)
    audio = PortAudio(backend)
    monitor = Monitor(audio)
    monitor.start()
    return monitor, backend, audio


def test_it_plays_what_it_is_given_after_a_cushion() -> None:
    monitor, backend, audio = opened(RATE)
    sound = np.arange(1, 8001, dtype=np.int16)
    cushion = round(CUSHION * RATE)
    monitor.write(sound[: cushion - 1])
    assert not backend.play(160).any()
    monitor.write(sound[cushion - 1 : 4000])
    assert np.array_equal(backend.play(160), sound[:160])
    assert np.array_equal(backend.play(4000), np.concatenate([sound[160:4000], np.zeros(160, np.int16)]))
    assert not backend.play(160).any()  # it ran dry: a new cushion first
    assert (audio.streams, monitor.running, monitor.problem) == (1, True, "")
    monitor.stop()
    assert (audio.streams, monitor.running, backend.streams[0].open) == (0, False, False)
    assert monitor.problem == ""


def test_what_would_be_late_is_left_out() -> None:
    monitor, backend, _ = opened(RATE)
    monitor.write(np.ones(2 * RATE, np.int16))
    assert monitor.skipped == 2 * RATE - round(FULLEST * RATE)
    assert np.count_nonzero(backend.play(2 * RATE)) == round(FULLEST * RATE)
    monitor.stop()


def test_an_output_with_a_rate_of_its_own_gets_it() -> None:
    monitor, backend, _ = opened(48_000)
    assert backend.streams[0].options["samplerate"] == 48_000
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)).astype(np.int16)
    monitor.write(tone)
    heard = backend.play(9600).astype(float)
    assert abs(np.abs(np.fft.rfft(heard[2400:7200])).argmax() * 10 - 440) <= 10
    monitor.stop()


def test_no_output_is_one_sentence() -> None:
    backend = Output()
    audio = PortAudio(backend)
    monitor = Monitor(audio)
    with pytest.raises(KWScopeError, match=r"loudspeakers cannot be opened \(Invalid sample rate\)"):
        monitor.start()
    monitor.write(np.ones(160, np.int16))  # nobody minds
    monitor.stop()
    assert (audio.streams, monitor.running) == (0, False)


def test_an_output_that_goes_away_says_so_and_can_be_started_again() -> None:
    monitor, backend, _ = opened(RATE)
    backend.streams[0].options["finished_callback"]()
    assert "went away" in monitor.problem
    monitor.stop()
    monitor.start()
    assert (monitor.problem, monitor.running) == ("", True)
    monitor.stop()

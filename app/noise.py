"""Noise while listening: which one, how loud, and what it does. Knows no Qt; called by the GUI thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.listening import in_thread
from kwscore.audio.level import FLOOR_DBFS
from kwscore.audio.monitor import Monitor
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.recordings import NoiseStream, open_noise, recordings_in
from kwscore.constants import NOMINAL_SPEECH_DBFS
from kwscore.errors import KWScopeError
from kwscore.stream.runner import Batch

if TYPE_CHECKING:
    from kwscore.audio.mixing import StreamingMixer

LOWEST, HIGHEST = -15, 30
"""SNR in dB that can be set."""


@dataclass(frozen=True, slots=True)
class NoiseState:
    """What is mixed in. ``name``: a published noise or the path of a recording; ``on``: whether it sounds now.
    ``snr_db``: the speech's active level over the noise's. ``seed``: of what is random in it."""

    name: str = "white"
    on: bool = False
    snr_db: int = 10
    seed: int = 0

    @property
    def label(self) -> str:
        """For buttons: ``off``, ``babble +5 dB``."""
        return f"{self.title} {self.snr_db:+d} dB".replace("-", "−") if self.on else "no noise"

    @property
    def title(self) -> str:
        """The noise's name without its folder."""
        return self.name if self.name in PUBLISHED_NOISES else Path(self.name).stem


@dataclass(frozen=True, slots=True)
class NoiseChanged:
    """Something about the noise was changed and holds from now on."""

    state: NoiseState


@dataclass(frozen=True, slots=True)
class NoiseFailed:
    """A noise, or the monitor, could not be opened; ``state`` is what holds instead."""

    state: NoiseState
    sentence: str
    monitor: bool = False


@dataclass(frozen=True, slots=True)
class NoiseFigures:
    """``speech_dbfs``: active speech level (P.56) of what is heard; ``heard``: whether it was measured or is the usual
    one. ``noise_dbfs``: level of what is added, -120 for none. ``saturated``: samples that did not fit."""

    speech_dbfs: float
    heard: bool
    noise_dbfs: float
    saturated: int


@dataclass(frozen=True, slots=True)
class _Made:
    mixer: StreamingMixer


@dataclass(frozen=True, slots=True)
class _Opened:
    token: int
    state: NoiseState
    stream: NoiseStream


@dataclass(frozen=True, slots=True)
class _NotOpened:
    token: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _MonitorTried:
    sentence: str


class Noise:
    """``events``: where threads leave what happened, to be handed back to ``take``. ``use_mixer`` gets the mixer once
    it is made, and keeps it: noise comes and goes inside it. ``listen_in(listener, on)`` gives batches to the monitor.
    """

    def __init__(
        self,
        events: deque[object],
        use_mixer: Callable[[StreamingMixer], None],
        listen_in: Callable[[Callable[[Batch], None], bool], None],
        monitor: Monitor | None = None,
    ) -> None:
        self.state = NoiseState()
        self.monitor = monitor or Monitor()
        self._events, self._use_mixer, self._listen_in = events, use_mixer, listen_in
        self._mixer: StreamingMixer | None = None
        self._making = False
        self._token = 0
        self._wanted: NoiseState | None = None  # being opened
        self._last = NoiseState()  # what was asked for last, which later changes build upon

    # -- what the user wants ----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the mixer, in a thread: it measures the speech level also while no noise sounds."""
        if self._mixer is not None or self._making:
            return
        self._making = True

        def work() -> None:
            from kwscore.audio.mixing import StreamingMixer

            self._events.append(_Made(StreamingMixer()))

        in_thread("kwscope-mixer", work)

    def choose(self, name: str) -> None:
        """Let this noise sound, at the SNR that is set."""
        self._open(replace(self._last, name=name, on=True))

    def switch(self, on: bool | None = None) -> None:
        """Noise on or off (None: the other way)."""
        on = not self._last.on if on is None else on
        if on:
            self._open(replace(self._last, on=True))
        else:
            self._token += 1
            self._wanted = None
            if self._mixer is not None:
                self._mixer.set_noise(None)
            self._set(replace(self._last, on=False))

    def set_snr(self, snr_db: int) -> None:
        """Effective with the next hop."""
        snr_db = min(max(snr_db, LOWEST), HIGHEST)
        self._last = replace(self._last, snr_db=snr_db)
        if self._wanted is not None:
            self._wanted = replace(self._wanted, snr_db=snr_db)
        if self._mixer is not None:
            self._mixer.snr_db = float(snr_db)
        self._set(replace(self.state, snr_db=snr_db))

    def set_seed(self, seed: int) -> None:
        """Begin the noise anew with another seed."""
        if self._last.on:
            self._open(replace(self._last, seed=seed))
        else:
            self._set(replace(self._last, seed=seed))

    def set_monitor(self, on: bool) -> None:
        """Hear on the loudspeakers what the networks hear, or no longer."""
        monitor, events = self.monitor, self._events
        self._listen_in(self._play, on)

        def work() -> None:
            try:
                if on:
                    monitor.start()
                else:
                    monitor.stop()
                events.append(_MonitorTried(""))
            except KWScopeError as error:
                events.append(_MonitorTried(str(error)))
            except Exception as error:
                events.append(_MonitorTried(f"The loudspeakers cannot be opened ({error}): listen without them."))

        in_thread("kwscope-monitor", work)

    def _play(self, batch: Batch) -> None:
        self.monitor.write(batch.samples)

    def close(self) -> None:
        """Silence the monitor; waits at most a second."""
        self._listen_in(self._play, False)
        self.monitor.stop()

    # -- what is asked ----------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether levels are measured."""
        return self._mixer is not None

    def speech(self) -> tuple[float, bool]:
        """Active level of speech in dBFS, and whether it was heard or is the usual one."""
        mixer = self._mixer
        return (mixer.reference_dbfs, mixer.speech_heard) if mixer is not None else (NOMINAL_SPEECH_DBFS, False)

    def figures(self) -> NoiseFigures | None:
        """Levels now; None before anything is measured."""
        mixer = self._mixer
        if mixer is None:
            return None
        level = mixer.noise_dbfs if self.state.on else FLOOR_DBFS
        return NoiseFigures(mixer.reference_dbfs, mixer.speech_heard, level, mixer.saturated)

    # -- what happened ----------------------------------------------------------------------------------------

    def take(self, event: object) -> list[object] | None:
        """Follow up on an event; what the window should know, or None where it is no affair of ours."""
        if isinstance(event, _Made):
            self._mixer = event.mixer
            event.mixer.snr_db = float(self._last.snr_db)
            self._use_mixer(event.mixer)
            if self._wanted is not None:
                self._open(self._wanted)
            return []
        if isinstance(event, _Opened):
            if event.token != self._token or self._mixer is None:
                return []
            self._wanted = None
            self._mixer.set_noise(event.stream)
            self._set(replace(event.state, snr_db=self._last.snr_db))
            return []
        if isinstance(event, _NotOpened):
            if event.token != self._token:
                return []
            self._wanted, self._last = None, self.state
            return [NoiseFailed(self.state, event.sentence)]
        if isinstance(event, _MonitorTried):
            if event.sentence:
                self._listen_in(self._play, False)
            return [NoiseFailed(self.state, event.sentence, monitor=True)]
        return None

    def _open(self, wanted: NoiseState) -> None:
        self._last = self._wanted = wanted
        self._token += 1
        if self._mixer is None:
            self.prepare()  # opened once it is there
            return
        token, events = self._token, self._events

        def work() -> None:
            try:
                stream = open_noise(wanted.name, np.random.default_rng(wanted.seed))
                events.append(_Opened(token, wanted, stream))
            except KWScopeError as error:
                events.append(_NotOpened(token, str(error)))
            except Exception as error:
                events.append(_NotOpened(token, f"{wanted.title} cannot be used as noise ({error}): choose another."))

        in_thread("kwscope-noise", work)

    def _set(self, state: NoiseState) -> None:
        if state != self.state:
            self.state = state
            self._events.append(NoiseChanged(state))
        if self._wanted is None:
            self._last = state


def recordings(folder: str) -> dict[str, Path]:
    """The noise recordings of a folder by name; empty where there is none (yet)."""
    try:
        return recordings_in(folder) if folder else {}
    except KWScopeError:
        return {}

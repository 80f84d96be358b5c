"""Whether a silence was one: collects what calibration measures from a running stream, or says why it cannot be used.

Works on the batches of a ``Runner``, so on the very samples that the networks hear. Knows no Qt and no torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import rms_dbfs
from kwscore.constants import HOP, SAMPLE_RATE, SILENCE
from kwscore.errors import KWScopeError
from kwscore.stream.calibrator import LEAST_SECONDS, NoiseMeter, NoiseProfile
from kwscore.stream.runner import Batch

SPEECH_SECONDS = 0.3
"""How long in all the network may take a silence for anything else."""
WARM_UP = 50
"""Frames after a reset whose answers say nothing yet."""
MOVED_DB = 6.0
"""Below this change of level before the mixer, what a network hears in mixed-in noise is that noise."""
CHANGED_HOPS = 5
"""Hops with and hops without mixed-in noise from which on it came or went in the middle."""
DIGITAL_SHARE = 0.5
"""Share of hops of nothing but zeros from which on no microphone is behind it."""


class Silence:
    """Collects ``seconds`` of silence; give ``add`` every batch, from one thread, until ``done``.

    ``lead``: seconds at the beginning that are left out (the click of a key). ``patience``: seconds of sound in which
    to begin again whenever something is heard, for sources that nobody can ask to be quiet; 0: it is then refused.

    After that ``refusal`` is one sentence that says why it was no silence, and ``profile`` what was measured where it
    is empty. ``might_be_noise``: the refusal rests on what was heard, so that somebody who knows better may take
    ``profile`` all the same. The figures may be read from any thread.

    Raises KWScopeError for less than 0.3 s.
    """

    def __init__(self, seconds: float, *, lead: float = 0.0, patience: float = 0.0) -> None:
        if seconds < LEAST_SECONDS:
            raise KWScopeError(
                f"A silence of {seconds:g} s is too short: calibration needs at least {LEAST_SECONDS} s."
            )
        self.seconds = seconds
        self.done = False
        self.refusal = ""
        self.might_be_noise = False
        self.start = 0
        """Position of the first sample that is measured, on the runner's clock."""
        self.again = 0
        """How often it began again."""
        self.level_dbfs: float | None = None
        """Of the newest batch."""
        self._wanted = max(round(seconds * SAMPLE_RATE), HOP)
        self._lead = round(lead * SAMPLE_RATE)
        self._patience = round(patience * SAMPLE_RATE)
        self._heard = 0  # samples since the beginning
        self._next: int | None = None  # position that the next batch must have
        self._dropped: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._meter, self._room = NoiseMeter(), NoiseMeter()
        self._left = self._wanted
        self._speech = self._hops = self._empty = self._mixed = 0  # hops
        self._word = ""
        self.disturbance = ""
        """Why it is no silence so far, a sentence; it is collected to its end all the same."""
        self._rest = np.zeros((2, 0), np.int16)  # samples of the hop that is being filled, and the same without noise

    @property
    def progress(self) -> float:
        """Share of the silence that is collected, 0..1."""
        return 1.0 - self._left / self._wanted

    @property
    def collected(self) -> float:
        """Seconds that are collected."""
        return (self._wanted - self._left) / SAMPLE_RATE

    @property
    def waiting(self) -> bool:
        """Whether the lead still runs."""
        return self._heard < self._lead

    def profile(self) -> NoiseProfile:
        """What was measured. Raises KWScopeError for less than 0.3 s."""
        return self._meter.profile()

    @property
    def room_dbfs(self) -> float:
        """Level before noise was mixed in. Raises KWScopeError for less than 0.3 s."""
        return self._room.profile().level_dbfs

    @property
    def meter(self) -> NoiseMeter:
        """What measured it, for a ``Calibrator``."""
        return self._meter

    def stop(self, why: str) -> None:
        """End it unfinished; ``why``: a sentence."""
        if not self.done:
            self._refuse(why)

    def add(self, batch: Batch, dropped: int = 0) -> None:
        """The next batch. ``dropped``: samples that the source has lost so far. Does nothing once it is done."""
        if self.done:
            return
        if self._next is not None and batch.position != self._next:
            self._refuse("Listening began anew in the middle: calibrate again.")
            return
        self._next = batch.position + len(batch.samples)
        if self._dropped is not None and dropped > self._dropped:
            lost = dropped - self._dropped
            self._refuse(f"{lost} samples were lost in the middle, so the silence has a gap: calibrate again.")
            return
        self._dropped = dropped
        if len(batch.samples):
            self.level_dbfs = rms_dbfs(batch.samples)
        skipped = min(max(self._lead - self._heard, 0), len(batch.samples))
        self._heard += len(batch.samples)
        if skipped < len(batch.samples) and self._left:
            self._collect(batch, skipped)
        if self._heard > self._lead:
            self._judge(batch)

    def _collect(self, batch: Batch, skipped: int) -> None:
        samples = batch.samples[skipped:][: self._left]
        clean = samples if batch.clean is None else batch.clean[skipped:][: self._left]
        if self._left == self._wanted:
            self.start = batch.position + skipped
        self._meter.add(samples)
        self._room.add(clean)
        self._left -= len(samples)
        self._count_hops(np.stack((samples, clean)))

    def _count_hops(self, both: NDArray[np.int16]) -> None:
        """Hops of nothing but zeros, and hops with noise mixed in. ``both``: (2, n) as heard, and without the noise."""
        waiting = np.concatenate((self._rest, both), axis=1)
        hops = waiting.shape[1] // HOP
        heard, clean = waiting[:, : hops * HOP].reshape(2, hops, HOP)
        self._empty += int((~heard.any(1)).sum())
        self._mixed += int((heard != clean).any(1).sum())
        self._hops += hops
        self._rest = waiting[:, hops * HOP :]

    def _judge(self, batch: Batch) -> None:
        answers = [row for row, t in zip(batch.posteriors, batch.telemetry, strict=True) if t.frame >= WARM_UP]
        self._speech += sum(row[SILENCE] < 0.5 for row in answers)
        if batch.events and not self._word:
            self._word = batch.events[0].word
        self.disturbance = self._what_was_heard()
        if self._patience and self.disturbance:
            self._try_again()
        elif not self._left and self.disturbance:
            self.might_be_noise = True
            self._refuse(self.disturbance)
        elif not self._left and self._empty >= DIGITAL_SHARE * max(self._hops, 1):
            self._refuse(
                "Digital silence was heard, nothing but zeros: unmute the microphone or choose another source."
            )
        elif not self._left:
            self.done = True

    def _what_was_heard(self) -> str:
        """Why it is none so far, one sentence."""
        room = self._room  # what the user hears; without mixed-in noise the same
        own = not self._mixed or room.change_db >= MOVED_DB  # what the network heard was not only the mixed-in noise
        if self._word and own:
            return f"The word “{self._word}” was heard: keep quiet and calibrate again."
        if not room.steady:
            change = f"The level changed by {room.change_db:.0f} dB, as if somebody had spoken or knocked"
            return f"{change}: keep quiet and calibrate again."
        if min(self._mixed, self._hops - self._mixed) >= CHANGED_HOPS:
            return "Noise began or ended in the middle: calibrate again where it goes on."
        if self._speech * HOP >= SPEECH_SECONDS * SAMPLE_RATE and own:
            return "It sounded like speech to the network: keep quiet and calibrate again."
        return ""

    def _try_again(self) -> None:
        if self._heard < self._patience:
            self.again += 1
            self._begin()
            return
        within = self._patience / SAMPLE_RATE
        self._refuse(
            f"No quiet {self.seconds:g} s came within {within:.0f} s of this source: set a shorter silence, "
            "or calibrate where it pauses."
        )

    def _refuse(self, sentence: str) -> None:
        self.refusal, self.done = sentence, True

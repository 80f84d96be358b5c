"""Noise mixed into speech at a stated SNR."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwscore.audio.level import FLOOR_DBFS, ActiveSpeechMeter, rms_dbfs
from kwscore.audio.recordings import NoiseStream, open_noise
from kwscore.constants import HOP, NOMINAL_SPEECH_DBFS, SAMPLE_RATE


def rms(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """sqrt(mean(x^2) + 1e-10) over the last axis, kept as length 1 (published; finite for silence)."""
    power = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(max(x.shape[-1], 1))
    return np.sqrt(power + np.float32(1e-10)).astype(np.float32, copy=False)


def mix(speech: NDArray[np.float32], noise: NDArray[np.float32], snr_db: ArrayLike) -> NDArray[np.float32]:
    """The published mixture: speech + noise * (rms(speech) / 10^(SNR/20)) / rms(noise), without clipping.

    ``speech`` and ``noise``: (..., n) float32 of the same n. ``snr_db``: dB, a number or one per leading index. The RMS
    is taken over the whole of the last axis, pauses included. Returns (..., n) float32, not rescaled.
    """
    snr = np.asarray(snr_db, dtype=np.float32)[..., None]
    gain = rms(speech) / np.float32(10) ** (snr / np.float32(20)) / rms(noise)
    return (speech + noise * gain).astype(np.float32, copy=False)


class SpeechReference:
    """The speech level that a live SNR refers to: P.56 over the last five seconds of *active* speech.

    Pauses neither count nor make it forget, so that noise does not follow the gaps between words. ``nominal`` holds
    until something above -45 dBFS has been heard.
    """

    HORIZON = 5.0
    AUDIBLE = -45.0
    PAUSE = 22.0  # dB below the active level, 6 below the meter's own threshold: a hop this quiet may be a pause
    TAIL = 0.4  # seconds for which a pause is still heard: the envelope's decay and the hangover belong to the speech

    def __init__(self, nominal: float = NOMINAL_SPEECH_DBFS) -> None:
        self.nominal = nominal
        self._meter = ActiveSpeechMeter()
        self._keep = float(np.exp(-HOP / (self.HORIZON * SAMPLE_RATE)))
        self._level = FLOOR_DBFS
        self._quiet = 0  # hops of pause up to here

    @property
    def dbfs(self) -> float:
        return self._level if self.heard else self.nominal

    @property
    def heard(self) -> bool:
        """Whether ``dbfs`` was measured; else it is the nominal one."""
        return self._level >= self.AUDIBLE

    def process(self, hop: NDArray[np.generic]) -> None:
        """Take one hop, (160,)."""
        loud = rms_dbfs(hop)
        self._quiet = self._quiet + 1 if loud < self._level - self.PAUSE else 0
        if self._quiet * HOP > self.TAIL * SAMPLE_RATE:
            return
        self._meter.process(hop)
        self._level = self._meter.active_dbfs
        if loud >= self._level - ActiveSpeechMeter.MARGIN:
            self._meter.forget(self._keep)


class StreamingMixer:
    """Mixes an endless noise into a stream at a stated SNR; out come as many samples as went in, at once.

    The SNR is the speech's active level (``reference``: a fixed dBFS, or "speech" to track it) over the noise's
    long-term RMS. Without noise the samples pass untouched. Controls may be set from any thread: they take effect at
    the next hop, over which gains move linearly, so that nothing clicks. Work is done on the mixer's own hop grid:
    with unchanged controls the output does not depend on how the input is cut.
    """

    def __init__(
        self,
        noise: NoiseStream | str | None = None,
        snr_db: float = 10.0,
        seed: int = 0,
        *,
        reference: float | Literal["speech"] = "speech",
    ) -> None:
        self._seed = seed
        self._wanted: NoiseStream | None = None
        self.snr_db = snr_db
        """dB; set at any time."""
        self.reference = reference
        """dBFS, or "speech"; set at any time."""
        self.set_noise(noise)
        self.reset()

    def set_noise(self, noise: NoiseStream | str | None) -> None:
        """Another noise from the next hop on: a stream, the name of a published noise, a recording's path, or None.

        A recording is read here, in the caller's thread. Raises KWScopeError where that fails; the old noise stays.
        """
        self._wanted = open_noise(noise, np.random.default_rng(self._seed)) if isinstance(noise, str) else noise

    @property
    def noise(self) -> NoiseStream | None:
        return self._wanted

    def reset(self) -> None:
        """Forget the speech level and the counters; the noise goes on where it is."""
        self._speech = SpeechReference()
        self._hop = np.zeros(HOP, dtype=np.int16)  # input of the hop that is being filled
        self._filled = 0
        self._voices: list[_Voice] = []
        self.saturated = 0
        """Samples that did not fit into 16 bits since reset."""

    @property
    def reference_dbfs(self) -> float:
        """The speech level that the SNR refers to now."""
        return self._speech.dbfs if self.reference == "speech" else float(self.reference)

    @property
    def speech_heard(self) -> bool:
        """Whether speech has been heard, so that "speech" refers to a measured level."""
        return self._speech.heard

    @property
    def noise_dbfs(self) -> float:
        """The level of the noise that is being added; -120 for none."""
        return self.reference_dbfs - self.snr_db if self._wanted else FLOOR_DBFS

    def process(self, speech: NDArray[np.int16]) -> NDArray[np.int16]:
        """(n,) int16 to (n,) int16, saturated where the sum is too loud."""
        out = np.empty_like(speech)
        done = 0
        while done < len(speech):
            if self._filled == 0:
                self._begin_hop()
            take = min(HOP - self._filled, len(speech) - done)
            part = speech[done : done + take]
            out[done : done + take] = self._add(part)
            self._hop[self._filled : self._filled + take] = part
            self._filled += take
            done += take
            if self._filled == HOP:
                self._speech.process(self._hop)
                self._filled = 0
        return out

    def _begin_hop(self) -> None:
        """Every voice's gain moves, over the hop that begins, to where the controls want it."""
        wanted = self._wanted
        gain = 10 ** ((self.reference_dbfs - self.snr_db) / 20) if wanted else 0.0
        if wanted and all(voice.stream is not wanted for voice in self._voices):
            self._voices.append(_Voice(wanted))
        for voice in self._voices:
            voice.start, voice.end = voice.end, gain if voice.stream is wanted else 0.0
        self._voices = [voice for voice in self._voices if voice.start or voice.end]

    def _add(self, speech: NDArray[np.int16]) -> NDArray[np.int16]:
        if not self._voices:
            return speech
        share = np.arange(self._filled + 1, self._filled + 1 + len(speech), dtype=np.float32) * np.float32(1 / HOP)
        total = speech.astype(np.float32)
        for voice in self._voices:
            gain = np.float32(voice.start) + np.float32(voice.end - voice.start) * share
            total += voice.stream.read(len(speech)) * (gain * np.float32(32768))
        total = np.rint(total)
        self.saturated += int(np.count_nonzero((total > 32767) | (total < -32768)))
        return np.clip(total, -32768, 32767).astype(np.int16)


class _Voice:
    """One noise that sounds, with its gain at both ends of the current hop."""

    def __init__(self, stream: NoiseStream) -> None:
        self.stream = stream
        self.start = 0.0
        self.end = 0.0

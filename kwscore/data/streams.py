"""Training streams: a few seconds of words, silence and other speech in noise, as a network meets them live.

A stream is what a microphone would deliver: segments of one second one after the other or with pauses, one room, one
noise (perhaps stepping in level), one gain. The loss is read at the last frame of each segment, so a third of all
reads is from reset and the rest carries the state that earlier sound left behind.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.noise import make_noise
from kwscore.constants import CLIP_FRAMES, CLIP_SAMPLES, HOP, SILENCE, UNKNOWN, WINDOW
from kwscore.data.augment import change_speed, cut_piece, equalise, from_pcm, place, reverberate, room_response, to_pcm
from kwscore.data.material import SPEECH_NOISE, Material
from kwscore.errors import KWScopeError

Audio = NDArray[np.float32]
PUBLISHED_NOISES = ("white", "pink", "factory", "street", "babble")
MAX_READS = 3


def check_numbers(recipe: Any, positive: tuple[str, ...]) -> None:
    """Refuse a recipe whose numbers are none, or not above 0 where they must be."""
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if isinstance(field.default, int | float):
            kind = int if isinstance(field.default, int) else (int, float)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise KWScopeError(f"{field.name}={value!r} in the recipe must be a number.")
            if field.name in positive and not value > 0:
                raise KWScopeError(f"{field.name}={value!r} in the recipe must be above 0.")


@dataclass(frozen=True, slots=True)
class StreamRecipe:
    """How training streams are drawn. Shares are probabilities; SNR in dB over the word's second.

    ``bare``: silences that are nothing but the stream's own background; the others are noise of their own, which
    begins with the segment. ``context``: streams whose pauses hold noise that stops where a segment begins.
    """

    frames: int = 300
    unknown: float = 0.21
    silence: float = 0.11
    bare: float = 0.4
    clean: float = 0.40
    synthetic: float = 0.65
    snr: tuple[float, float] = (-6.0, 18.0)
    noise_weights: tuple[float, ...] = (1.2, 1.2, 1.2, 1.2, 0.8)
    synthetic_words: float = 0.05
    step: float = 0.25
    context: float = 0.0
    reverb: float = 0.15
    speed: tuple[float, float] = (0.9, 1.12)
    shift: int = 1600
    wide_level: float = 0.5
    level: tuple[float, float] = (-36.0, 10.0)
    sources: tuple[tuple[str, float], ...] = (
        ("words", 0.38),
        ("pieces", 0.22),
        ("synth", 0.14),
        ("wake", 0.10),
        ("speech", 0.08),
        ("reversed", 0.08),
    )

    def __post_init__(self) -> None:
        check_numbers(self, ("frames",))

    @property
    def samples(self) -> int:
        """Samples of a stream."""
        return WINDOW + HOP * (self.frames - 1)


@dataclass(frozen=True, slots=True)
class Stream:
    """``pcm`` (samples,) int16; ``ends`` and ``labels`` (3,): frame of each read and its class, -1 where unused."""

    pcm: NDArray[np.int16]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]


class StreamMaker:
    """Draws streams from training material. Every stream depends on its own generator only."""

    def __init__(self, material: Material, recipe: StreamRecipe):
        self.material, self.recipe = material, recipe
        self.by_label = [np.flatnonzero(material.labels == label) for label in range(10)]
        self.by_voice = [np.flatnonzero(material.synthetic_labels == label) for label in range(10)]
        self.by_group = {
            source: [np.flatnonzero(np.array(names) == word) for word in sorted(set(names))]
            for source, names in material.groups.items()
        }
        self.recordings = [r for rows in material.noise.values() for r in rows if len(r) >= HOP * 10]
        kinds = [k for k in material.noise if k not in SPEECH_NOISE]
        self.quiet = [r for k in kinds for r in material.noise[k] if len(r) >= HOP * 10]
        available = {s: w for s, w in recipe.sources if self._has(s)}
        total = sum(available.values())
        self.sources = {s: w / total for s, w in available.items()}
        weights = np.array(recipe.noise_weights, np.float64)
        self.noise_weights = weights / weights.sum()

    def _has(self, source: str) -> bool:
        if source in ("speech", "pieces"):
            return bool(self.material.speech)
        return source == "reversed" or len(self.material.unknown.get(source, ())) > 0

    # segments ---------------------------------------------------------------------------------------------------
    def _unknown(self, rng: np.random.Generator) -> Audio:
        source = rng.choice(list(self.sources), p=list(self.sources.values()))
        if source in ("speech", "pieces"):
            recording = self.material.speech[rng.integers(len(self.material.speech))]
            for _ in range(4):  # a pause is not speech: look for a place that has some
                start = int(rng.integers(len(recording) - CLIP_SAMPLES))
                second = from_pcm(recording[start : start + CLIP_SAMPLES])
                if np.mean(second**2) > 1e-5:
                    break
            return second if source == "speech" else self._in_room(cut_piece(second, rng), rng)
        if source == "reversed":
            return np.ascontiguousarray(self._word(rng, int(rng.integers(10)))[::-1])
        groups = self.by_group[source]
        rows = groups[rng.integers(len(groups))]
        return from_pcm(self.material.unknown[source][rng.choice(rows)])

    def _in_room(self, piece: Audio, rng: np.random.Generator) -> Audio:
        """A cut piece within a second of some clip's room tone: silence around it must not give it away."""
        out = place(piece, CLIP_SAMPLES, 0)
        tone = from_pcm(self.material.words[rng.integers(len(self.material.words))][: CLIP_SAMPLES // 10])
        loudness = np.sqrt(np.mean(piece**2))
        if np.sqrt(np.mean(tone**2)) < 0.1 * loudness:
            out += np.tile(tone, 10)
        return out

    def _word(self, rng: np.random.Generator, label: int) -> Audio:
        if len(self.by_voice[label]) and rng.random() < self.recipe.synthetic_words:
            return from_pcm(self.material.synthetic_words[rng.choice(self.by_voice[label])])
        return from_pcm(self.material.words[rng.choice(self.by_label[label])])

    def _silence(self, rng: np.random.Generator) -> Audio | None:
        """Nothing but the stream's own background, or a second of some noise at any level."""
        if rng.random() < self.recipe.bare:
            return None
        level = 10.0 ** (rng.uniform(-65.0, -15.0) / 20.0)
        if self.quiet and rng.random() < 0.7:
            piece = self._recording(rng, CLIP_SAMPLES, self.quiet)
            return np.asarray(piece * (level / (np.sqrt(np.mean(piece**2)) + 1e-7)), np.float32)
        return self._noise(rng, CLIP_SAMPLES) * np.float32(level)

    def _segment(self, rng: np.random.Generator) -> tuple[Audio | None, int]:
        u = rng.random()
        if u < self.recipe.silence:
            return self._silence(rng), SILENCE
        if u < self.recipe.silence + self.recipe.unknown:
            clip, label = self._unknown(rng), UNKNOWN
        else:
            label = int(rng.integers(10))
            clip = self._word(rng, label)
        if rng.random() < 0.7:
            clip = change_speed(clip, rng.uniform(*self.recipe.speed))
        return place(clip, CLIP_SAMPLES, int(rng.integers(-self.recipe.shift, self.recipe.shift + 1))), label

    # noise ------------------------------------------------------------------------------------------------------
    def _recording(self, rng: np.random.Generator, n: int, recordings: list[NDArray[np.int16]]) -> Audio:
        recording = recordings[rng.integers(len(recordings))]
        start = int(rng.integers(len(recording)))
        return from_pcm(recording[np.arange(start, start + n) % len(recording)])

    def _noise(self, rng: np.random.Generator, n: int) -> Audio:
        if not self.recordings or rng.random() < self.recipe.synthetic:
            noise = make_noise(str(rng.choice(PUBLISHED_NOISES, p=self.noise_weights)), n, rng)
        else:
            noise = self._recording(rng, n, self.recordings)
        return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-7), np.float32)

    def _envelope(self, rng: np.random.Generator, n: int, starts: list[int]) -> Audio:
        """Gain of the noise over time: constant, or one step of 10 to 30 dB up or down near a segment's start."""
        gain = np.ones(n, np.float32)
        if rng.random() < self.recipe.step and starts:
            at = max(0, int(rng.choice(starts)) - int(rng.integers(0, CLIP_SAMPLES // 2)))
            depth = np.float32(10.0 ** (-rng.uniform(10.0, 30.0) / 20.0))
            if rng.random() < 0.75:
                gain[:at] = depth
            else:
                gain[at:] = depth
        return gain

    def _context(self, rng: np.random.Generator, n: int) -> Audio:
        """Sound before a segment that stops where the segment begins: any level, perhaps stepping up half-way."""
        piece = self._noise(rng, max(n, CLIP_SAMPLES))[:n] * np.float32(10.0 ** (rng.uniform(-65.0, -25.0) / 20.0))
        if rng.random() < 0.5:
            piece[: n // 2] *= np.float32(10.0 ** (-rng.uniform(10.0, 30.0) / 20.0))
        return piece

    # stream -----------------------------------------------------------------------------------------------------
    def make(self, rng: np.random.Generator) -> Stream:
        """One stream."""
        recipe = self.recipe
        n = recipe.samples
        speech = np.zeros(n, np.float32)
        ends, labels, starts = np.full(MAX_READS, -1), np.full(MAX_READS, -1), []
        context = rng.random() < recipe.context
        frame = int(rng.integers(40, 100)) if context else 0 if rng.random() < 0.6 else int(rng.integers(1, 100))
        free = 0  # first sample after the previous segment
        rms: list[float] = []
        spread = 10.0 ** (rng.uniform(-3.0, 3.0, MAX_READS) / 20.0)
        for index in range(MAX_READS):
            if frame + CLIP_FRAMES + 3 > recipe.frames:
                break
            clip, label = self._segment(rng)
            start = frame * HOP
            if label == SILENCE and clip is not None:
                speech[start : start + CLIP_SAMPLES] += clip
            elif clip is not None:
                level = float(np.sqrt(np.mean(clip**2) + 1e-10))
                rms.append(level)
                if len(rms) > 1:  # same room, same distance: similar level
                    clip = clip * np.float32(min(rms[0] / level, 10.0) * spread[index])
                speech[start : start + CLIP_SAMPLES] += clip
            if context and start > free:
                speech[free:start] += self._context(rng, start - free)
            free = start + CLIP_SAMPLES
            starts.append(start)
            ends[index], labels[index] = frame + CLIP_FRAMES - 1, label
            frame += CLIP_FRAMES + 3
            frame += int(rng.integers(20, 60)) if context else 0 if rng.random() < 0.6 else int(rng.integers(0, 60))
        if rng.random() < recipe.reverb:
            speech = reverberate(speech, room_response(rng))
        if rng.random() < 0.5:
            speech = equalise(speech, rng)
        reference = rms[0] if rms else 10.0 ** (rng.uniform(-45.0, -20.0) / 20.0)
        if rng.random() >= recipe.clean:
            snr = rng.uniform(*recipe.snr)
            noise = self._noise(rng, n) * self._envelope(rng, n, starts)
            speech = speech + noise * np.float32(reference * 10.0 ** (-snr / 20.0))
        elif rng.random() < 0.5 and self.recordings:
            tone = self._recording(rng, n, self.quiet or self.recordings)  # a quiet room under clean words
            scale = 10.0 ** (rng.uniform(-75.0, -45.0) / 20.0) / (np.sqrt(np.mean(tone**2)) + 1e-7)
            speech = speech + tone * self._envelope(rng, n, starts) * np.float32(scale)
        elif not rms and rng.random() < 0.6:
            speech = self._recording(rng, n, self.quiet) if self.quiet else speech
        gain = rng.uniform(*recipe.level) if rng.random() < recipe.wide_level else rng.normal(0.0, 2.0)
        return Stream(to_pcm(speech * np.float32(10.0 ** (gain / 20.0))), ends, labels)

"""A long stream for detection: held-out words among held-out speech and noise, with the truth beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_SAMPLES, LABELS, SAMPLE_RATE
from kwscore.data.augment import from_pcm, to_pcm
from kwscore.data.material import Material
from kwscore.data.validation import ValidationMix, held_out_noise
from kwscore.evaluation.events import Utterance

SCENE = 60 * SAMPLE_RATE
"""Samples of one scene: a minute with one background."""
SNR_DB = {"quiet": 35.0, "noise": 10.0, "speech": 25.0}
"""Level of the words above the background of a scene; in "speech" scenes people talk between the words."""


def word_bounds(clip: NDArray[np.int16]) -> tuple[int, int]:
    """First and last sample of the loud part of a clip: 20 ms frames within 25 dB of the loudest."""
    frames = from_pcm(clip[: len(clip) // 320 * 320]).reshape(-1, 320)
    energy = (frames**2).mean(1)
    loud = np.flatnonzero(energy >= energy.max() * 10**-2.5)  # of digital silence: all of it
    return int(loud[0]) * 320, int(loud[-1] + 1) * 320


def _talk(material: Material, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    parts: list[NDArray[np.float32]] = []
    while sum(map(len, parts)) < n:
        piece = from_pcm(material.speech[rng.integers(len(material.speech))])
        parts.append(piece / np.float32(np.sqrt(np.mean(piece**2)) + 1e-6))
    return np.concatenate(parts)[:n]


def long_stream(mix: ValidationMix, minutes: int = 10, seed: int = 2026) -> tuple[NDArray[np.int16], list[Utterance]]:
    """``minutes`` scenes that alternate quiet rooms, noise and talking, a word of the ten every 2.5 to 6 s.

    Returns int16 samples and the words with their places. Where there is no running speech, "speech" scenes are quiet.
    """
    rng = np.random.default_rng([seed, 3])
    material = mix.material
    audio = np.zeros(minutes * SCENE, np.float32)
    truth: list[Utterance] = []
    order = rng.permutation(len(material.words))
    scenes = ("quiet", "noise", "speech" if material.speech else "quiet")
    used = 0
    for scene in range(minutes):
        kind = scenes[scene % len(scenes)]
        base = scene * SCENE
        level = np.float32(10.0 ** (rng.uniform(-32.0, -20.0) / 20.0))
        background = held_out_noise(material, rng, SCENE) * level * np.float32(10.0 ** (-SNR_DB[kind] / 20.0))
        audio[base : base + SCENE] += background
        places = []
        at = int(rng.uniform(1.0, 3.0) * SAMPLE_RATE)
        while at + CLIP_SAMPLES < SCENE:
            places.append(at)
            at += CLIP_SAMPLES + int(rng.uniform(1.5, 5.0) * SAMPLE_RATE)
        if kind == "speech":
            talk = _talk(material, rng, SCENE) * level
            for at in places:  # people stop for the word
                talk[max(0, at - SAMPLE_RATE // 5) : at + CLIP_SAMPLES + SAMPLE_RATE // 5] = 0
            audio[base : base + SCENE] += talk
        for at in places:
            row = int(order[used % len(order)])
            used += 1
            clip = from_pcm(material.words[row])
            start, end = word_bounds(material.words[row])
            loud = np.sqrt(np.mean(clip[start:end] ** 2)) + 1e-6
            audio[base + at : base + at + CLIP_SAMPLES] += clip * np.float32(level / loud)
            truth.append(Utterance(LABELS[material.labels[row]], base + at + start, base + at + end))
    return to_pcm(audio), truth

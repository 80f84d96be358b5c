"""The clips that accuracy is measured on: the official test split or validation, in the balanced or the published mix.

balanced   every clip of the ten words; silence and unknown a tenth of their number each. On the test split they are
           drawn as the official test set does it; on validation the mix of ``kwscore.data.validation``. The folder of
           the official test archive (with ``_silence_`` and ``_unknown_``) is taken clip by clip.
published  every clip of every word and 500 pieces of silence: about 60 % of it are "unknown", so that a constant
           answer scores 60 %. Mixtures with noise keep their float range, as published; otherwise they are 16-bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_SAMPLES, N_CLASSES, SILENCE, UNKNOWN, WORDS
from kwscore.data.augment import from_pcm, to_pcm
from kwscore.data.material import Material, load_material, tell_skipped
from kwscore.data.speech_commands import TEST_FOLDERS, Corpus, archive_clips, find_corpus, load_clips
from kwscore.data.validation import ValidationMix, load_validation
from kwscore.errors import KWScopeError

SPLITS = ("auto", "test", "validation")
MIXES = ("balanced", "published")
OFFICIAL_SHARE = 10.0
"""Silence and unknown in the official test set, in per cent of the clips of the ten words."""
OFFICIAL_SEED = 59185
"""What the official tool seeds its draw with."""
PUBLISHED_SILENCE = 500

Pcm = NDArray[np.int16]
Say = Callable[[str], None]


@dataclass(slots=True)
class EvaluationSet(ValidationMix):
    """A ``ValidationMix`` that knows where it comes from.

    ``index`` (n,) numbers the clips in the whole set, so that a subset hears the same noise as the whole;
    ``pcm`` whether mixtures are rounded and clipped to 16 bits; ``fingerprint`` 12 hex digits of clips and labels.
    """

    split: str
    mix: str
    index: NDArray[np.int64]
    fingerprint: str

    @property
    def pcm(self) -> bool:
        return self.mix != "published"

    @property
    def constant_answer(self) -> float:
        """Per cent that the best constant answer scores."""
        return 100.0 * float(np.bincount(self.labels, minlength=N_CLASSES).max()) / max(len(self.labels), 1)

    def describe(self) -> str:
        """One line for people."""
        counts = np.bincount(self.labels, minlength=N_CLASSES)
        return (
            f"{self.mix} mix of the {self.split} split: {len(self.labels):,} clips, {counts[:10].sum():,} of the ten "
            f"words, {counts[SILENCE]:,} silence, {counts[UNKNOWN]:,} unknown (a constant answer scores "
            f"{self.constant_answer:.1f} %)"
        )


def load_set(
    data_dir: Path | str,
    split: str = "auto",
    mix: str = "balanced",
    extra_dir: Path | str | None = None,
    progress: Say = lambda _: None,
) -> EvaluationSet:
    """The clips of ``split`` ("auto": test where the folder has test clips, else validation) in ``mix``.

    Unreadable and empty files are left out and named to ``progress``. Raises KWScopeError where the folder has no clips
    of the ten words in that split, or no background noise to cut silence from.
    """
    if split not in SPLITS:
        raise KWScopeError(f"There is no split {split!r}: choose {', '.join(SPLITS)}.")
    if mix not in MIXES:
        raise KWScopeError(f"There is no mix {mix!r}: choose {', '.join(MIXES)}.")
    corpus = find_corpus(data_dir)
    if split == "auto":
        split = "test" if any(c.word in WORDS for c in corpus.select("test")) else "validation"
    if split == "validation" and mix == "balanced":
        made = load_validation(data_dir, extra_dir, progress=progress)
        return _finish(made.audio, made.labels, made.sources, made.material, split, mix, progress)
    material = load_material(data_dir, split, extra_dir, progress)
    audio, labels, sources = [material.words], [material.labels], ["target word"] * len(material.words)
    official = archive_clips(corpus.root) if mix == "balanced" else []
    rng = np.random.default_rng(OFFICIAL_SEED)
    if official:
        unknown, silence = (
            load_clips([clip for clip in official if clip.word == name], material.skipped)[0] for name in TEST_FOLDERS
        )
        names = ["unknown"] * len(unknown)
    else:
        count = math.ceil(len(material.words) * OFFICIAL_SHARE / 100) if mix == "balanced" else None
        unknown, names = _others(corpus, split, count, rng, material.skipped)
        silence = _background(corpus, material, PUBLISHED_SILENCE if count is None else count, mix, rng)
    for rows, label in ((unknown, UNKNOWN), (silence, SILENCE)):
        audio.append(rows)
        labels.append(np.full(len(rows), label, np.int64))
    sources += names + ["silence"] * len(silence)
    return _finish(np.concatenate(audio), np.concatenate(labels), sources, material, split, mix, progress)


def _finish(
    audio: Pcm, labels: NDArray[np.int64], sources: list[str], material: Material, split: str, mix: str, progress: Say
) -> EvaluationSet:
    tell_skipped(material.skipped, progress)
    digest = hashlib.sha256(np.ascontiguousarray(audio).tobytes() + labels.astype("<i8").tobytes()).hexdigest()[:12]
    return EvaluationSet(audio, labels, sources, material, split, mix, np.arange(len(audio)), digest)


def _others(
    corpus: Corpus, split: str, count: int | None, rng: np.random.Generator, skipped: list[str]
) -> tuple[Pcm, list[str]]:
    """``count`` clips of the other words of a split (None: all of them), and their words."""
    clips = [c for c in corpus.select(split) if c.label == UNKNOWN]
    if not clips:
        raise KWScopeError(f"{corpus.root} has no {split} clips of other words than the ten: 'unknown' needs them.")
    if count is not None:
        clips = [clips[i] for i in np.sort(rng.permutation(len(clips))[:count])]
    audio, kept = load_clips(clips, skipped)
    return audio, [f"word: {c.word}" for c in kept]


def _background(corpus: Corpus, material: Material, count: int, mix: str, rng: np.random.Generator) -> Pcm:
    """Pieces of the held-out part of the background files: at 0 to 1 of their level (official), or 0.1 (published)."""
    recordings = material.noise.get("background", [])
    if not recordings:
        raise KWScopeError(
            f"{corpus.root} has no _background_noise_, which silence is cut from; "
            "copy that folder from the official archive ('kwscope data fetch')."
        )
    rows = np.empty((count, CLIP_SAMPLES), np.int16)
    for i in range(count):
        recording = recordings[i % len(recordings) if mix == "published" else int(rng.integers(len(recordings)))]
        start = int(rng.integers(max(1, len(recording) - CLIP_SAMPLES)))
        piece = from_pcm(recording[np.arange(start, start + CLIP_SAMPLES) % len(recording)])
        rows[i] = to_pcm(piece * np.float32(0.1 if mix == "published" else rng.uniform(0.0, 1.0)))
    return rows


def subset(whole: EvaluationSet, count: int, seed: int) -> EvaluationSet:
    """About ``count`` clips drawn at random, every class keeping its share (at least one clip of each)."""
    if count < 1:
        raise KWScopeError(f"A subset needs at least one clip, not {count}.")
    if count >= len(whole.labels):
        return whole
    rng = np.random.default_rng([seed, count])
    chosen = []
    for label in range(N_CLASSES):
        rows = np.flatnonzero(whole.labels == label)
        take = min(len(rows), max(1, round(count * len(rows) / len(whole.labels))))
        chosen.append(rng.permutation(rows)[:take])
    rows = np.sort(np.concatenate(chosen))
    return EvaluationSet(
        whole.audio[rows],
        whole.labels[rows],
        [whole.sources[i] for i in rows],
        whole.material,
        whole.split,
        whole.mix,
        whole.index[rows],
        hashlib.sha256(whole.fingerprint.encode() + rows.astype("<i8").tobytes()).hexdigest()[:12],
    )

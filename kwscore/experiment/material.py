"""The clips of a plan: as a set of seconds (each by itself), or as one stream with its words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.file import read_audio
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.playlist import DEMO_MANIFEST, PlaylistItem, load_manifest
from kwscore.audio.recordings import SUFFIXES, recordings_in
from kwscore.constants import CLIP_SAMPLES, LABELS, SAMPLE_RATE, UNKNOWN
from kwscore.data.material import Material, loudest_second
from kwscore.data.speech_commands import BACKGROUND
from kwscore.errors import KWScopeError
from kwscore.evaluation.events import Utterance
from kwscore.evaluation.noisy import check_noise
from kwscore.evaluation.sets import EvaluationSet, load_set, subset
from kwscore.experiment.plan import RECORDED, Plan, noise_label

READ_AFTER = SAMPLE_RATE // 4
"""Samples after the end of a playlist's word where the answer is read: a clip of Speech Commands ends like that."""
LONGEST_NOISE = 600.0
"""Seconds of a noise recording that are used."""

Pcm = NDArray[np.int16]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Speech:
    """What is said in an experiment.

    ``clips``  seconds with labels, and the noise recordings (``clips.material.noise``, by kind).
    ``spans``  (clips, 2) samples of each clip from which to which its word lasts; all of it where that is not known.
    ``ends_known``  whether it is, so that a latency can be told.
    ``pcm``    the same as one stream (n,) int16; empty where the plan's mode is "reset".
    ``reads``  (clips,) sample of the stream at which each answer is read; ``truth`` its words.
    """

    clips: EvaluationSet
    spans: NDArray[np.int64]
    ends_known: bool
    pcm: Pcm
    reads: NDArray[np.int64]
    truth: tuple[Utterance, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.clips.labels


def load_speech(plan: Plan, say: Say = lambda _: None) -> Speech:
    """Read what a plan plays and its recordings. Raises KWScopeError for what is missing, empty or damaged."""
    kind = plan.source.kind
    if kind == "playlist":
        speech = _playlist(plan)
    else:
        clips = _speech_commands(plan, say) if kind == "speech_commands" else _folder(plan, say)
        if plan.source.clips is not None:
            clips = subset(clips, plan.source.clips, plan.seeds[0])
        speech = _from_clips(clips, plan)
    noise = _noise(plan, speech.clips.material.noise)
    material = _material(noise)
    for name in plan.noises:
        check_noise(noise_label(name), material)
    return replace(speech, clips=replace(speech.clips, material=material))


def describe(speech: Speech) -> str:
    """One line for people."""
    counts = np.bincount(speech.labels, minlength=len(LABELS))
    shares = ", ".join(f"{n} {label}" for label, n in zip(LABELS, counts, strict=True) if n)
    return f"{len(speech.labels):,} clips: {shares}"


# sources -------------------------------------------------------------------------------------------------------------
def _speech_commands(plan: Plan, say: Say) -> EvaluationSet:
    source = plan.source
    extra = plan.path(source.extra_dir) if source.extra_dir else None
    return load_set(plan.path(source.where), source.split, source.mix, extra, say)


def _folder(plan: Plan, say: Say) -> EvaluationSet:
    """A sub-folder a word: those of the ten words, silence (also _silence_), and all others as unknown."""
    top = plan.path(plan.source.where)
    if not top.is_dir():
        raise KWScopeError(f"There is no folder {top}: give one with a sub-folder of recordings for each word.")
    rows, labels, names = [], [], []
    for folder in sorted(p for p in top.iterdir() if p.is_dir() and p.name != BACKGROUND and p.name[0] != "."):
        word = folder.name.strip("_")
        label = LABELS.index(word) if word in LABELS else UNKNOWN
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
            try:
                samples = read_audio(path)
            except KWScopeError as error:
                say(f"Left out: {error}")
                continue
            rows.append(loudest_second(samples))
            labels.append(label)
            names.append(f"{folder.name}/{path.name}")
    if not rows:
        raise KWScopeError(
            f"{top} has no recordings that can be used: put them into sub-folders named after what is said, "
            f"for instance {top / 'yes'}."
        )
    return _set(rows, labels, names, "folder")


def _playlist(plan: Plan) -> Speech:
    manifest = DEMO_MANIFEST if plan.source.where == "demo" else plan.path(plan.source.where)
    _, items = load_manifest(manifest)
    if plan.source.clean_only:
        items = [item for item in items if item.noise == "none"]
    if not items:
        raise KWScopeError(
            f"Every item of the playlist {manifest} has noise already: set 'source.clean_only' to false to play them."
        )
    sounds = [_item(item) for item in items]
    rows, spans, reads, truth, at = [], [], [], [], 0
    for item, sound in zip(items, sounds, strict=True):
        start, end = item.start - item.first, max(item.end - item.first, item.start - item.first + 1)
        read = min(end + READ_AFTER, len(sound))
        second = sound[max(0, read - CLIP_SAMPLES) : read]
        rows.append(np.pad(second, (CLIP_SAMPLES - len(second), 0)))
        spans.append((max(0, start - read + CLIP_SAMPLES), end - read + CLIP_SAMPLES))
        reads.append(at + read)
        truth.append(Utterance(item.label, at + start, at + end))
        at += len(sound)
    labels = [LABELS.index(item.label) for item in items]
    clips = _set(rows, labels, [item.path.name for item in items], "playlist")
    if plan.mode == "stream":
        said = tuple(u for u in truth if u.word != "silence")
        return Speech(clips, np.array(spans), True, np.concatenate(sounds), np.array(reads, np.int64), said)
    if plan.source.clips is not None:
        clips = subset(clips, plan.source.clips, plan.seeds[0])
    return Speech(clips, np.array(spans)[clips.index], True, _NOTHING, _NO_READS, ())


def _item(item: PlaylistItem) -> Pcm:
    sound = read_audio(item.path)[: item.length]
    return np.pad(sound, (0, item.length - len(sound)))


def _from_clips(clips: EvaluationSet, plan: Plan) -> Speech:
    """Clips one after the other, each after ``gap_s`` of silence. Where in a clip its word lies is not known."""
    whole = np.tile(np.array([0, CLIP_SAMPLES]), (len(clips.labels), 1))
    if plan.mode == "reset":
        return Speech(clips, whole, False, _NOTHING, _NO_READS, ())
    gap = round(plan.gap_s * SAMPLE_RATE)
    step = gap + CLIP_SAMPLES
    # shuffled: a hundred times the same word in a row is no stream that anybody hears
    order = np.random.default_rng([plan.seeds[0], len(clips.labels)]).permutation(len(clips.labels))
    audio, labels = clips.audio[order], clips.labels[order]
    pcm = np.zeros((len(audio), step), np.int16)
    pcm[:, gap:] = audio
    ends = (np.arange(len(audio), dtype=np.int64) + 1) * step
    truth = tuple(
        Utterance(LABELS[label], int(end) - CLIP_SAMPLES, int(end))
        for label, end in zip(labels, ends, strict=True)
        if LABELS[label] != "silence"
    )
    shuffled = replace(
        clips, audio=audio, labels=labels, index=clips.index[order], sources=[clips.sources[i] for i in order]
    )
    return Speech(shuffled, whole, False, pcm.ravel(), ends, truth)


# noise ---------------------------------------------------------------------------------------------------------------
def _noise(plan: Plan, found: dict[str, list[Pcm]]) -> dict[str, list[Pcm]]:
    """Recordings by kind, as far as the plan uses them: its folder's before the data set's, and files of its own."""
    wanted = [name for name in plan.noises if name not in PUBLISHED_NOISES]
    by_kind = _kinds(plan.path(plan.recordings)) if plan.recordings is not None else {}
    noise: dict[str, list[Pcm]] = {}
    for name in wanted:
        kind = noise_label(name).removeprefix(RECORDED)
        if not name.startswith(RECORDED):
            noise[kind] = [_recording(plan.path(name))]
        elif kind in by_kind:
            noise[kind] = [_recording(path) for path in by_kind[kind]]
        elif kind in found:
            noise[kind] = found[kind]
        else:
            there = ", ".join(f"'{RECORDED}{k}'" for k in sorted({*by_kind, *found})) or "none"
            raise KWScopeError(
                f"There is no noise {name!r} (recordings there are: {there}): name one of them, or set 'recordings' to "
                "a folder with a sub-folder of recordings for each kind."
            )
    return noise


def _kinds(folder: Path) -> dict[str, list[Path]]:
    kinds: dict[str, list[Path]] = {}
    for name, path in recordings_in(folder).items():
        kinds.setdefault(name.partition("/")[0], []).append(path)
    return kinds


def _recording(path: Path) -> Pcm:
    samples = read_audio(path, LONGEST_NOISE)
    if not np.any(samples):
        raise KWScopeError(f"{path} is silent and cannot serve as noise: choose another recording.")
    return samples


def _material(noise: dict[str, list[Pcm]]) -> Material:
    nothing = np.zeros((0, CLIP_SAMPLES), np.int16), np.zeros(0, np.int64)
    return Material(*nothing, *nothing, {}, {}, [], noise, [])


def _set(rows: list[Pcm], labels: list[int], names: list[str], split: str) -> EvaluationSet:
    audio, told = np.stack(rows), np.array(labels, np.int64)
    digest = hashlib.sha256(audio.tobytes() + told.astype("<i8").tobytes()).hexdigest()[:12]
    return EvaluationSet(audio, told, names, _material({}), split, "balanced", np.arange(len(audio)), digest)


_NOTHING: Pcm = np.zeros(0, np.int16)
_NO_READS: NDArray[np.int64] = np.zeros(0, np.int64)

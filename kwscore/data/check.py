"""Verifies a Speech Commands folder: layout, counts by word and split, every clip readable, noise there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from kwscore.constants import CLIP_SAMPLES, SAMPLE_RATE, UNKNOWN, WORDS
from kwscore.data.speech_commands import (
    TEST_FOLDERS,
    Clip,
    Corpus,
    archive_clips,
    ends_early,
    find_corpus,
    official_split,
    read_list,
)

SPLITS = ("train", "validation", "test")
OFFICIAL_CLIPS = 105_829
"""Clips of the whole data set, version 0.02: 35 words."""
OFFICIAL_WORDS = 35
OFFICIAL_KEYWORDS = {"train": 30_769, "validation": 3_703, "test": 4_074}
"""Clips of the ten words in each official split."""
OFFICIAL_TEST_CLIPS = 4_890
"""Clips of the official test archive, 12 classes."""
BACKGROUND_FILES = 6
LISTS = ("validation_list.txt", "testing_list.txt")


@dataclass(slots=True)
class Report:
    """What was found. ``problems``: files that cannot be used or parts that are missing, {kind: sentences}; ``notes``:
    worth knowing, nothing wrong; ``counts`` {word: {split: clips}}; ``facts`` figures by name."""

    root: Path
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.problems

    def problem(self, kind: str, sentence: str) -> None:
        self.problems.setdefault(kind, []).append(sentence)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": str(self.root),
            "good": self.good,
            "facts": self.facts,
            "counts": self.counts,
            "problems": self.problems,
            "notes": self.notes,
        }


def check_folder(
    root: Path | str, read_clips: bool = True, progress: Callable[[int, int], None] = lambda done, total: None
) -> Report:
    """Verify the corpus in ``root``; ``read_clips`` False looks at file headers only.

    Raises KWScopeError where the layout is not there at all.
    """
    corpus = find_corpus(root)
    report = Report(corpus.root)
    official_test = archive_clips(corpus.root)
    corpus.clips += official_test
    for clip in corpus.clips:
        row = report.counts.setdefault(clip.word, dict.fromkeys(SPLITS, 0))
        row[clip.split] += 1
    _check_words(corpus, report)
    _check_clips(corpus, report, read_clips, progress)
    if official_test:
        total = f"{len(corpus.clips):,} of {OFFICIAL_TEST_CLIPS:,}"
        report.notes = [f"The official test archive, for evaluation only: {total} clips."]
    else:
        _check_lists(corpus, report)
    _check_speakers(corpus, report)
    _check_background(corpus, report, needed=not official_test)
    return report


def _check_words(corpus: Corpus, report: Report) -> None:
    missing = [word for word in WORDS if word not in report.counts]
    if missing:
        report.problem("missing words", f"There are no clips of {', '.join(missing)}.")
    if not any(clip.label == UNKNOWN for clip in corpus.clips):
        report.problem("missing words", "There are no other words than the ten: 'unknown' has nothing to be made of.")
    keywords = {split: sum(c.label != UNKNOWN for c in corpus.select(split)) for split in SPLITS}
    report.facts |= {"clips": len(corpus.clips), "words": len(report.counts), "keywords": keywords}
    whole = len(corpus.clips) == OFFICIAL_CLIPS and len(report.counts) == OFFICIAL_WORDS
    report.facts["official"] = whole and keywords == OFFICIAL_KEYWORDS
    if not report.facts["official"]:
        report.notes.append(
            f"Not the whole official data set: {len(corpus.clips):,} of {OFFICIAL_CLIPS:,} clips, {len(report.counts)} "
            f"of {OFFICIAL_WORDS} words."
        )
    for split in SPLITS:
        if not keywords[split]:
            report.notes.append(f"No {split} clips of the ten words.")


def _check_lists(corpus: Corpus, report: Report) -> None:
    present = {f"{c.word}/{c.path.name}" for c in corpus.clips}
    for name in LISTS:
        path = corpus.root / name
        if not path.is_file():
            report.notes.append(f"{name} is missing: the official hash of the speaker decides the split.")
            continue
        absent = sorted(set(read_list(path)) - present)
        if absent:
            report.problem(
                "listed but missing", f"{name} lists {len(absent):,} clips that are not there, such as {absent[0]}."
            )


def _check_speakers(corpus: Corpus, report: Report) -> None:
    """A speaker in two splits would be known to training."""
    seen: dict[str, set[str]] = {}
    for clip in (c for c in corpus.clips if c.speaker):
        seen.setdefault(clip.speaker, set()).add(clip.split)
    torn = sorted(speaker for speaker, splits in seen.items() if len(splits) > 1)
    report.facts["speakers"] = len(seen)
    if torn:
        report.problem("speakers in two splits", f"{len(torn):,} speakers are in two splits, such as {torn[0]}.")
    listed = any((corpus.root / name).is_file() for name in LISTS)
    moved = sum(official_split(c.path.name) != c.split for c in corpus.clips) if listed else 0
    if moved:
        report.notes.append(f"{moved:,} clips are in another split than the official hash of their speaker gives.")


def _check_clips(corpus: Corpus, report: Report, read: bool, progress: Callable[[int, int], None]) -> None:
    lengths: Counter[str] = Counter()
    for done, clip in enumerate(corpus.clips, 1):
        kind, sentence = _clip(clip, read)
        if kind in ("shorter", "longer"):
            lengths[kind] += 1
        elif kind:
            report.problem(kind, sentence)
        if done % 500 == 0 or done == len(corpus.clips):
            progress(done, len(corpus.clips))
    report.facts |= {"shorter_than_1_s": lengths["shorter"], "longer_than_1_s": lengths["longer"], "read": read}


def _clip(clip: Clip, read: bool) -> tuple[str, str]:
    path = clip.path
    try:
        if path.stat().st_size == 0:
            return "empty", f"{path} is empty."
        with soundfile.SoundFile(path) as sound:
            if sound.samplerate != SAMPLE_RATE:
                return "wrong rate", f"{path} has {sound.samplerate} Hz instead of {SAMPLE_RATE}."
            frames, channels = sound.frames, sound.channels
            samples = sound.read(dtype="int16", always_2d=True) if read else None
        cut = ends_early(path)
    except (RuntimeError, OSError) as error:
        return "unreadable", f"{path} cannot be read ({error})."
    if frames == 0 or (samples is not None and not len(samples)):
        return "empty", f"{path} holds no samples."
    if cut or (samples is not None and len(samples) < frames):
        return "cut", f"{path} is shorter than its header says."
    if channels != 1:
        return "not mono", f"{path} has {channels} channels; the first is used."
    if samples is not None and not np.any(samples) and clip.word not in TEST_FOLDERS:
        return "silent", f"{path} holds only zeros."
    return ("shorter" if frames < CLIP_SAMPLES else "longer" if frames > CLIP_SAMPLES else ""), ""


def _check_background(corpus: Corpus, report: Report, needed: bool) -> None:
    seconds = 0.0
    usable = 0
    for path in corpus.background:
        kind, sentence = _clip(Clip(path, path.parent.name, "", "train"), read=True)
        if kind in ("", "shorter", "longer"):
            usable += 1
            seconds += soundfile.info(path).duration
        else:
            report.problem(kind, sentence)
    report.facts |= {"background_files": usable, "background_seconds": round(seconds, 1)}
    if not needed:
        return
    if not usable:
        report.problem(
            "missing noise",
            f"{corpus.root} has no _background_noise_ recordings, which silence and noise are cut from.",
        )
    elif usable < BACKGROUND_FILES:
        report.notes.append(f"{usable} of the {BACKGROUND_FILES} official background recordings are there.")

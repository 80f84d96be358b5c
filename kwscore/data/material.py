"""Everything that training and validation streams are made of, in memory-mapped arrays.

Words that training never hears (``UNHEARD_WORDS``), held-out speakers of running speech, held-out wake words, the
test recordings of the noise set and the last fifth of each background file belong to validation only.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_SAMPLES, UNKNOWN, WORDS
from kwscore.data.held_out import UNHEARD_WAKE_WORDS, UNHEARD_WORDS
from kwscore.data.speech_commands import Corpus, find_corpus, load_clips, read_wav
from kwscore.data.synth import open_synthetic_words
from kwscore.errors import KWScopeError

BACKGROUND_TRAIN = 0.8
"""Share of each background file, from its start, that training may use."""

EXTRA = ("noise", "speech", "synth", "synth_keywords")
"""Folders of further recordings, all optional."""
SPEECH_NOISE = frozenset(("babble",))
"""Kinds of noise that are voices: background for words, but alone neither silence nor anything else."""

Pcm = NDArray[np.int16]


@dataclass(slots=True)
class Material:
    """Recordings by role; every clip bank is (n, 16000) int16, every recording a 1-D int16 array.

    ``words``      (n, 16000) clips of the ten words with ``labels`` (n,).
    ``synthetic_words`` the ten words by synthetic voices, so that a synthetic voice alone does not mean "unknown".
    ``unknown``    {source name: (n, 16000)} clips for the unknown class; ``groups`` names the word of each row.
    ``speech``     running speech, one array a recording.
    ``noise``      {kind: recordings}; "background" are the Speech Commands files.
    ``skipped``    files that could not be used, one sentence each.
    """

    words: Pcm
    labels: NDArray[np.int64]
    synthetic_words: Pcm
    synthetic_labels: NDArray[np.int64]
    unknown: dict[str, Pcm]
    groups: dict[str, list[str]]
    speech: list[Pcm]
    noise: dict[str, list[Pcm]]
    skipped: list[str]


def tell_skipped(skipped: list[str], progress: Callable[[str], None], named: int = 20) -> None:
    """Name what was left out, the first ``named`` of it, and count it."""
    for sentence in skipped[:named]:
        progress(sentence)
    if skipped:
        left = "1 file was left out." if len(skipped) == 1 else f"{len(skipped):,} files were left out."
        progress(left + (" The first are named." if len(skipped) > named else ""))


def _held_out(key: str, share: float) -> bool:
    digest = int(hashlib.sha1(key.encode()).hexdigest()[:8], 16)
    return digest / 0xFFFFFFFF < share


def loudest_second(samples: Pcm) -> Pcm:
    """The second of a longer recording that holds most energy, padded to 16,000 samples when shorter."""
    if len(samples) <= CLIP_SAMPLES:
        out = np.zeros(CLIP_SAMPLES, np.int16)
        start = (CLIP_SAMPLES - len(samples)) // 2
        out[start : start + len(samples)] = samples
        return out
    energy = np.concatenate(([0.0], np.cumsum(samples.astype(np.float64) ** 2)))
    window = energy[CLIP_SAMPLES:] - energy[:-CLIP_SAMPLES]
    start = int(np.argmax(window))
    return samples[start : start + CLIP_SAMPLES]


def _read_manifest(folder: Path, *columns: str) -> list[dict[str, str]]:
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return []
    try:
        with manifest.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KWScopeError(f"{manifest} cannot be read as a table ({error}): repair or remove it.") from None
    if any(None in (row.get(name) for name in columns) for row in rows):
        raise KWScopeError(f"{manifest} lacks a column: it needs {', '.join(columns)}.")
    return rows


def _noise(corpus: Corpus, folder: Path | None, train: bool, skipped: list[str]) -> dict[str, list[Pcm]]:
    found: dict[str, list[Pcm]] = {}
    for path in corpus.background:
        samples = _recording(path, skipped)
        cut = int(len(samples) * BACKGROUND_TRAIN)
        if 0 < cut < len(samples):
            found.setdefault("background", []).append(samples[:cut] if train else samples[cut:])
    if folder is not None and folder.is_dir():
        rows = {row["file"].rsplit(".", 1)[0]: row for row in _read_manifest(folder, "file", "split")}
        for path in sorted(folder.rglob("*.wav")):
            row = rows.get(path.relative_to(folder).with_suffix("").as_posix())
            split = row["split"] if row else ("test" if _held_out(path.stem, 0.25) else "train")
            if (split == "train") != train:
                continue
            kind = "roomtone" if "roomtone" in path.stem else path.parent.name
            if len(samples := _recording(path, skipped)):
                found.setdefault(kind, []).append(samples)
    return found


def _recording(path: Path, skipped: list[str]) -> Pcm:
    """A recording, or no samples where it cannot be used; then ``skipped`` says why."""
    try:
        samples = read_wav(path)
        if not samples.any():
            raise KWScopeError(f"{path} holds only zeros; remove it.")
    except KWScopeError as error:
        skipped.append(str(error))
        return np.zeros(0, np.int16)
    return samples


def _speech(folder: Path | None, train: bool, skipped: list[str]) -> tuple[list[Pcm], list[Pcm], list[str]]:
    pieces: list[Pcm] = []
    wake: list[Pcm] = []
    wake_words: list[str] = []
    if folder is None or not folder.is_dir():
        return pieces, wake, wake_words
    speakers = {row["file"].rsplit(".", 1)[0]: row["speaker"] for row in _read_manifest(folder, "file", "speaker")}
    for path in sorted(folder.rglob("*.wav")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        isolated = "wake_words" in name
        if isolated:
            if (path.parent.name in UNHEARD_WAKE_WORDS) == train:
                continue
        else:
            speaker = speakers.get(name, name)
            # one "speaker" that stands for a crowd is split by file
            if _held_out(name if len(speaker) < 4 or "unknown" in speaker else speaker, 0.12) == train:
                continue
        samples = _recording(path, skipped)
        if not len(samples):
            continue
        if isolated:
            wake.append(loudest_second(samples))
            wake_words.append(path.parent.name)
        elif len(samples) > CLIP_SAMPLES:
            pieces.append(samples)
    return pieces, wake, wake_words


def _extra(root: Path, given: Path | str | None) -> Path:
    """The folder of noise, speech and synthetic words: beside the corpus, or the one given, which has to hold some."""
    if given is None:
        return root.parent
    extra = Path(given).expanduser()
    if not any((extra / name).is_dir() for name in EXTRA):
        raise KWScopeError(f"--extra-dir {extra} holds none of the folders {', '.join(EXTRA)}: name their parent.")
    return extra


def data_key(data_dir: Path | str, extra_dir: Path | str | None = None) -> str:
    """Names the recordings by their relative paths and sizes, so that cached shards of other data are not reused."""
    root = find_corpus(data_dir).root
    extra = _extra(root, extra_dir)
    digest = hashlib.sha256()
    for folder in (root, *(extra / name for name in EXTRA)):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []:
            digest.update(f"{folder.name}/{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:12]


def load_material(
    data_dir: Path | str,
    split: str = "train",
    extra_dir: Path | str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Material:
    """Read all recordings of one side: ``split`` "train" or "validation".

    ``extra_dir`` holds the optional folders ``noise``, ``speech`` and ``synth`` (default: the parent of the corpus).
    Unreadable files are skipped and named. Raises KWScopeError when a side has no clips of the ten words.
    """
    corpus = find_corpus(data_dir)
    extra = _extra(corpus.root, extra_dir)
    train = split == "train"
    skipped: list[str] = []
    progress(f"reading {split} clips")
    clips = corpus.select(split)
    words, kept = load_clips([c for c in clips if c.word in WORDS], skipped)
    absent = sorted(set(WORDS) - {c.word for c in kept}) if train or not kept else []
    if absent:
        unusable = f" {len(skipped):,} files cannot be used, such as: {skipped[0]}" if skipped else ""
        raise KWScopeError(
            f"{corpus.root} has no {split} clips of: {', '.join(absent)}; check the folder and its lists.{unusable}"
        )
    wanted = [c for c in clips if c.label == UNKNOWN and (c.word in UNHEARD_WORDS) != train]
    others, kept_others = load_clips(wanted, skipped)
    unknown, groups = {"words": others}, {"words": [c.word for c in kept_others]}
    progress("reading speech and noise")
    pieces, wake, wake_words = _speech(extra / "speech", train, skipped)
    if wake:
        unknown["wake"], groups["wake"] = np.stack(wake), wake_words
    voices = np.zeros((0, CLIP_SAMPLES), np.int16), np.zeros(0, np.int64)
    if train and (extra / "synth").is_dir():
        synthetic = open_synthetic_words(extra / "synth")
        names = [row["word"] for row in synthetic.rows]
        keep = np.array([name not in UNHEARD_WORDS for name in names])
        unknown["synth"] = synthetic.clips[keep]
        groups["synth"] = [name for name in names if name not in UNHEARD_WORDS]
    if train and (extra / "synth_keywords").is_dir():
        synthetic = open_synthetic_words(extra / "synth_keywords")
        voices = np.array(synthetic.clips), np.array([WORDS.index(row["word"]) for row in synthetic.rows], np.int64)
    noise = _noise(corpus, extra / "noise", train, skipped)
    labels = np.array([c.label for c in kept], np.int64)
    return Material(words, labels, *voices, unknown, groups, pieces, noise, skipped)

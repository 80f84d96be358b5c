"""Speech Commands in its official folder layout and split (P. Warden, arXiv:1804.03209, CC BY 4.0)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kwscore.constants import CLIP_SAMPLES, SAMPLE_RATE, UNKNOWN, WORDS
from kwscore.errors import KWScopeError

BACKGROUND = "_background_noise_"
TEST_FOLDERS = ("_unknown_", "_silence_")
"""What only the official test archive has: its two classes that are no words, clip by clip."""
MAX_PER_CLASS = 2**27 - 1


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: where it lies, what was said, by whom, in which part of the official split."""

    path: Path
    word: str
    speaker: str
    split: str  # "train", "validation" or "test"

    @property
    def label(self) -> int:
        """Class index: the ten words, or unknown."""
        return WORDS.index(self.word) if self.word in WORDS else UNKNOWN


@dataclass(slots=True)
class Corpus:
    """All clips of a folder and its background recordings."""

    root: Path
    clips: list[Clip]
    background: list[Path]
    skipped: list[str] = field(default_factory=list)

    def select(self, split: str) -> list[Clip]:
        """Clips of one part, in a fixed order."""
        return [c for c in self.clips if c.split == split]


def official_split(name: str, validation: float = 10.0, testing: float = 10.0) -> str:
    """Part of the split that a file name belongs to by the official hash of its speaker."""
    speaker = re.sub(r"_nohash_.*$", "", Path(name).name)
    digest = int(hashlib.sha1(speaker.encode()).hexdigest(), 16)
    percentage = (digest % (MAX_PER_CLASS + 1)) * (100.0 / MAX_PER_CLASS)
    if percentage < validation:
        return "validation"
    return "test" if percentage < validation + testing else "train"


def find_corpus(root: Path | str) -> Corpus:
    """List a Speech Commands folder: ``root/<word>/<speaker>_nohash_<n>.wav`` and the two official lists.

    Without the lists the official hash decides. Raises KWScopeError when the layout is not there.
    """
    root = Path(root).expanduser()
    for sub in ("", "speech_commands", "SpeechCommands/speech_commands_v0.02", "speech_commands_v0.02"):
        if any((root / sub / word).is_dir() for word in WORDS):
            root = root / sub
            break
    else:
        raise KWScopeError(
            f"{root} does not hold Speech Commands: expected folders such as {root / 'yes'}; "
            "give the folder that contains them with --data-dir."
        )
    listed = {}
    for split, name in (("validation", "validation_list.txt"), ("test", "testing_list.txt")):
        if (root / name).is_file():
            listed.update({line: split for line in read_list(root / name)})
    clips = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("_")):
        for path in sorted(folder.glob("*.wav")):
            split = listed.get(f"{folder.name}/{path.name}", "train") if listed else official_split(path.name)
            if split == "train" and official_split(path.name) == "test":
                split = "test"  # never train on official test speakers, whatever the lists lack
            clips.append(Clip(path, folder.name, re.sub(r"_nohash_.*$", "", path.name), split))
    if not clips:
        raise KWScopeError(f"{root} holds no .wav clips; unpack Speech Commands there or give another --data-dir.")
    return Corpus(root, clips, sorted((root / BACKGROUND).glob("*.wav")))


def archive_clips(root: Path) -> list[Clip]:
    """Clips of the two classes that are no words where ``root`` is the official test archive, else none."""
    if not all((root / name).is_dir() for name in TEST_FOLDERS):
        return []
    return [Clip(path, name, "", "test") for name in TEST_FOLDERS for path in sorted((root / name).glob("*.wav"))]


def read_list(path: Path) -> list[str]:
    """The lines of one of the official lists; bytes that are no text match no file."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def ends_early(path: Path) -> bool:
    """Whether a RIFF file is shorter than its header says, as after a copy that broke off."""
    with path.open("rb") as file:
        header = file.read(8)
    size = int.from_bytes(header[4:], "little")
    # writers that cannot go back leave the largest number in the header
    return header[:4] == b"RIFF" and size < 0x7FFF0000 and path.stat().st_size < size + 7


def read_wav(path: Path) -> NDArray[np.int16]:
    """A whole 16 kHz file as mono int16 (first channel). Raises KWScopeError naming the file, also an empty one."""
    try:
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        cut = ends_early(path)
    except (RuntimeError, OSError) as error:
        raise KWScopeError(f"{path} cannot be read as audio ({error}); remove it or fetch it again.") from None
    if rate != SAMPLE_RATE:
        raise KWScopeError(f"{path} has {rate} Hz, Speech Commands has {SAMPLE_RATE} Hz; convert it first.")
    if cut or not len(samples):
        raise KWScopeError(f"{path} {'ends early' if cut else 'is empty'}; remove it or fetch it again.")
    return np.ascontiguousarray(samples[:, 0])


def fit_clip(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Zero-pad at the end or cut to 16,000 samples, as the published recipe does."""
    if len(samples) >= CLIP_SAMPLES:
        return samples[:CLIP_SAMPLES]
    return np.pad(samples, (0, CLIP_SAMPLES - len(samples)))


def load_clips(clips: list[Clip], skipped: list[str] | None = None) -> tuple[NDArray[np.int16], list[Clip]]:
    """Read clips to (n, 16000) int16. Unreadable, empty or cut files are named in ``skipped`` and left out."""
    audio = np.zeros((len(clips), CLIP_SAMPLES), np.int16)
    kept: list[Clip] = []
    for clip in clips:
        try:
            samples = read_wav(clip.path)
        except KWScopeError as error:
            if skipped is None:
                raise
            skipped.append(str(error))
            continue
        audio[len(kept)] = fit_clip(samples)
        kept.append(clip)
    return audio[: len(kept)], kept

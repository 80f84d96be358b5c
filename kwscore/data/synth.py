"""A corpus of single words by synthetic voices: the words that recordings lack, for the "unknown" class of training.

A corpus is a folder with ``words.npy``, (n, 16000) int16 clips of 1 s at 16 kHz to be memory-mapped, and
``index.json``, which says for each row the word, the voice with its settings, and where in the clip the word lies.
A clip resembles a Speech Commands recording: the word anywhere within the second, its peak at -20 to -3 dBFS, over
a faint room tone, so that neither digital silence nor one level gives a synthetic voice away.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_SAMPLES, SAMPLE_RATE, WORDS
from kwscore.data.vocabulary import EXCLUDED, HOMOPHONES, UNKNOWN_VOCABULARY
from kwscore.data.voices import (
    ENGLISH,
    FOREIGN,
    PACKAGES,
    VARIANTS,
    Utterance,
    installed_voices,
    missing_engines,
    pronunciations,
    speak,
)
from kwscore.errors import KWScopeError

LONGEST = int(0.95 * SAMPLE_RATE)
"""Samples that a word may take of its second; a longer one is said again faster, and cut if that does not help."""
SHORTEST = int(0.20 * SAMPLE_RATE)
"""A shorter word is said again more slowly."""
PEAK_DBFS = (-20.0, -3.0)
FLOOR_DB = (-60.0, -32.0)
"""Room tone relative to the word's peak."""
ENGINE_SHARES = {"espeak-ng": 0.65, "flite": 0.25, "festival": 0.10}
_FOREIGN_SHARE = 0.35  # of the espeak utterances
_FLITE_SHARES = {"kal": 0.08, "kal16": 0.12, "awb": 0.25, "rms": 0.25, "slt": 0.30}
_FESTIVAL_SHARES = {"kal_diphone": 0.35, "ked_diphone": 0.15, "cmu_us_slt_arctic_hts": 0.50}
_UNCLEAR = ("ked_diphone", "kal")  # too unclear, or of too narrow a band, to stand for a keyword
_TRIM_DB = -42.0  # a 5 ms frame this far below the loudest belongs to the pause
_FRAME = 80
_INDEX, _CLIPS = "index.json", "words.npy"

Samples = NDArray[np.float32]
Clips = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class SyntheticWords:
    """A corpus as opened: ``clips`` (n, 16000) int16, memory-mapped; ``rows`` n dictionaries as in ``index.json``."""

    clips: Clips
    rows: list[dict[str, Any]]


def trim(samples: Samples) -> Samples:
    """The word without the pauses around it: 15 ms are left before, 30 ms after, faded. Silence comes back empty."""
    n = len(samples) // _FRAME
    energy = np.mean(samples[: n * _FRAME].reshape(n, _FRAME) ** 2, axis=1) if n else np.zeros(0, np.float32)
    if not n or energy.max() <= 0:
        return samples[:0]
    loud = np.flatnonzero(energy > energy.max() * 10 ** (_TRIM_DB / 10))
    start = max(0, int(loud[0]) * _FRAME - 240)
    word = samples[start : (int(loud[-1]) + 1) * _FRAME + 480].copy()
    return fade(word, 80, 320)


def fade(samples: Samples, before: int, after: int) -> Samples:
    """Fade the first and last samples in and out, in place; returns the same array."""
    before, after = min(before, len(samples)), min(after, len(samples))
    samples[:before] *= np.linspace(0, 1, before, dtype=np.float32)
    samples[len(samples) - after :] *= np.linspace(1, 0, after, dtype=np.float32)
    return samples


def room_tone(n: int, rng: np.random.Generator) -> Samples:
    """(n,) float32 noise of RMS 1 whose spectrum falls by 0 to 9 dB an octave from 100 Hz on."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE), 100.0)
    spectrum *= (frequency / 100.0) ** (-rng.uniform(0.0, 1.5))
    spectrum[0] = 0
    tone = np.fft.irfft(spectrum, n)
    return np.asarray(tone / np.sqrt(np.mean(tone**2)), np.float32)


def place(word: Samples, rng: np.random.Generator) -> tuple[Clips, dict[str, Any]]:
    """Put a trimmed word anywhere in a second of room tone; returns the clip and what was drawn."""
    cut = len(word) > LONGEST
    if cut:
        word = fade(word[:LONGEST].copy(), 0, 320)
    start = int(rng.integers(0, CLIP_SAMPLES - len(word) + 1))
    peak_db, floor_db = rng.uniform(*PEAK_DBFS), rng.uniform(*FLOOR_DB)
    peak = 10 ** (peak_db / 20)
    clip = room_tone(CLIP_SAMPLES, rng) * np.float32(peak * 10 ** (floor_db / 20))
    clip[start : start + len(word)] += word * np.float32(peak / max(float(np.abs(word).max()), 1e-9))
    pcm = np.clip(np.rint(clip * 32768.0), -32768, 32767).astype(np.int16)
    facts = {"start": start, "end": start + len(word), "cut": cut}
    return pcm, facts | {"peak_dbfs": round(float(peak_db), 2), "floor_db": round(float(floor_db), 2)}


def make_synthetic_words(
    dest: Path,
    words: Sequence[str],
    per_word: int,
    seed: int,
    engines: Iterable[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> SyntheticWords:
    """Let synthetic voices say each word ``per_word`` times and leave the corpus in the folder ``dest``.

    ``engines``: a subset of ``PACKAGES`` (default: all); those not installed are left out with a sentence to ``warn``.
    ``progress`` is told (clips done, clips in all). The same arguments and synthesizers give the same bytes. Words
    that must be recognisable (keywords) are said by clear English voices only; the other words also by foreign ones,
    except where such an accent turns them into a keyword. Raises KWScopeError when there is no synthesizer, no word, or
    ``dest`` cannot be written.
    """
    if not words or per_word < 1:
        raise KWScopeError("Synthetic words need at least one word and per_word of at least 1.")
    plan = _plan(list(words), per_word, seed, _engines(engines, warn))
    dest = Path(dest)
    try:
        dest.mkdir(parents=True, exist_ok=True)
        beside = dest / (_CLIPS + ".part")
        clips = np.lib.format.open_memmap(beside, mode="w+", dtype=np.int16, shape=(len(plan), CLIP_SAMPLES))
        rows = _say(plan, clips, seed, progress)
        clips.flush()
        digest = hashlib.sha256(clips.tobytes()).hexdigest()
        index = {"rate": SAMPLE_RATE, "seed": seed, "sha256": digest, "rows": rows}
        index_beside = dest / (_INDEX + ".part")
        index_beside.write_text(json.dumps(index, indent=None, separators=(",", ":")) + "\n")
        (dest / _INDEX).unlink(missing_ok=True)  # never an old index beside new clips
        beside.rename(dest / _CLIPS)
        index_beside.rename(dest / _INDEX)
    except OSError as error:
        raise KWScopeError(f"The synthetic words cannot be written to {dest}: {error.strerror}.") from error
    return open_synthetic_words(dest)


def open_synthetic_words(folder: Path) -> SyntheticWords:
    """Open a corpus that ``make_synthetic_words`` left. Raises KWScopeError when it is missing or damaged."""
    folder = Path(folder)
    try:
        index = json.loads((folder / _INDEX).read_text())
        clips = np.load(folder / _CLIPS, mmap_mode="r")
        rows = index["rows"]
    except FileNotFoundError as error:
        raise KWScopeError(f"There are no synthetic words in {folder}; make them first.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KWScopeError(f"The synthetic words in {folder} are damaged ({error}); make them again.") from error
    if clips.dtype != np.int16 or clips.shape != (len(rows), CLIP_SAMPLES):
        raise KWScopeError(f"The index and the clips in {folder} do not belong together; make them again.")
    return SyntheticWords(clips, rows)


def _engines(wanted: Iterable[str] | None, warn: Callable[[str], None]) -> list[str]:
    names = list(PACKAGES if wanted is None else dict.fromkeys(wanted))
    if unknown := [name for name in names if name not in PACKAGES]:
        raise KWScopeError(f"There is no speech synthesizer {unknown[0]!r}; choose from {', '.join(PACKAGES)}.")
    usable = [name for name in names if name in installed_voices()]
    if not usable:
        packages = " ".join(PACKAGES[name] for name in names)
        raise KWScopeError(f"No speech synthesizer is installed; on Debian or Ubuntu: apt-get install {packages}")
    for name, sentence in missing_engines().items():
        if name in names:
            warn(sentence)
    return usable


def _plan(words: list[str], per_word: int, seed: int, engines: list[str]) -> list[Utterance]:
    """Who says what: ``per_word`` utterances for each word in turn; the engines' shares hold over the whole."""
    rng = np.random.default_rng((seed, 0))
    total = len(words) * per_word
    shares = np.array([ENGINE_SHARES[name] for name in engines])
    edges = np.rint(np.cumsum(shares / shares.sum()) * total).astype(int)
    chosen = np.repeat(np.arange(len(engines)), np.diff(edges, prepend=0))
    rng.shuffle(chosen)
    clashes = _clashes(words) if "espeak-ng" in engines else set()
    texts = [word for word in words for _ in range(per_word)]
    return [_draw(text, engines[c], clashes, rng) for text, c in zip(texts, chosen, strict=True)]


def _draw(text: str, engine: str, clashes: set[tuple[str, str]], rng: np.random.Generator) -> Utterance:
    pitch = round(float(2 ** rng.uniform(-0.45, 0.45)), 3)
    if engine == "espeak-ng":
        allowed = [a for a in ENGLISH if (text, a) not in clashes] or [ENGLISH[0]]
        if text not in EXCLUDED and rng.random() < _FOREIGN_SHARE:
            allowed = [a for a in FOREIGN if (text, a) not in clashes] or allowed
        voice = f"{allowed[rng.integers(len(allowed))]}+{VARIANTS[rng.integers(len(VARIANTS))]}"
        tempo, warp = rng.uniform(110, 220) / 150, rng.uniform(0.94, 1.10)
    else:
        shares = _FLITE_SHARES if engine == "flite" else _FESTIVAL_SHARES
        unfit = _UNCLEAR if text in EXCLUDED else ()
        there = [v for v in installed_voices()[engine] if v not in unfit] or list(installed_voices()[engine])
        weight = np.array([shares[v] for v in there])
        voice = there[rng.choice(len(there), p=weight / weight.sum())]
        tempo, warp = rng.uniform(0.8, 1.35), rng.uniform(0.84, 1.25)
    return Utterance(text, engine, voice, round(float(tempo), 3), pitch, round(float(warp), 3))


def _clashes(words: list[str]) -> set[tuple[str, str]]:
    """(word, accent) pairs where an accent makes a word sound like an excluded one ("of" in Dutch is "off")."""
    forbidden = sorted(EXCLUDED - HOMOPHONES)
    plain = [p for accent in ("en-us", "en-gb") for p in pronunciations(forbidden, accent)]
    found: set[tuple[str, str]] = set()
    free = [word for word in words if word not in EXCLUDED]
    if not free:
        return found
    for accent in ENGLISH + FOREIGN:
        taken = {*plain, *pronunciations(forbidden, accent)}
        found.update((w, accent) for w, p in zip(free, pronunciations(free, accent), strict=True) if p in taken)
    return found


def _say(plan: list[Utterance], clips: Clips, seed: int, progress: Callable[[int, int], None]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in plan]
    left, done = dict(enumerate(plan)), 0
    for last in (False, False, True):
        numbers, again = list(left), {}
        for at, samples in speak([left[i] for i in numbers]):
            number, word = numbers[at], trim(samples)
            said = left[number]
            wanted = 0.9 * LONGEST if len(word) > LONGEST else 1.2 * SHORTEST if len(word) < SHORTEST else 0.0
            if wanted and not last:
                again[number] = replace(said, tempo=round(max(said.tempo * len(word) / wanted, 0.4), 3))
                continue
            clips[number], facts = place(word, np.random.default_rng((seed, 1, number)))
            voice = asdict(said)
            rows[number] = {"word": voice.pop("text")} | voice | facts
            done += 1
            progress(done, len(plan))
        left = again
        if not left:
            break
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m kwscore.data.synth DATA_DIR``: make ``synth`` (unknown words) and ``synth_keywords`` in it."""
    parser = argparse.ArgumentParser(prog="python -m kwscore.data.synth", description=main.__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--per-word", type=int, default=6, help="clips of each unknown word")
    parser.add_argument("--per-keyword", type=int, default=150, help="clips of each of the ten keywords; 0 for none")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args(arguments)

    def progress(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            print(f"{done} of {total} clips", file=sys.stderr)

    def warn(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    sets = [("synth", UNKNOWN_VOCABULARY, options.per_word), ("synth_keywords", WORDS, options.per_keyword)]
    try:
        for name, words, count in sets:
            if count:
                make_synthetic_words(options.data_dir / name, words, count, options.seed, None, progress, warn)
    except KWScopeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

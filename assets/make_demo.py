"""Makes the demo playlist: ``python -m assets.make_demo`` writes ``assets/demo/*.opus`` and ``playlist.json``, and into
``clean`` what is said in the noisy items without the noise, sample by sample.

Synthetic voices say the ten keywords, clean and in five noises at 10, 5 and 0 dB, and a few other words; between them
are a quiet room and noise alone. Everything is made here, nothing is a recording. One section (``PLAN`` lines of one
noise) is one continuous piece of noise, cut into items, so that played in turn they join without a seam. The SNR is
that of the published mixing: RMS of the second around the word against the RMS of the noise in it.
Needs espeak-ng, flite and festival; the same versions of them give the same sounds.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from kwscore.audio.mixing import rms
from kwscore.audio.noise import make_noise
from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.data.synth import room_tone, trim
from kwscore.data.voices import Utterance, speak
from kwscore.errors import KWScopeError

DEST = Path(__file__).resolve().parent / "demo"
CLEAN = "clean"
"""Folder of the noisy items without noise."""
TITLE = "KWScope demo: ten keywords, clean and in five noises"
SEED = 7
LEAD, WINDOW, TAIL = int(0.3 * SAMPLE_RATE), SAMPLE_RATE, int(0.3 * SAMPLE_RATE)
ITEM = LEAD + WINDOW + TAIL
SPEECH_RMS = 10 ** (-27 / 20)
"""RMS of the second around each word, about that of the training corpus."""
PEAK = 10 ** (-3 / 20)
"""No word may be louder; one with higher peaks is lowered as a whole."""
TONE_RMS = 10 ** (-64 / 20)

Samples = NDArray[np.float32]


class Voice(NamedTuple):
    """A synthetic speaker and how a visitor knows them."""

    engine: str
    name: str
    tempo: float = 1.0
    pitch: float = 1.0
    warp: float = 1.0


VOICES = {
    "Sal": Voice("flite", "slt", tempo=0.95),
    "Ross": Voice("flite", "rms", tempo=1.05),
    "Alan": Voice("flite", "awb", tempo=1.0),
    "Sue": Voice("festival", "cmu_us_slt_arctic_hts", tempo=0.95),
    "Ben": Voice("flite", "rms", tempo=1.0, warp=1.12),
    "Ann": Voice("flite", "slt", tempo=0.9, warp=0.9),
}


class Line(NamedTuple):
    """One item: who says what (None: nobody), in which noise, at which SNR in dB."""

    text: str | None
    voice: str = ""
    noise: str = "none"
    snr_db: float | None = None


QUIET = Line(None)
PLAN: tuple[Line, ...] = (
    QUIET,
    Line("yes", "Sal"), Line("no", "Ross"), Line("up", "Sue"), Line("down", "Ann"), Line("left", "Ben"),
    Line("right", "Ross"), Line("on", "Sal"), Line("off", "Alan"), Line("stop", "Sue"), Line("go", "Ross"),
    QUIET,
    Line("marvin", "Sal"), Line("sheila", "Ross"), Line("visual", "Sue"), Line("follow", "Ann"),
    Line("yes", "Ross"), Line("no", "Ann"), Line("up", "Ben"), Line("down", "Sal"), Line("left", "Ann"),
    Line("right", "Sue"), Line("on", "Alan"), Line("off", "Ross"), Line("stop", "Alan"), Line("go", "Ben"),
    QUIET,
    Line(None, "", "white", 5), Line("yes", "Ann", "white", 10), Line("left", "Ross", "white", 10),
    Line("stop", "Sue", "white", 5), Line("down", "Sal", "white", 5),
    Line("no", "Ross", "white", 0), Line("right", "Ben", "white", 0),
    QUIET,
    Line(None, "", "pink", 5), Line("up", "Sue", "pink", 10), Line("go", "Ross", "pink", 10),
    Line("off", "Ross", "pink", 5), Line("right", "Sue", "pink", 5),
    Line("yes", "Sal", "pink", 0), Line("stop", "Alan", "pink", 0),
    QUIET,
    Line(None, "", "factory", 5), Line("on", "Ann", "factory", 10), Line("no", "Sal", "factory", 10),
    Line("left", "Ben", "factory", 5), Line("go", "Alan", "factory", 5),
    Line("down", "Sue", "factory", 0), Line("yes", "Ross", "factory", 0),
    QUIET,
    Line("backward", "Sal"), Line("seven", "Ross"), Line("house", "Sue"), Line("wow", "Alan"),
    QUIET,
    Line(None, "", "street", 5), Line("right", "Ross", "street", 10), Line("up", "Ben", "street", 10),
    Line("stop", "Sue", "street", 5), Line("no", "Ann", "street", 5),
    Line("left", "Ann", "street", 0), Line("go", "Ross", "street", 0),
    QUIET,
    Line(None, "", "babble", 5), Line("down", "Ann", "babble", 10), Line("off", "Ben", "babble", 10),
    Line("yes", "Sue", "babble", 5), Line("on", "Sal", "babble", 5),
    Line("stop", "Alan", "babble", 0), Line("right", "Ross", "babble", 0),
    QUIET,
)  # fmt: skip
"""The playlist in order; swap, add or drop lines freely."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line as sound: ``samples`` (25600,) float32; the word (or the whole silence) is [start, end). ``clean``: the
    word alone, without the noise and the room."""

    line: Line
    samples: Samples
    start: int
    end: int
    clean: Samples


def label(line: Line) -> str:
    """The class that a network should give."""
    return "silence" if line.text is None else line.text if line.text in WORDS else "unknown"


def caption(line: Line) -> str:
    """What a visitor reads while the item sounds."""
    if line.text is None:
        return "a quiet room, no word" if line.noise == "none" else f"{line.noise} noise alone, no word"
    where = "clean" if line.noise == "none" else f"in {line.noise} noise at {line.snr_db:g} dB"
    if line.text in WORDS:
        return f"the word “{line.text}” {where}" if line.noise != "none" else f"the word “{line.text}”, clean"
    return f"“{line.text}”, {where}: not a keyword"


def say(plan: Sequence[Line]) -> list[Samples]:
    """The trimmed word of every line at the playlist's level; empty where nobody speaks."""
    spoken = [line for line in plan if line.text is not None]
    wanted = []
    for line in spoken:
        if line.voice not in VOICES:
            raise KWScopeError(f"The demo plan names the voice {line.voice!r}; choose from {', '.join(VOICES)}.")
        voice = VOICES[line.voice]
        wanted.append(Utterance(str(line.text), voice.engine, voice.name, voice.tempo, voice.pitch, voice.warp))
    said = {id(spoken[at]): _level(trim(samples), wanted[at]) for at, samples in speak(wanted)}
    return [said.get(id(line), np.zeros(0, np.float32)) for line in plan]


def _level(word: Samples, utterance: Utterance) -> Samples:
    if not 0 < len(word) <= WINDOW:
        seconds = len(word) / SAMPLE_RATE
        raise KWScopeError(f"{utterance.text!r} by {utterance.voice!r} lasts {seconds:.2f} s; it must fit in a second.")
    gain = SPEECH_RMS / np.sqrt(np.sum(word**2) / WINDOW)
    return word * np.float32(min(gain, PEAK / np.abs(word).max()))


def compose(plan: Sequence[Line], words: Sequence[Samples], seed: int = SEED) -> list[Item]:
    """Items in playing order. ``words``: one trimmed word a line, at most 1 s; empty for lines that nobody speaks."""
    items: list[Item] = []
    numbered = list(zip(plan, words, strict=True))
    for section, (noise, group) in enumerate(groupby(numbered, key=lambda pair: pair[0].noise)):
        pairs = list(group)
        speech = np.zeros(len(pairs) * ITEM, np.float32)
        spans = []
        for number, (_, word) in enumerate(pairs):
            start = LEAD + (WINDOW - len(word)) // 2
            speech[number * ITEM + start : number * ITEM + start + len(word)] = word
            spans.append((start, start + len(word)) if len(word) else (0, ITEM))
        rng = np.random.default_rng((seed, section))
        sound = speech + room_tone(len(speech), rng) * np.float32(TONE_RMS)
        if noise != "none":
            bed = make_noise(noise, len(speech), rng)
            sound += bed * _gain([line for line, _ in pairs], speech, bed)
        for number, ((line, _), (start, end)) in enumerate(zip(pairs, spans, strict=True)):
            part = slice(number * ITEM, (number + 1) * ITEM)
            items.append(Item(line, sound[part], start, end, speech[part]))
    return items


def _gain(lines: Sequence[Line], speech: Samples, bed: Samples) -> Samples:
    """The noise's gain at every sample: constant in the second around a word, gliding between, from and to silence."""
    at, gain = [0.0], [0.0]
    for number, line in enumerate(lines):
        if line.snr_db is None:
            raise KWScopeError(f"The demo plan gives no SNR for {caption(line)}; add one in dB.")
        window = slice(number * ITEM + LEAD, number * ITEM + LEAD + WINDOW)
        level = float(rms(speech[window])[0]) if line.text is not None else SPEECH_RMS
        at += [window.start, window.stop]
        gain += [level / 10 ** (line.snr_db / 20) / float(rms(bed[window])[0])] * 2
    return np.interp(np.arange(len(speech)), [*at, len(speech)], [*gain, 0.0]).astype(np.float32)


def manifest(items: Sequence[Item]) -> dict[str, object]:
    """The content of ``playlist.json``; times in seconds."""
    entries = [
        {
            "file": file_name(number, item.line),
            "label": label(item.line),
            "start": round(item.start / SAMPLE_RATE, 4),
            "end": round(item.end / SAMPLE_RATE, 4),
            "noise": item.line.noise,
            "snr_db": item.line.snr_db,
            "caption": caption(item.line),
            **({} if item.line.noise == "none" else {"clean": f"{CLEAN}/{clean_name(item.line)}"}),
        }
        for number, item in enumerate(items, 1)
    ]
    return {"title": TITLE, "items": entries}


def file_name(number: int, line: Line) -> str:
    """Such as "31-left-white-10dB.opus"."""
    parts = [f"{number:02d}", line.text or ("quiet" if line.noise == "none" else "only")]
    parts += [] if line.noise == "none" else [line.noise, f"{line.snr_db:g}dB"]
    return "-".join(parts) + ".opus"


def clean_name(line: Line) -> str:
    """Such as "left-ross.flac"; items in which the same voice says the same word share it."""
    return f"{line.text}-{line.voice.lower()}.flac" if line.text is not None else "nobody.flac"


def write(items: Sequence[Item], dest: Path = DEST) -> None:
    """Write the files and the manifest, remove those of an earlier plan; a file that sounds the same stays as it is."""
    dest.mkdir(parents=True, exist_ok=True)
    content = manifest(items)
    names = [file_name(number, item.line) for number, item in enumerate(items, 1)]
    for name, item in zip(names, items, strict=True):
        if float(np.abs(item.samples).max()) >= 1.0:
            raise KWScopeError(f"{name} would clip; lower SPEECH_RMS or raise its SNR.")
        data = _encode(item.samples)
        # an Ogg stream carries a random serial number, so files that sound alike differ in bytes
        if not (dest / name).is_file() or not np.array_equal(_decode((dest / name).read_bytes()), _decode(data)):
            _replace(dest / name, data)
    _write_clean(items, dest / CLEAN)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    _replace(dest / "playlist.json", text.encode())
    for stale in set(dest.glob("*.opus")) - {dest / name for name in names}:
        stale.unlink()


def _write_clean(items: Sequence[Item], dest: Path) -> None:
    wanted = {clean_name(item.line): item.clean for item in items if item.line.noise != "none"}
    dest.mkdir(exist_ok=True)
    for name, samples in wanted.items():
        sink = io.BytesIO()
        soundfile.write(sink, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        if not (dest / name).is_file() or (dest / name).read_bytes() != sink.getvalue():
            _replace(dest / name, sink.getvalue())
    for stale in set(dest.glob("*.flac")) - {dest / name for name in wanted}:
        stale.unlink()


def _encode(samples: Samples) -> bytes:
    sink = io.BytesIO()
    # about 60 kbit/s, where the noise still is itself sample by sample (correlation 0.99)
    soundfile.write(sink, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=0.8)
    return sink.getvalue()


def _decode(data: bytes) -> Samples:
    samples: Samples = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    return samples


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(data)
    beside.rename(path)


def main() -> int:
    """Make the demo; prints its length and size."""
    try:
        write(compose(PLAN, say(PLAN)))
    except KWScopeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    size = sum(path.stat().st_size for path in DEST.rglob("*") if path.is_file())
    print(f"{len(PLAN)} items, {len(PLAN) * ITEM / SAMPLE_RATE:.0f} s, {size / 1e6:.2f} MB in {DEST}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

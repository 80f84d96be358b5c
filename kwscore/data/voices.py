"""Synthetic voices: espeak-ng, flite and festival behind one function, for synthetic words and the demo playlist.

Each is a Debian package and runs as a child process; what is not installed is not offered. The same utterance gives the
same samples on the same machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError

PACKAGES = {
    "espeak-ng": "espeak-ng",
    "flite": "flite",
    "festival": "festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts",
}
"""Engine (and program) name -> Debian packages that bring it."""

ENGLISH = (
    "en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc",
)  # fmt: skip
FOREIGN = ("de", "fr-fr", "es", "it", "nl", "pl", "sv", "pt", "hi", "da", "ro", "cs", "tr", "fi", "hu", "el", "id")
"""Espeak languages that read English words in their own accent."""
VARIANTS = (
    *(f"m{i}" for i in range(1, 9)), *(f"f{i}" for i in range(1, 6)),
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Lee", "Marco", "Mario",
    "Michael", "Mike", "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "ed",
    "edward", "grandma", "grandpa", "iven", "john", "klatt", "klatt3", "linda", "max", "michel", "miguel", "norbert",
    "pablo", "paul", "quincy", "rob", "robert", "sandro", "shelby", "steph", "travis", "victor", "whisper", "zac",
)  # fmt: skip
"""Espeak variants that sound like people; the robots are left out."""
FLITE = ("kal", "kal16", "awb", "rms", "slt")
_FLITE_F0 = {"kal": 105.0, "kal16": 105.0, "awb": 133.0, "slt": 172.0}  # Hz; rms ignores its pitch setting
FESTIVAL = {
    "kal_diphone": "english/kal_diphone",
    "ked_diphone": "english/ked_diphone",
    "cmu_us_slt_arctic_hts": "us/cmu_us_slt_arctic_hts",
}
_FESTIVAL_F0 = 105.0  # Hz, of both diphone voices
_FESTIVAL_HOME = Path("/usr/share/festival/voices")
_TIMEOUT = 30.0  # s for one word or, in festival, for the start of a batch


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is said and how.

    ``engine``: a key of ``PACKAGES``; ``voice``: the engine's own name ("en-gb+f3", "slt", "kal_diphone").
    ``tempo``: 1 is the voice's usual rate, 2 twice as fast. ``pitch``: relative to the voice's own
    (flite's rms and the HTS voice ignore it).
    ``warp``: the sound is played back this much faster, which shifts pitch and formants together like a smaller head.
    """

    text: str
    engine: str
    voice: str
    tempo: float = 1.0
    pitch: float = 1.0
    warp: float = 1.0


@cache
def installed_voices() -> dict[str, tuple[str, ...]]:
    """{engine: voices} of the synthesizers on this machine; empty when there is none. English voices come first."""
    found: dict[str, tuple[str, ...]] = {}
    if shutil.which("espeak-ng"):
        found["espeak-ng"] = tuple(f"{accent}+{variant}" for accent in ENGLISH + FOREIGN for variant in VARIANTS)
    if shutil.which("flite"):
        listed = _run(["flite", "-lv"]).split()
        found["flite"] = tuple(v for v in FLITE if v in listed)
    if shutil.which("festival"):
        there = tuple(v for v, folder in FESTIVAL.items() if (_FESTIVAL_HOME / folder).is_dir())
        if there:
            found["festival"] = there
    return found


def missing_engines() -> dict[str, str]:
    """{engine: sentence that says how to get it} for every synthesizer that is not installed."""
    return {
        engine: f"{engine} is not installed; its voices are left out (Debian: apt-get install {packages})."
        for engine, packages in PACKAGES.items()
        if engine not in installed_voices()
    }


def speak(utterances: Sequence[Utterance]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Say each utterance; yields (its index, (n,) float32 at 16 kHz in [-1, 1]), in an order of the engines' choosing.

    Raises KWScopeError when an engine is not installed or fails.
    """
    for engine in {u.engine: None for u in utterances}:
        if engine not in PACKAGES:
            raise KWScopeError(f"There is no speech synthesizer {engine!r}; choose from {', '.join(PACKAGES)}.")
        if engine not in installed_voices():
            raise KWScopeError(missing_engines()[engine])
    with TemporaryDirectory(prefix="kwscope-voices-") as folder:
        wav = Path(folder) / "word.wav"
        for index, utterance in enumerate(utterances):
            if utterance.engine == "espeak-ng":
                yield index, _finish(_espeak(utterance, wav), utterance)
            elif utterance.engine == "flite":
                yield index, _finish(_flite(utterance, wav), utterance)
        batch = [(index, u) for index, u in enumerate(utterances) if u.engine == "festival"]
        for start in range(0, len(batch), 200):
            part = batch[start : start + 200]
            paths = _festival([u for _, u in part], Path(folder))
            for (index, utterance), path in zip(part, paths, strict=True):
                yield index, _finish(path, utterance)


def pronunciations(words: Sequence[str], accent: str) -> list[str]:
    """How an espeak language says each word: IPA without stress and length marks, in the order of ``words``."""
    # A full stop and an empty line keep espeak from joining unstressed neighbours ("of an" -> one word).
    text = "\n\n".join(f"{word}." for word in words)
    lines = _run(["espeak-ng", "-q", "--ipa", "-v", accent], text).splitlines()
    said = [re.sub("[ˈˌː]|\\([a-z-]+\\)", "", line).strip() for line in lines if line.strip()]
    if len(said) != len(words):
        raise KWScopeError(f"espeak-ng gave {len(said)} pronunciations of {len(words)} words in {accent!r}.")
    return said


def _finish(path: Path, utterance: Utterance) -> NDArray[np.float32]:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise KWScopeError(f"{utterance.engine} left no sound for {utterance.text!r} ({error}).") from error
    path.unlink()
    mono = samples[:, 0]
    if not np.any(mono):
        raise KWScopeError(f"{utterance.engine} said nothing for {utterance.text!r} in the voice {utterance.voice!r}.")
    resampled = soxr.resample(mono, rate * utterance.warp, SAMPLE_RATE, quality="HQ")
    return np.clip(np.asarray(resampled, np.float32), -1.0, 1.0)


def _espeak(u: Utterance, wav: Path) -> Path:
    rate = str(min(max(round(150 * u.tempo), 80), 450))  # words a minute
    # espeak's scale of 0..99 with 50 in the middle is about an octave each way
    pitch = str(min(max(round(50 + 50 * np.log2(u.pitch)), 0), 99))
    _run(["espeak-ng", "-v", u.voice, "-s", rate, "-p", pitch, "-w", str(wav), u.text])
    return wav


def _flite(u: Utterance, wav: Path) -> Path:
    command = ["flite", "-voice", u.voice, "--setf", f"duration_stretch={1 / u.tempo:.3f}"]
    if u.voice in _FLITE_F0:
        command += ["--setf", f"int_f0_target_mean={_FLITE_F0[u.voice] * u.pitch:.1f}"]
    _run([*command, "-t", u.text, "-o", str(wav)])
    return wav


def _festival(utterances: Sequence[Utterance], folder: Path) -> list[Path]:
    script, paths = [], []
    for number, u in enumerate(utterances):
        if u.voice not in installed_voices()["festival"]:
            raise KWScopeError(f"festival has no voice {u.voice!r} here; it has {installed_voices()['festival']}.")
        paths.append(folder / f"festival{number}.wav")
        script.append(f"(voice_{u.voice})")
        if u.voice.endswith("_hts"):
            rate = f'(list (list "-r" {u.tempo:.3f}))'
            script.append(f"(set! hts_engine_params (append hts_engine_params {rate}))")
        else:
            script.append(f"(Parameter.set 'Duration_Stretch {1 / u.tempo:.3f})")
            f0 = f"(target_f0_mean {_FESTIVAL_F0 * u.pitch:.1f}) (target_f0_std 14)"
            script.append(f"(set! int_lr_params '({f0} (model_f0_mean 170) (model_f0_std 34)))")
        text = u.text.replace("\\", "").replace('"', "")
        script.append(f'(utt.save.wave (SynthText "{text}") "{paths[-1]}" \'riff)')
    commands = folder / "festival.scm"
    commands.write_text("\n".join(script) + "\n")
    _run(["festival", "-b", str(commands)], timeout=_TIMEOUT + 2 * len(utterances))
    return paths


def _run(command: Sequence[str], text: str | None = None, timeout: float = _TIMEOUT) -> str:
    try:
        done = subprocess.run(
            command, input=text, stdin=None if text is not None else subprocess.DEVNULL, capture_output=True,
            text=True, timeout=timeout, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise KWScopeError(f"{command[0]} did not answer within {timeout:.0f} s; try again.") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise KWScopeError(f"{command[0]} failed with code {done.returncode}: {reason}")
    return done.stdout

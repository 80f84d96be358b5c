"""The validation mix: balanced like the official test set, with an unknown class that training never heard.

Every validation clip of the ten words; silence and unknown a tenth of their number each. Everything is drawn from
fixed seeds, so the mix is the same on every machine that has the same recordings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.mixing import mix
from kwscore.audio.noise import make_noise
from kwscore.constants import CLIP_SAMPLES, SILENCE, UNKNOWN
from kwscore.data.augment import from_pcm, to_pcm
from kwscore.data.material import SPEECH_NOISE, Material, load_material

Pcm = NDArray[np.int16]
CONTEXT = CLIP_SAMPLES
"""Samples of context before the clip in the stream conditions: 1 s."""
STEP_DB = 25.0
STEP_LEVEL = 10.0 ** (-35.0 / 20.0)
NOISES = ("white", "pink", "factory", "street", "babble")


@dataclass(slots=True)
class ValidationMix:
    """``audio`` (n, 16000) int16, ``labels`` (n,), ``sources`` (n,) names for the report; ``material`` held out."""

    audio: Pcm
    labels: NDArray[np.int64]
    sources: list[str]
    material: Material


def _silence(material: Material, count: int, rng: np.random.Generator) -> list[tuple[Pcm, str]]:
    kinds = sorted(set(material.noise) - SPEECH_NOISE)
    rows: list[tuple[Pcm, str]] = []
    for index in range(count):
        if index % 10 == 9 or not kinds:
            amplitude = index // 10 % 2  # digital silence, and dither of one step
            rows.append((rng.integers(-amplitude, amplitude + 1, CLIP_SAMPLES).astype(np.int16), "digital silence"))
            continue
        background = index % 10 < 4 and "background" in kinds  # the official set's silence
        kind = "background" if background else kinds[index % len(kinds)]
        recordings = material.noise[kind]
        recording = recordings[rng.integers(len(recordings))]
        start = int(rng.integers(max(1, len(recording) - CLIP_SAMPLES)))
        piece = from_pcm(recording[np.arange(start, start + CLIP_SAMPLES) % len(recording)])
        if background:
            piece *= np.float32(rng.uniform(0.0, 1.0))
        else:
            level = 10.0 ** (rng.uniform(-65.0, -20.0) / 20.0)
            piece *= np.float32(level / (float(np.sqrt(np.mean(piece**2))) + 1e-7))
        rows.append((to_pcm(piece), f"silence: {kind}"))
    return rows


def _unknown(material: Material, count: int, rng: np.random.Generator) -> list[tuple[Pcm, str]]:
    words = list(zip(material.unknown["words"], material.groups["words"], strict=True))
    order = rng.permutation(len(words))[:count]
    rows = [(words[i][0], f"word: {words[i][1]}") for i in order]
    wake = material.unknown.get("wake")
    remaining = count - len(rows)
    if wake is not None and remaining > 0:
        take = min(len(wake), remaining * 2 // 5 if material.speech else remaining)
        rows += [(wake[i], f"wake word: {material.groups['wake'][i]}") for i in rng.permutation(len(wake))[:take]]
    for _ in range(100 * count if material.speech else 0):  # so many only where the speech is all but silent
        if len(rows) == count:
            break
        recording = material.speech[rng.integers(len(material.speech))]
        start = int(rng.integers(len(recording) - CLIP_SAMPLES))
        piece = recording[start : start + CLIP_SAMPLES]
        if np.mean((piece / 32768.0) ** 2) > 1e-5:
            rows.append((piece, "running speech"))
    return rows


def load_validation(
    data_dir: Path | str,
    extra_dir: Path | str | None = None,
    seed: int = 2026,
    progress: Callable[[str], None] = lambda _: None,
) -> ValidationMix:
    """Build the mix from a Speech Commands folder and the optional noise and speech beside it."""
    material = load_material(data_dir, "validation", extra_dir, progress)
    rng = np.random.default_rng(seed)
    count = max(1, round(len(material.words) / 10))
    unknown, silence = _unknown(material, count, rng), _silence(material, count, rng)
    if not set(material.noise) - SPEECH_NOISE:
        progress("There are no held-out noise recordings: 'silence' is digital silence, noise that steps is white.")
    elif "background" not in material.noise:
        progress("There is no _background_noise_: 'silence' is cut from the other noise recordings alone.")
    if len(unknown) < count:
        progress(f"'unknown' has {len(unknown)} clips instead of {count}: no more words or speech are held out.")
    audio = [material.words, np.stack([r[0] for r in unknown] + [r[0] for r in silence])]
    labels = np.concatenate((material.labels, np.full(len(unknown), UNKNOWN), np.full(len(silence), SILENCE)))
    sources = ["target word"] * len(material.words) + [r[1] for r in unknown + silence]
    return ValidationMix(np.concatenate(audio), labels, sources, material)


# Conditions: each turns the mix into streams whose last frame is where the decision is read.
def _per_clip(seed: int, name: str, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode(), index])


def attenuated(audio: Pcm, db: float) -> Pcm:
    """The clip ``db`` dB quieter (negative: louder, clipped)."""
    return to_pcm(from_pcm(audio) * np.float32(10.0 ** (-db / 20.0)))


def noisy(audio: Pcm, kind: str, snr_db: float, seed: int = 2026) -> Pcm:
    """Each clip in its own draw of a published noise at ``snr_db`` over the full second."""
    out = np.empty_like(audio)
    for i, clip in enumerate(audio):
        noise = make_noise(kind, CLIP_SAMPLES, _per_clip(seed, f"{kind}{snr_db:g}", i))
        out[i] = to_pcm(mix(from_pcm(clip), noise, snr_db))
    return out


def after_word(mix_: ValidationMix, seed: int = 2026) -> Pcm:
    """1 s of another clip of the ten words, then the clip: (n, 32000)."""
    rng = np.random.default_rng([seed, 1])
    words = mix_.material.words
    return np.concatenate((words[rng.integers(len(words), size=len(mix_.audio))], mix_.audio), axis=1)


def held_out_noise(material: Material, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """``n`` samples of a held-out noise recording that is no voice, at RMS 1."""
    kinds = sorted(set(material.noise) - SPEECH_NOISE)
    if not kinds:
        return rng.standard_normal(n).astype(np.float32)
    recordings = material.noise[kinds[rng.integers(len(kinds))]]
    recording = recordings[rng.integers(len(recordings))]
    start = int(rng.integers(len(recording)))
    piece = from_pcm(recording[np.arange(start, start + n) % len(recording)])
    return np.asarray(piece / (np.sqrt(np.mean(piece**2)) + 1e-7), np.float32)


def after_room(mix_: ValidationMix, seed: int = 2026) -> Pcm:
    """1 s of a held-out recording at -60 to -40 dBFS, which stops where the clip begins: (n, 32000)."""
    out = np.zeros((len(mix_.audio), CONTEXT + CLIP_SAMPLES), np.int16)
    for i, clip in enumerate(mix_.audio):
        rng = _per_clip(seed, "room", i)
        level = np.float32(10.0 ** (rng.uniform(-60.0, -40.0) / 20.0))
        out[i, :CONTEXT] = to_pcm(held_out_noise(mix_.material, rng, CONTEXT) * level)
        out[i, CONTEXT:] = clip
    return out


def noise_step(mix_: ValidationMix, seed: int = 2026, context: bool = True) -> Pcm:
    """A held-out noise steps up by 25 dB to -35 dBFS half a second before the clip and goes on under it.

    Without ``context`` the same clips in the same noise from reset: the figure to compare with.
    """
    out = np.zeros((len(mix_.audio), CONTEXT + CLIP_SAMPLES), np.int16)
    for i, clip in enumerate(mix_.audio):
        noise = held_out_noise(mix_.material, _per_clip(seed, "step", i), CONTEXT + CLIP_SAMPLES)
        gain = np.full(len(noise), STEP_LEVEL, np.float32)
        gain[: CONTEXT // 2] *= np.float32(10.0 ** (-STEP_DB / 20.0))
        x = noise * gain
        x[CONTEXT:] += from_pcm(clip)
        out[i] = to_pcm(x)
    return out if context else out[:, CONTEXT:]


def white_step(mix_: ValidationMix, seed: int = 2026) -> Pcm:
    """White noise of -60 dBFS that steps up 25 dB at the start of the context's second half, then the bare clip."""
    out = np.zeros((len(mix_.audio), CONTEXT + CLIP_SAMPLES), np.int16)
    for i, clip in enumerate(mix_.audio):
        noise = _per_clip(seed, "white step", i).standard_normal(CONTEXT).astype(np.float32)
        gain = np.full(CONTEXT, STEP_LEVEL, np.float32)
        gain[: CONTEXT // 2] *= np.float32(10.0 ** (-STEP_DB / 20.0))
        out[i, :CONTEXT] = to_pcm(noise * gain)
        out[i, CONTEXT:] = clip
    return out


CONDITIONS: dict[str, Callable[[ValidationMix], Pcm]] = {
    "clean": lambda m: m.audio,
    "-20 dB": lambda m: attenuated(m.audio, 20.0),
    "-30 dB": lambda m: attenuated(m.audio, 30.0),
    "+12 dB": lambda m: attenuated(m.audio, -12.0),
    **{f"{kind} 0 dB": (lambda m, kind=kind: noisy(m.audio, kind, 0.0)) for kind in NOISES},  # type: ignore[misc]
    "after a word": after_word,
    "after room noise": after_room,
    "noise step, from reset": lambda m: noise_step(m, context=False),
    "noise step": noise_step,
    "white step": white_step,
}
"""Name of a condition to the streams (n, samples) it makes of the mix; the last frame decides."""

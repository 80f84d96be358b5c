"""Conditions: clean or a noise at an SNR, from reset or mid-stream. Each is seeded by itself and by clip, so that a
single condition, or a single clip of it, comes out the same alone as in a whole grid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.mixing import rms
from kwscore.audio.noise import PUBLISHED_NOISES, make_noise
from kwscore.constants import CLIP_SAMPLES
from kwscore.data.augment import from_pcm, to_pcm
from kwscore.data.material import Material
from kwscore.data.validation import CONDITIONS, CONTEXT
from kwscore.errors import KWScopeError
from kwscore.evaluation.sets import EvaluationSet

SNRS = (-15, -10, -5, 0, 5, 10, 15)
"""The published grid, in dB over the clip's second."""
LARGEST_SNR = 100
"""dB; beyond, nothing of one or the other is left in 16 bits."""
RECORDED = "recorded "
MID_STREAM = ", mid-stream"
_NOISY = re.compile(r"(?P<noise>.+) (?P<snr>[+-]?\d+(?:\.\d+)?) dB")

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Condition:
    """``noise`` a published noise, "recorded KIND", or "" for none; ``special`` names one of ``CONDITIONS`` instead.

    ``snr_db`` over the clip's second; ``mid_stream``: a second of another word in the same noise goes before.
    """

    noise: str = ""
    snr_db: float = 0.0
    mid_stream: bool = False
    special: str = ""

    def __post_init__(self) -> None:
        if not abs(self.snr_db) <= LARGEST_SNR:
            raise KWScopeError(f"An SNR of {self.snr_db:g} dB cannot be mixed: use -{LARGEST_SNR} to {LARGEST_SNR} dB.")

    @property
    def name(self) -> str:
        """As tables show it and ``parse_condition`` reads it."""
        if self.special:
            return self.special
        return (f"{self.noise} {self.snr_db:g} dB" if self.noise else "clean") + (MID_STREAM if self.mid_stream else "")

    @property
    def needs_stream(self) -> bool:
        """Whether it is longer than a clip, so that only the stream schedule can take it."""
        return self.mid_stream or self.special in ("after a word", "after room noise", "noise step", "white step")


def parse_condition(name: str, material: Material | None = None) -> Condition:
    """A condition by name: "clean", "white -5 dB", "recorded street 10 dB, mid-stream" or one of ``CONDITIONS``.

    With ``material`` recordings that are not there are refused. Raises KWScopeError for an unknown name.
    """
    base, mid_stream = name.removesuffix(MID_STREAM), name.endswith(MID_STREAM)
    if base == "clean":
        return Condition(mid_stream=mid_stream)
    if (found := _NOISY.fullmatch(base)) and base not in ("-20 dB", "-30 dB", "+12 dB"):
        check_noise(found["noise"], material)
        return Condition(found["noise"], float(found["snr"]), mid_stream)
    if name in CONDITIONS:
        return Condition(special=name)
    raise KWScopeError(
        f"--condition {name!r} is not known; there are: {', '.join(CONDITIONS)}, a noise at any SNR such as "
        "'pink -5 dB' or 'recorded street 5 dB', and these or 'clean' with ', mid-stream' behind."
    )


def check_noise(noise: str, material: Material | None = None) -> None:
    """Raise KWScopeError where ``noise`` is neither published nor recorded in ``material``."""
    if noise in PUBLISHED_NOISES:
        return
    kinds = sorted(material.noise) if material is not None else []
    kind = noise.removeprefix(RECORDED)
    if noise.startswith(RECORDED) and (material is None or kind in kinds):
        return
    there = ", ".join(f"'{RECORDED}{k}'" for k in kinds) or "'recorded KIND' where the extra folder has recordings"
    raise KWScopeError(f"There is no noise {noise!r}: choose {', '.join(PUBLISHED_NOISES)}, {there}.")


def recorded_noises(material: Material) -> list[str]:
    """Names of the kinds of held-out recordings. Raises KWScopeError where there are none."""
    kinds = [RECORDED + kind for kind in sorted(material.noise) if kind not in ("background", "roomtone")]
    if not kinds:
        raise KWScopeError(
            "There are no noise recordings for --noises recorded: put a folder 'noise' with a subfolder of .wav files "
            "for each kind beside the corpus, or name its parent with --extra-dir."
        )
    return kinds


def grid(noises: Iterable[str], snrs: Iterable[float] = SNRS, starts: Iterable[bool] = (False,)) -> list[Condition]:
    """Clean and every noise at every SNR, for each start (True: mid-stream)."""
    noises, snrs = list(noises), list(snrs)
    out = []
    for mid in starts:
        out.append(Condition(mid_stream=mid))
        out += [Condition(noise, float(snr), mid) for noise in noises for snr in snrs]
    return out


def noise_of(condition: Condition, material: Material, rng: np.random.Generator, n: int) -> Float:
    """``n`` samples of a condition's noise at a level of its own."""
    if not condition.noise.startswith(RECORDED):
        return make_noise(condition.noise, n, rng)
    recordings = material.noise[condition.noise.removeprefix(RECORDED)]
    recording = recordings[rng.integers(len(recordings))]
    start = int(rng.integers(len(recording)))
    return from_pcm(recording[np.arange(start, start + n) % len(recording)])


def _stream(data: EvaluationSet, row: int, condition: Condition, seed: int) -> Float:
    """One clip in its condition: (16000,), or (32000,) mid-stream."""
    key = f"{condition.noise}{condition.snr_db:g}" if condition.noise else "clean"
    # the key of a published noise from reset is that of kwscore.data.validation.noisy: equal figures
    rng = np.random.default_rng([seed, *(key + (MID_STREAM if condition.mid_stream else "")).encode(), data.index[row]])
    clip = from_pcm(data.audio[row])
    x = clip
    if condition.mid_stream:
        before = data.material.words[rng.integers(len(data.material.words))]
        x = np.concatenate((from_pcm(before), clip))
    if not condition.noise:
        return x
    noise = noise_of(condition, data.material, rng, len(x))
    under = noise[-CLIP_SAMPLES:]  # the SNR is that of the clip's own second
    gain = rms(clip) / np.float32(10) ** (np.float32(condition.snr_db) / np.float32(20)) / rms(under)
    return np.asarray(x + noise * gain, np.float32)


def streams(data: EvaluationSet, condition: Condition, seed: int, batch: int = 64) -> Iterator[Float]:
    """The clips in their condition, (at most ``batch``, samples) float32 at a time; the last frame decides."""
    if condition.special:
        audio = CONDITIONS[condition.special](data)
        for start in range(0, len(audio), batch):
            yield from_pcm(audio[start : start + batch])
        return
    n = CLIP_SAMPLES + (CONTEXT if condition.mid_stream else 0)
    for start in range(0, len(data.audio), batch):
        rows = range(start, min(start + batch, len(data.audio)))
        block = np.empty((len(rows), n), np.float32)
        for at, row in enumerate(rows):
            block[at] = _stream(data, row, condition, seed)
        yield from_pcm(to_pcm(block)) if data.pcm else block

"""What boards are tested with: speech, noise, silence and clipping, the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.file import read_audio
from kwscore.audio.noise import make_noise
from kwscore.audio.playlist import DEMO_MANIFEST, load_manifest
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.errors import KWScopeError

Pcm = NDArray[np.int16]
LEAST_SECONDS = 1.0
_SHARES = {"speech": 0.5, "noise": 0.15, "silence": 0.1, "clipping": 0.15, "extremes": 0.1}


def streams(seconds: float, seed: int = 2026) -> dict[str, Pcm]:
    """Named streams of whole hops, ``seconds`` in all, each to be heard from reset.

    speech: the demo playlist, clean and in noises; noise: steps between -75 and -5 dBFS; silence: digital silence,
    then one-step dither, then a click; clipping: speech whose peaks are 30 dB over full scale; extremes: full-scale
    square waves and impulses, the largest spectra there are. Raises KWScopeError where the demo is missing or
    ``seconds`` is too short.
    """
    if not seconds >= LEAST_SECONDS:
        raise KWScopeError(f"{seconds:g} s are too short to test a board: give at least {LEAST_SECONDS:g}.")
    counts = {name: max(8, round(share * seconds * SAMPLE_RATE / HOP)) * HOP for name, share in _SHARES.items()}
    rng = np.random.default_rng(seed)
    speech = _demo(counts["speech"] + counts["clipping"])
    return {
        "speech": speech[: counts["speech"]],
        "noise": _noise(counts["noise"], rng),
        "silence": _silence(counts["silence"], rng),
        "clipping": _too_loud(speech[counts["speech"] :]),
        "extremes": _extremes(counts["extremes"], rng),
    }


def _to_pcm(samples: NDArray[np.floating]) -> Pcm:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def _demo(count: int) -> Pcm:
    """The items that hold a word, one after the other, again from the first where they do not suffice."""
    _, items = load_manifest(DEMO_MANIFEST)
    words = [item for item in items if item.label != "silence"]
    parts: list[Pcm] = []
    while sum(map(len, parts)) < count:
        parts.append(read_audio(words[len(parts) % len(words)].path))
    return np.concatenate(parts)[:count]


def _too_loud(speech: Pcm) -> Pcm:
    peak = float(np.abs(speech.astype(np.int64)).max(initial=1))
    return _to_pcm(speech * (10 ** (30 / 20) * 32768.0 / peak))


def _noise(count: int, rng: np.random.Generator) -> Pcm:
    parts = []
    for number, kind in enumerate(("white", "pink", "factory", "street", "babble")):
        n = count // 5 if number < 4 else count - 4 * (count // 5)
        level = 10.0 ** (rng.uniform(-75, -5, -(-n // 4000)) / 20.0)
        noise = make_noise(kind, max(n, SAMPLE_RATE), rng)[:n]
        parts.append(noise / (np.abs(noise).max() + 1e-9) * np.repeat(level, 4000)[:n] * 32768.0)
    return _to_pcm(np.concatenate(parts))


def _silence(count: int, rng: np.random.Generator) -> Pcm:
    out = np.zeros(count, np.int16)
    out[count // 2 :] = rng.integers(-1, 2, count - count // 2)
    out[3 * count // 4] = 32767
    return out


def _extremes(count: int, rng: np.random.Generator) -> Pcm:
    t = np.arange(count)
    period = np.array([2, 512, 16, 37])[t * 4 // count]
    square = np.where(t % period < period // 2, 32767, -32768)
    impulses = np.where(rng.random(count) < 0.002, rng.choice([-32768, 32767], count), 0)
    return np.where(t % 4000 < 3000, square, impulses).astype(np.int16)

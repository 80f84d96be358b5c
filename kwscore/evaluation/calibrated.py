"""Does runtime calibration help? Clips in noise after a second of that noise alone, with each way to set the constants.

The same clips and the same noise for every way, so that the comparison is paired (McNemar's exact test). The second of
noise is heard with the network's own constants and gives the noise profile; the clip is then heard from the same state
with each set of constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.mixing import rms
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.constants import CLIP_SAMPLES
from kwscore.data.augment import from_pcm, to_pcm
from kwscore.errors import KWScopeError
from kwscore.evaluation.noisy import Condition, noise_of
from kwscore.evaluation.report import wilson
from kwscore.evaluation.sets import EvaluationSet
from kwscore.models.calibration import (
    PROFILES,
    Kind,
    Values,
    calibration_values,
    kind_of,
    profile_for_snr,
    values_for_snr,
)
from kwscore.stream.calibrator import NoiseMeter, NoiseProfile
from kwscore.stream.engine import StreamEngine

CONDITIONS = (*(Condition(noise, 0.0) for noise in PUBLISHED_NOISES), Condition("pink", 30.0))
"""The five noises at 0 dB, and nearly clean sound."""
OWN = "none"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a way to choose constants may know: the true SNR, the profile of the noise before, the clip's own second,
    and the usual level of speech."""

    true_snr_db: float
    noise: NoiseProfile
    second: NDArray[np.int16]
    speech_dbfs: float


Way = Callable[[Heard, Kind], Values]


def _always(name: str) -> Way:
    return lambda _, kind: PROFILES[kind][name]


WAYS: dict[str, Way] = {
    "true SNR": lambda heard, kind: values_for_snr(heard.true_snr_db, kind),
    "heard SNR": lambda heard, kind: values_for_snr(heard.noise.snr_db(heard.second), kind),
    "speech level": lambda heard, kind: values_for_snr(heard.noise.snr_of_level(heard.speech_dbfs), kind),
    "speech level, profile": lambda heard, kind: calibration_values(
        profile_for_snr(heard.noise.snr_of_level(heard.speech_dbfs)), kind
    ),
    **{f"always {name}": _always(name) for name in PROFILES["v1"]},
}
"""How constants are chosen. "true SNR" is the published protocol, an oracle; "heard SNR" is measured on the clip's own
second instead; "speech level" is what is known before a word is said; "always ..." measures nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way in one condition or over several: clips, right without and with it, those it ``mended`` and ``broke``."""

    condition: str
    way: str
    clips: int
    right_without: int
    right: int
    mended: int
    broke: int

    @property
    def gain(self) -> float:
        """Points of accuracy gained."""
        return 100.0 * (self.right - self.right_without) / max(self.clips, 1)

    @property
    def p(self) -> float:
        """McNemar\'s exact two-sided probability of so uneven a change by chance."""
        from scipy.stats import binomtest

        changed = self.mended + self.broke
        return float(binomtest(self.mended, changed).pvalue) if changed else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; accuracy in per cent with its 95 % interval."""
        low, high = wilson(self.right, self.clips)
        return {
            "condition": self.condition,
            "way": self.way,
            "clips": self.clips,
            "accuracy": round(100.0 * self.right / max(self.clips, 1), 2),
            "low": round(low, 2),
            "high": round(high, 2),
            "gain": round(self.gain, 2),
            "mended": self.mended,
            "broke": self.broke,
            "p": float(f"{self.p:.3g}"),
        }


@dataclass(frozen=True, slots=True)
class SnrError:
    """How far the SNR measured on the clips\' own seconds was off in a condition, dB: median and the middle 90 %."""

    condition: str
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """``right[way][condition]`` (clips,) whether each answer was right; ``snr`` how well the SNR was measured."""

    network: str
    right: dict[str, dict[str, NDArray[np.bool_]]]
    snr: list[SnrError]

    def comparisons(self) -> list[Comparison]:
        """Every way in every condition, and over all noises at 0 dB ("all at 0 dB")."""
        rows = []
        for way, by_condition in self.right.items():
            if way == OWN:
                continue
            for condition, right in by_condition.items():
                rows.append(_compare(condition, way, self.right[OWN][condition], right))
            hard = [c for c in by_condition if c.endswith(" 0 dB") and not c.endswith("30 dB")]
            if len(hard) > 1:
                both = [np.concatenate([self.right[w][c] for c in hard]) for w in (OWN, way)]
                rows.append(_compare("all at 0 dB", way, both[0], both[1]))
        return rows


def _compare(condition: str, way: str, without: NDArray[np.bool_], right: NDArray[np.bool_]) -> Comparison:
    mended, broke = int((right & ~without).sum()), int((without & ~right).sum())
    return Comparison(condition, way, len(right), int(without.sum()), int(right.sum()), mended, broke)


def compare_ways(
    engine: StreamEngine,
    data: EvaluationSet,
    speech_dbfs: float,
    conditions: Sequence[Condition] = CONDITIONS,
    seed: int = 2026,
    ways: Sequence[str] = tuple(WAYS),
    progress: Callable[[str, float], None] = lambda _condition, _share: None,
) -> Outcome:
    """Hear every clip of ``data`` in every condition with every way; the engine keeps its own constants.

    ``speech_dbfs``: active level of speech that "speech level" assumes. Raises KWScopeError for a condition without
    noise, or a network without SSM.
    """
    for condition in conditions:
        if not condition.noise or condition.mid_stream:
            raise KWScopeError(f"Calibration is measured in noise at an SNR, not in {condition.name!r}.")
    kind = kind_of(engine.config)
    own = engine.calibration
    right = {way: {c.name: np.zeros(len(data.labels), np.bool_) for c in conditions} for way in (OWN, *ways)}
    errors = []
    try:
        for condition in conditions:
            off = np.zeros(len(data.labels))
            for row, label in enumerate(data.labels):
                before, second = noise_then_clip(data, row, condition, seed)
                meter = NoiseMeter()
                meter.add(before)
                heard = Heard(condition.snr_db, meter.profile(), second, speech_dbfs)
                off[row] = heard.noise.snr_db(second) - condition.snr_db
                engine.calibration = own
                engine.reset()
                engine.process(before)
                state = engine.state
                for way in (OWN, *ways):
                    engine.state = state
                    engine.calibration = own if way == OWN else _rows(WAYS[way](heard, kind), len(own))
                    answer = engine.process(second)[-1].logits.argmax()
                    right[way][condition.name][row] = answer == label
                if row % 50 == 49:
                    progress(condition.name, (row + 1) / len(data.labels))
            low, median, high = np.percentile(off[data.labels < 10], (5, 50, 95))  # words: silence has no SNR
            errors.append(SnrError(condition.name, float(median), float(low), float(high)))
    finally:
        engine.calibration = own
        engine.reset()
    return Outcome(engine.name, right, errors)


def _rows(values: Values, blocks: int) -> NDArray[np.float32]:
    return np.tile(np.asarray(values, np.float32), (blocks, 1))


def noise_then_clip(
    data: EvaluationSet, row: int, condition: Condition, seed: int
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """A second of the condition\'s noise, and the clip in the next second of it at its SNR; int16 (16000,) each."""
    rng = np.random.default_rng([seed, *f"calibration {condition.name}".encode(), int(data.index[row])])
    noise = noise_of(condition, data.material, rng, 2 * CLIP_SAMPLES)
    clip = from_pcm(data.audio[row])
    under = noise[CLIP_SAMPLES:]
    gain = np.float32(rms(clip) / 10.0 ** (condition.snr_db / 20.0) / rms(under))
    return to_pcm(noise[:CLIP_SAMPLES] * gain), to_pcm(clip + under * gain)

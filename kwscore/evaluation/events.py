"""Scores detections in long audio as events: one utterance is hit once or missed, everything else is a false accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError


@dataclass(frozen=True, slots=True)
class Utterance:
    """A word that is really there, from ``start`` to ``end`` in samples. A label that is none of the ten words is an
    unknown word: whatever is detected in it counts as a false accept."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Detection:
    """A word that was reported at sample ``decided``; ``score`` is what a threshold compares."""

    word: str
    decided: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Match:
    """A hit; ``latency_ms`` is the time from the end of the utterance to the decision (negative: early)."""

    utterance: Utterance
    detection: Detection
    latency_ms: float


@dataclass(frozen=True)
class EventScore:
    """Outcome of ``score_events``.

    ``confusions``  false accepts within another of the ten words' span; they are among ``false_accepts`` too, and that
                    word is a miss unless it was also found.
    """

    hits: tuple[Match, ...]
    misses: tuple[Utterance, ...]
    false_accepts: tuple[Detection, ...]
    confusions: tuple[Detection, ...]
    hours: float

    @property
    def miss_rate(self) -> float:
        """Misses over utterances of the ten words; NaN without any."""
        total = len(self.hits) + len(self.misses)
        return len(self.misses) / total if total else float("nan")

    @property
    def false_accepts_per_hour(self) -> float:
        """False accepts per hour of audio."""
        return len(self.false_accepts) / self.hours

    @property
    def median_latency_ms(self) -> float:
        """From the end of the word to the decision; NaN without hits."""
        return float(np.median([match.latency_ms for match in self.hits])) if self.hits else float("nan")

    def by_word(self) -> dict[str, dict[str, int]]:
        """Hits, misses and false accepts of each of the ten words."""
        counts = {word: {"hits": 0, "misses": 0, "false_accepts": 0} for word in WORDS}
        for match in self.hits:
            counts[match.utterance.word]["hits"] += 1
        for utterance in self.misses:
            counts[utterance.word]["misses"] += 1
        for detection in self.false_accepts:
            counts[detection.word]["false_accepts"] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Figures as plain values; None where there are none."""
        latency = [match.latency_ms for match in self.hits]
        return {
            "words": len(self.hits) + len(self.misses),
            "hits": len(self.hits),
            "misses": len(self.misses),
            "miss_rate": self.miss_rate if self.hits or self.misses else None,
            "false_accepts": len(self.false_accepts),
            "confusions": len(self.confusions),
            "false_accepts_per_hour": self.false_accepts_per_hour,
            "hours": self.hours,
            "median_latency_ms": self.median_latency_ms if latency else None,
            "p90_latency_ms": float(np.percentile(latency, 90)) if latency else None,
            "by_word": self.by_word(),
        }


def score_events(
    truth: Sequence[Utterance],
    detections: Sequence[Detection],
    samples: int,
    *,
    early_ms: float = 0.0,
    late_ms: float = 700.0,
    repeat_ms: float = 500.0,
) -> EventScore:
    """Match ``detections`` with the words of ``truth`` in ``samples`` samples of audio at 16 kHz.

    A detection can hit an utterance of its word that it lies in, from ``early_ms`` before its start to ``late_ms``
    after its end. Each detection hits at most one utterance and each utterance is hit at most once; detections are
    taken in time, each taking the free utterance that ended first. A detection left over is a false accept; several of
    one word within ``repeat_ms`` of the one before are one burst and count once, and a repetition of a hit within its
    utterance's span counts as one false accept too, since the user saw the word twice. Raises KWScopeError for words
    or times that make no sense.
    """
    _check(truth, detections, samples)
    early, late, repeat = (round(ms * SAMPLE_RATE / 1000) for ms in (early_ms, late_ms, repeat_ms))
    wanted = sorted((u for u in truth if u.word in WORDS), key=lambda u: (u.end, u.start))
    free = [True] * len(wanted)
    hits: list[Match] = []
    left: list[Detection] = []
    for detection in sorted(detections, key=lambda d: d.decided):
        for i, utterance in enumerate(wanted):
            if (
                free[i]
                and utterance.word == detection.word
                and utterance.start - early <= detection.decided <= utterance.end + late
            ):
                free[i] = False
                hits.append(Match(utterance, detection, 1000 * (detection.decided - utterance.end) / SAMPLE_RATE))
                break
        else:
            left.append(detection)
    false_accepts: list[Detection] = []
    last: dict[str, int] = {}
    for detection in left:
        before = last.get(detection.word)
        last[detection.word] = detection.decided
        if before is None or detection.decided - before > repeat:
            false_accepts.append(detection)
    confusions = [
        d
        for d in false_accepts
        if any(u.word != d.word and u.start - early <= d.decided <= u.end + late for u in wanted)
    ]
    misses = [utterance for i, utterance in enumerate(wanted) if free[i]]
    return EventScore(tuple(hits), tuple(misses), tuple(false_accepts), tuple(confusions), samples / SAMPLE_RATE / 3600)


def _check(truth: Sequence[Utterance], detections: Sequence[Detection], samples: int) -> None:
    if samples <= 0:
        raise KWScopeError(f"Events need some audio to be scored, not {samples} samples.")
    for utterance in truth:
        if utterance.end <= utterance.start or utterance.start < 0:
            raise KWScopeError(
                f"The word {utterance.word!r} lasts from sample {utterance.start} to {utterance.end}: "
                "its end must come after its start."
            )
    for detection in detections:
        if detection.word not in WORDS:
            raise KWScopeError(f"A detection reports {detection.word!r}, which is none of the ten words.")

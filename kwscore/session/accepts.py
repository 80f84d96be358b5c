"""False accepts per hour, by word and threshold, from what hours of listening left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError
from kwscore.evaluation.events import Detection, EventScore, Utterance, score_events
from kwscore.evaluation.longrun import THRESHOLDS
from kwscore.session.reader import Session
from kwscore.stream.detection import HOP_MS, DetectionSettings, Detector
from kwscore.stream.telemetry import Telemetry

_LEAST = 1e-9
_EMPTY = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Row:
    """At one ``threshold``: false accepts per hour in all and by word, and what the scorer found."""

    threshold: float
    per_hour: float
    by_word: dict[str, float]
    score: EventScore


@dataclass(frozen=True)
class Report:
    """``hours`` listened; ``reported``: words while listening; ``settings`` then; ``known``: whether it is known what
    was said, so that words that were really there are not counted as false accepts."""

    hours: float
    reported: int
    settings: DetectionSettings
    known: bool
    rows: tuple[Row, ...]


def report(
    session: Session, thresholds: Iterable[float] = THRESHOLDS, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Detection over again at every threshold, on the smoothed posteriors that were recorded.

    Where only what lies around words was kept, thresholds below the lowest that was kept are left out. Where the source
    knew what was said (a playlist) that is taken into account; else every report is a false accept. ``progress`` is
    told the session sample. Raises KWScopeError for a session without sound, or one in which the settings changed.
    """
    if not session.length:
        raise KWScopeError(f"{session.path.name} holds no sound: there is nothing to count.")
    told = [DetectionSettings.from_dict(change.to) for change in session.detection]
    settings = told[0] if told else DetectionSettings()
    if not all(comparable(settings, other) for other in told):
        raise KWScopeError(
            f"The detection settings changed within {session.path.name}: record them apart to count false accepts."
        )
    counters = counters_for(settings, thresholds, (session.header.get("spans") or {}).get("floor", 0.0))
    truth = [Utterance(word.word, word.start, word.end) for word in session.truths]
    for frames in session.frames():
        progress(int(frames.position[-1]))
        for counter in counters:
            counter.take(frames.frame, frames.position, frames.origin, frames.posteriors)
    rows = []
    hours = session.length / SAMPLE_RATE / 3600
    for counter in counters:
        score = score_events(truth, counter.found, session.length)
        by_word = {word: counts["false_accepts"] / hours for word, counts in score.by_word().items()}
        rows.append(Row(counter.threshold, score.false_accepts_per_hour, by_word, score))
    return Report(hours, len(session.events), settings, bool(truth), tuple(rows))


def comparable(settings: DetectionSettings, other: DetectionSettings) -> bool:
    """Whether what was heard with both can be counted together: they differ by no more than the threshold."""
    return replace(other, threshold=settings.threshold) == settings


def counters_for(settings: DetectionSettings, thresholds: Iterable[float], floor: float) -> list[Counter]:
    """Counters at ``thresholds`` and at that of ``settings``, in order; without those that what is kept from the
    posterior ``floor`` on cannot decide (0: everything is kept)."""
    wanted = sorted({*thresholds, settings.threshold})
    return [
        Counter(settings, threshold)
        for threshold in wanted
        if floor <= threshold * settings.release + 1e-9 or not floor
    ]


class Counter:
    """Detection at one threshold on posteriors that are smoothed already; ``found`` is what it detected."""

    def __init__(self, settings: DetectionSettings, threshold: float) -> None:
        self.threshold = threshold
        self.found: list[Detection] = []
        self._detector = Detector(replace(settings, threshold=threshold, smoothing_ms=HOP_MS, word_thresholds={}))
        self._release = threshold * settings.release
        self._refractory = settings.refractory_frames
        self._quiet = 0  # frames in which every word was released

    def take(
        self,
        frame: NDArray[np.int64],
        position: NDArray[np.int64],
        origin: NDArray[np.int64],
        posteriors: NDArray[np.float32],
    ) -> None:
        """The next n > 0 frames, as ``codec.Frames`` has them: (n,), (n,), (n,) and (n, 12).

        Where every word is released, and the refractory time is over, there is nothing to do.
        """
        quiet = float(posteriors[:, : len(WORDS)].max()) < self._release
        if quiet and self._quiet >= self._refractory:
            return
        self._quiet = self._quiet + len(frame) if quiet else 0
        logits = np.log(np.maximum(posteriors.astype(np.float64), _LEAST))
        rows = zip(frame.tolist(), position.tolist(), origin.tolist(), logits, strict=True)
        for number, at, start, row in rows:
            record = Telemetry(number, at - start, 0.0, _EMPTY, _EMPTY, _EMPTY, _EMPTY, row, 0.0)
            event = self._detector.update(record)
            if event is not None:
                self.found.append(Detection(event.word, event.decided + start, event.score))


def table(made: Report) -> list[tuple[str, ...]]:
    """Heading and rows as texts: threshold, false accepts per hour of each word, all, and misses where known."""
    heading = ("threshold", *WORDS, "all", *(("missed",) if made.known else ()))
    rows: list[tuple[str, ...]] = [heading]
    for row in made.rows:
        cells: Sequence[str] = [f"{row.by_word[word]:.1f}" for word in WORDS]
        missed = (f"{len(row.score.misses)}/{len(row.score.hits) + len(row.score.misses)}",) if made.known else ()
        mark = " *" if row.threshold == made.settings.threshold else ""
        rows.append((f"{row.threshold:g}{mark}", *cells, f"{row.per_hour:.1f}", *missed))
    return rows

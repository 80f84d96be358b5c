"""Misses and false accepts on a long stream, at one threshold or over a range of them (a detection error curve)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE
from kwscore.evaluation.events import Detection, EventScore, Utterance, score_events
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.telemetry import Engine, Telemetry

THRESHOLDS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def listen(engine: Engine, samples: NDArray[np.int16]) -> list[Telemetry]:
    """Every frame of a stream, from reset; fed a second at a time so that memory stays small."""
    engine.reset()
    records: list[Telemetry] = []
    for start in range(0, len(samples), SAMPLE_RATE):
        records += engine.process(samples[start : start + SAMPLE_RATE])
    return records


def detections(records: Iterable[Telemetry], settings: DetectionSettings) -> list[Detection]:
    """What a new detector with ``settings`` reports."""
    detector = Detector(settings)
    events = (detector.update(record) for record in records)
    return [Detection(e.word, e.decided, e.score) for e in events if e is not None]


def error_curve(
    records: Sequence[Telemetry],
    truth: Sequence[Utterance],
    samples: int,
    settings: DetectionSettings,
    thresholds: Iterable[float] = THRESHOLDS,
) -> list[tuple[float, EventScore]]:
    """(threshold, score) for each threshold, other settings as given."""
    curve = []
    for threshold in thresholds:
        found = detections(records, replace(settings, threshold=threshold))
        curve.append((threshold, score_events(truth, found, samples)))
    return curve

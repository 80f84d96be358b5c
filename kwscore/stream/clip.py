"""A piece of sound through an engine at once, and what a word looked like in figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import LABELS
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.history import COLUMNS_PER_SECOND, History, HistoryView
from kwscore.stream.runner import Batch, detect
from kwscore.stream.telemetry import Engine


def hear(engine: Engine, samples: NDArray[np.int16], settings: DetectionSettings | None = None) -> History:
    """The history of ``samples`` (n,) int16 through ``engine`` from reset, words detected as live."""
    engine.reset()
    telemetry = engine.process(samples)
    history = History.for_engine(engine, max(len(telemetry), 1) / COLUMNS_PER_SECOND)
    posteriors, events = detect(Detector(settings), telemetry)
    history.extend(Batch(samples, 0, 0, telemetry, posteriors, events))
    return history


@dataclass(frozen=True, slots=True)
class WordFigures:
    """Means over the columns of a word, except the first three.

    ``posterior``  highest smoothed posterior of the word, 0..1.     ``runner_up``  that of the next best class then.
    ``margin``     largest lead of the word's logit over the best other one.
    ``snr``        mean over the bands.   ``routing``  (experts,).   ``delta``, ``gate``  (blocks,); NaN: not known.
    """

    posterior: float
    runner_up: float
    margin: float
    snr: float
    routing: NDArray[np.float32]
    delta: NDArray[np.float32]
    gate: NDArray[np.float32]


def word_figures(view: HistoryView, word: str) -> WordFigures:
    """Figures of a view that holds the columns of ``word`` (at least one)."""
    index = LABELS.index(word)
    peak = int(view.posteriors[:, index].argmax())
    others = np.delete(view.posteriors[peak], index)
    lead = view.logits[:, index] - np.delete(view.logits, index, axis=1).max(axis=1)
    return WordFigures(
        posterior=float(view.posteriors[peak, index]),
        runner_up=float(others.max()),
        margin=float(lead.max()),
        snr=float(view.snr.mean()),
        routing=view.routing.mean(axis=0),
        delta=view.delta_mean.mean(axis=0),
        gate=view.gate_mean.mean(axis=0),
    )

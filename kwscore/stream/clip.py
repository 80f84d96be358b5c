"""A piece of sound through an engine at once, and what a word looked like in figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import LABELS
from kwscore.errors import KWScopeError
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


SPOKEN = 60
"""Columns up to its decision that a word is taken to fill: a decision comes as the word ends."""
PLATEAU = 0.98
"""Share of the highest posterior that counts as having reached it."""


@dataclass(frozen=True, slots=True)
class WordFigures:
    """A detection in figures.

    ``posterior``  highest smoothed posterior of the word, 0..1.   ``runner_up``  that of the next best class then.
    Means over the ``SPOKEN`` columns up to the decision: ``snr`` over all bands, ``routing`` (experts,), ``delta`` and
    ``gate`` (blocks,); NaN where the engine does not send it.
    """

    posterior: float
    runner_up: float
    snr: float
    routing: NDArray[np.float32]
    delta: NDArray[np.float32]
    gate: NDArray[np.float32]


def word_figures(view: HistoryView, word: str, decided: int) -> WordFigures:
    """Figures of ``word``, decided in column ``decided``, from a view that begins before and ends after it.

    Raises KWScopeError where the view does not hold that column.
    """
    if not view.start <= decided < view.end:
        raise KWScopeError(f"The decision for {word!r} is no longer in memory: choose a more recent one.")
    at, index = decided - view.start, LABELS.index(word)
    spoken = slice(max(at + 1 - SPOKEN, 0), at + 1)
    best = spoken.start + int(view.posteriors[spoken.start :, index].argmax())
    return WordFigures(
        posterior=float(view.posteriors[best, index]),
        runner_up=float(np.delete(view.posteriors[best], index).max()),
        snr=float(view.snr[spoken].mean()),
        routing=view.routing[spoken].mean(axis=0),
        delta=view.delta_mean[spoken].mean(axis=0),
        gate=view.gate_mean[spoken].mean(axis=0),
    )


def first_peak(posterior: NDArray[np.float32]) -> int:
    """Where a posterior (n,) first comes close to its highest value; on a plateau the very highest is chance."""
    return int(np.argmax(posterior >= PLATEAU * posterior.max()))

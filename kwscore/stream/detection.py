"""From logits to words: smoothing, threshold, minimum count, hysteresis and refractory time, on the sample clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import HOP, N_CLASSES, SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError
from kwscore.stream.telemetry import Telemetry

HOP_MS = 1000.0 * HOP / SAMPLE_RATE
_LONGEST = 300  # frames that smoothing may span
_STATE = ("count", "next_frame", "blocked_until", "posterior", "armed", "run", "start", "peak", "score", "ring")


@dataclass(frozen=True)
class DetectionSettings:
    """When a word counts as heard. Times in ms (one frame is 10 ms); levels are smoothed posteriors in 0..1.

    ``smoothing_ms``     span of the moving average over the posteriors, 10 to 3000.
    ``threshold``        level a word must reach, 0 < threshold <= 1.
    ``word_thresholds``  levels of single words instead of ``threshold``.
    ``minimum_ms``       the level must be held this long, at least one frame.
    ``refractory_ms``    no second event of any word sooner than this after one.
    ``release``          part of its threshold, 0 to 1, below which a word must fall before it can fire again.
    """

    smoothing_ms: float = 200.0
    threshold: float = 0.5
    word_thresholds: Mapping[str, float] = field(default_factory=dict)
    minimum_ms: float = 50.0
    refractory_ms: float = 600.0
    release: float = 0.6

    def __post_init__(self) -> None:
        _within("smoothing_ms", self.smoothing_ms, HOP_MS, _LONGEST * HOP_MS)
        _within("minimum_ms", self.minimum_ms, 0.0, 10_000.0)
        _within("refractory_ms", self.refractory_ms, 0.0, 60_000.0)
        _within("threshold", self.threshold, 1e-3, 1.0)
        _within("release", self.release, 0.0, 1.0)
        for word, value in self.word_thresholds.items():
            if word not in WORDS:
                raise KWScopeError(
                    f"word_thresholds names {word!r}, which is not a word: use one of {', '.join(WORDS)}."
                )
            _within(f"word_thresholds[{word!r}]", value, 1e-3, 1.0)
        object.__setattr__(self, "word_thresholds", dict(self.word_thresholds))

    @property
    def smoothing_frames(self) -> int:
        """Frames averaged."""
        return max(1, round(self.smoothing_ms / HOP_MS))

    @property
    def minimum_frames(self) -> int:
        """Consecutive frames a word must stay at its threshold."""
        return max(1, round(self.minimum_ms / HOP_MS))

    @property
    def refractory_frames(self) -> int:
        """Frames from one event to the earliest next."""
        return round(self.refractory_ms / HOP_MS)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Threshold of each of the ten words."""
        return tuple(float(self.word_thresholds.get(word, self.threshold)) for word in WORDS)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for settings files and sessions."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DetectionSettings:
        """Inverse of ``to_dict``. Raises KWScopeError for unknown fields or values out of range."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise KWScopeError(f"Detection settings have unknown fields: {', '.join(unknown)}.")
        return cls(**values)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise KWScopeError(f"Detection setting {name}={value!r} must be a number from {low:g} to {high:g}.")


@dataclass(frozen=True, slots=True)
class Event:
    """One word heard. ``start``, ``peak``, ``decided`` are sample indices on the engine's clock (the last sample of the
    frame: 160 * frame + 511), the ``..._frame`` fields the same in frames.

    ``start``    first frame of the run at or above the threshold.
    ``peak``     frame of the highest smoothed posterior up to the decision; ``score`` is that posterior.
    ``decided``  frame in which the minimum count was reached (and no refractory time was left).
    ``index``    class index of ``word``.
    """

    word: str
    index: int
    score: float
    start: int
    peak: int
    decided: int
    start_frame: int
    peak_frame: int
    decided_frame: int


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Posteriors (..., 12) of logits (..., 12)."""
    x = np.asarray(logits, np.float64)
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Detector:
    """Turns telemetry, frame by frame, into events. Only the ten words fire, never silence or unknown.

    A word fires when its smoothed posterior has been at or above its threshold for the minimum time, is the highest of
    the ten words, is armed, and the last event is at least the refractory time ago. Firing disarms it; it is armed
    again once it falls below ``release`` times its threshold. A word that rises within the refractory time and still
    stands when that ends fires then: delayed, not lost. Frames that do not follow one another (an engine was reset or
    exchanged) start the detector afresh. Equal telemetry gives equal events, however it is chunked.
    """

    def __init__(self, settings: DetectionSettings | None = None) -> None:
        self._settings = settings or DetectionSettings()
        self._thresholds = np.array(self._settings.thresholds)
        # every row is written twice, so that the newest rows are always one slice
        self._ring = np.zeros((2 * _LONGEST, N_CLASSES))
        self.reset()

    @property
    def settings(self) -> DetectionSettings:
        """May be replaced at any time; what was heard so far is kept."""
        return self._settings

    @settings.setter
    def settings(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self._thresholds = np.array(settings.thresholds)

    @property
    def posterior(self) -> NDArray[np.float32]:
        """Smoothed posteriors (12,) of the last frame; zeros before the first."""
        return self._posterior.astype(np.float32)

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of everything remembered, as arrays by name; assigning such a copy continues from there."""
        return {name: np.array(getattr(self, f"_{name}")) for name in _STATE}

    @state.setter
    def state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.reset()
        for name in _STATE:
            mine, given = getattr(self, f"_{name}"), np.asarray(state[name])
            if given.shape != np.shape(mine):
                raise KWScopeError(f"The detector's state {name!r} has the shape {given.shape}: use a whole state.")
            setattr(self, f"_{name}", given.copy() if isinstance(mine, np.ndarray) else given.tolist())

    def reset(self) -> None:
        """Return to the state of a new detector."""
        self._count = 0
        self._next_frame = -1
        self._blocked_until = -1
        self._posterior = np.zeros(N_CLASSES)
        self._armed = [True] * len(WORDS)
        self._run = [0] * len(WORDS)  # consecutive frames at or above the threshold
        self._start = [0] * len(WORDS)
        self._peak = [0] * len(WORDS)
        self._score = [0.0] * len(WORDS)

    def update(self, telemetry: Telemetry) -> Event | None:
        """Take the next frame; return the word decided in it, if any."""
        frame = telemetry.frame
        if frame != self._next_frame:
            self.reset()
        self._next_frame = frame + 1
        self._smooth(telemetry.logits)
        levels = self._posterior[: len(WORDS)]
        above = levels >= self._thresholds
        released = levels < self._settings.release * self._thresholds
        for word in range(len(WORDS)):
            if released[word]:
                self._armed[word] = True
            if not above[word]:
                self._run[word] = 0
                continue
            if self._run[word] == 0:
                self._start[word] = frame
                self._score[word] = -1.0
            self._run[word] += 1
            if levels[word] > self._score[word]:
                self._score[word] = float(levels[word])
                self._peak[word] = frame
        best = int(levels.argmax())
        if self._run[best] < self._settings.minimum_frames or not self._armed[best] or frame < self._blocked_until:
            return None
        self._armed[best] = False
        self._blocked_until = frame + self._settings.refractory_frames
        return self._event(best, telemetry)

    def _smooth(self, logits: NDArray[np.floating[Any]]) -> None:
        slot = self._count % _LONGEST
        self._ring[slot] = self._ring[slot + _LONGEST] = softmax(logits)
        self._count += 1
        n = min(self._count, self._settings.smoothing_frames)
        end = slot + _LONGEST + 1
        # summed afresh each frame: no drift, and the same bits wherever the ring stands
        self._posterior = self._ring[end - n : end].sum(0) / n

    def _event(self, word: int, telemetry: Telemetry) -> Event:
        def sample(frame: int) -> int:
            return telemetry.sample - HOP * (telemetry.frame - frame)

        start, peak, decided = self._start[word], self._peak[word], telemetry.frame
        return Event(
            WORDS[word],
            word,
            self._score[word],
            sample(start),
            sample(peak),
            telemetry.sample,
            start,
            peak,
            decided,
        )

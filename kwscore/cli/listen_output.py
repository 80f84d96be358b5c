"""What ``kwscope listen`` says: a line a word, or one JSON object a line; a state of the moment at a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from kwscore.cli.common import emit, note, numbers
from kwscore.constants import HOP, LABELS, SAMPLE_RATE

if TYPE_CHECKING:
    from kwscore.audio.source import Source
    from kwscore.stream.calibrator import CalibrationRecord
    from kwscore.stream.detection import DetectionSettings, Event
    from kwscore.stream.runner import Batch, Runner
    from kwscore.stream.telemetry import Engine, Telemetry

_STATUS_INTERVAL = 0.1  # seconds between two states of the line at the terminal


class Listening(Protocol):
    """What is listened to, how, and what was heard so far."""

    source: Source
    engine: Engine
    settings: DetectionSettings
    runner: Runner
    events: list[Event]

    @property
    def board(self) -> str | None:
        """The port of the board that computes."""

    @property
    def stood_in(self) -> int:
        """Frames that software computed in the board's place."""

    def score(self) -> dict[str, Any] | None:
        """Hits, misses and false accepts, where the source knows what is said."""


class Output:
    """Where results go. Progress is shown on stderr, and only to a person at a terminal."""

    def __init__(self) -> None:
        self._shows_line = sys.stderr.isatty()
        self._next_line = 0.0

    def start(self, session: Listening) -> None:
        note(f"Listening to {session.source.name} with {session.engine.name} ({session.engine.model_hash}).")

    def batch(self, batch: Batch) -> None:
        """What one step delivered."""
        self.progress(batch)

    def progress(self, batch: Batch) -> None:
        """Keep the line at the terminal current: time, level, what it sounds like now."""
        now = time.monotonic()
        if not self._shows_line or now < self._next_line or not batch.telemetry:
            return
        self._next_line = now + _STATUS_INTERVAL
        best = int(batch.posteriors[-1].argmax())
        seconds = (batch.position + len(batch.samples)) / SAMPLE_RATE
        level = batch.telemetry[-1].level_dbfs
        text = f"{seconds:8.1f} s  {level:6.1f} dBFS  {LABELS[best]} {batch.posteriors[-1, best]:.2f}"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def calibrated(self, record: CalibrationRecord) -> None:
        """The constants were set."""
        from kwscore.cli.calibrate import describe, warn_unsteady

        self.clear()
        note(describe(record))
        if record.snr_from != "heard":
            warn_unsteady(record.noise)

    def clear(self) -> None:
        """Take the line at the terminal away."""
        if self._shows_line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self, session: Listening, elapsed: float) -> None:
        self.clear()
        figures, status = session.runner.statistics(), session.source.status()
        heard = figures.position / SAMPLE_RATE
        words = f"{len(session.events)} word{'' if len(session.events) == 1 else 's'}"
        lost = (
            f"; {status.dropped} samples lost, {status.overflows} overflows"
            if status.dropped or status.overflows
            else ""
        )
        note(f"{heard:.1f} s heard in {elapsed:.1f} s, {words}, {figures.hop_us:.0f} us per hop (median){lost}.")
        if session.stood_in:
            note(f"{session.stood_in} of {figures.frames} frames were computed in software in the board's place.")
        score = session.score()
        if score:
            note(
                f"Of {score['words']} words said: {score['hits']} found, {score['misses']} missed; "
                f"{score['false_accepts']} reported that were not said."
            )


class TextOutput(Output):
    """A line for each word: when it was decided, the word, its score."""

    def batch(self, batch: Batch) -> None:
        for event in batch.events:
            self.clear()
            print(f"{_seconds(event.decided):9.2f} s  {event.word:<6} {event.score:.2f}", flush=True)
        self.progress(batch)


class Silent(Output):
    """Nobody listens any more."""

    def end(self, session: Listening, elapsed: float) -> None:
        self.clear()


class JsonOutput(Output):
    """One JSON object a line."""

    def __init__(self, telemetry: bool) -> None:
        super().__init__()
        self._telemetry = telemetry

    def start(self, session: Listening) -> None:
        super().start(session)
        engine = session.engine
        emit(
            {
                "type": "start",
                "source": session.source.name,
                "model": engine.name,
                "hash": engine.model_hash,
                "board": session.board,
                "labels": LABELS,
                "experts": engine.expert_names,
                "blocks": engine.blocks,
                "channels": engine.channels,
                "sample_rate": SAMPLE_RATE,
                "hop": HOP,
                "detection": session.settings.to_dict(),
            }
        )

    def batch(self, batch: Batch) -> None:
        events = {event.decided_frame: event for event in batch.events}
        for record, posterior in zip(batch.telemetry, batch.posteriors, strict=True):
            if self._telemetry:
                emit({**_telemetry(record), "posteriors": numbers(posterior)})
            if record.frame in events:
                emit(_event(events[record.frame]))
        self.progress(batch)

    def calibrated(self, record: CalibrationRecord) -> None:
        super().calibrated(record)
        emit({"type": "calibration", **record.to_dict()})

    def end(self, session: Listening, elapsed: float) -> None:
        super().end(session, elapsed)
        figures, status = session.runner.statistics(), session.source.status()
        emit(
            {
                "type": "end",
                "samples": figures.position,
                "frames": figures.frames,
                "stood_in": session.stood_in,
                "events": len(session.events),
                "score": session.score(),
                "dropped": status.dropped,
                "overflows": status.overflows,
                "hop_us": round(figures.hop_us, 2),
                "hop_p99_us": round(figures.hop_p99_us, 2),
            }
        )


def _telemetry(record: Telemetry) -> dict[str, Any]:
    return {
        "type": "telemetry",
        "frame": record.frame,
        "sample": record.sample,
        "time_s": _seconds(record.sample),
        "level_dbfs": round(record.level_dbfs, 3),
        "mel": numbers(record.mel),
        "snr": numbers(record.snr),
        "routing": numbers(record.routing),
        "delta": numbers(record.delta),
        "logits": numbers(record.logits),
        "elapsed_us": round(record.elapsed_us, 2),
    }


def _event(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {
        "type": "event",
        "word": event.word,
        "score": float(f"{event.score:.7g}"),
        "frame": event.decided_frame,
        "start": event.start,
        "peak": event.peak,
        "decided": event.decided,
    }
    for name in ("start", "peak", "decided"):
        record[f"{name}_s"] = _seconds(record[name])
    return record


def _seconds(sample: int) -> float:
    """Time at the end of a sample."""
    return round((sample + 1) / SAMPLE_RATE, 6)

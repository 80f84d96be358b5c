"""What ``kwscope board monitor`` prints: a board at work, one line per interval of sound."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from kwscore.audio.source import Source
from kwscore.board.engine import BoardEngine
from kwscore.board.errors import BoardError
from kwscore.board.protocol import Stats
from kwscore.cli.common import emit, note
from kwscore.constants import SAMPLE_RATE
from kwscore.stream.detection import Detector
from kwscore.stream.runner import Batch, Runner

_HEADING = (
    f"{'time':>9}  {'state':<10} {'hops/s':>7} {'trip ms':>8} {'link ms':>8} {'board ms':>9} {'cycles':>8} {'lost':>5} "
    f"{'zeros':>6} {'CRC':>4}  words"
)


@dataclass(slots=True)
class Line:
    """One interval. Times in milliseconds, medians; None while the board is not at hand.

    ``trip_ms``: from sending a hop to its answer, measured here. ``board_ms`` and ``worst_cycles`` (the longest hop
    since the board was reset) are what the board counted, ``link_ms`` the rest of the trip: None of a board that counts
    no cycles.
    """

    time_s: float
    state: str
    reason: str
    hops_per_s: float
    trip_ms: float | None
    link_ms: float | None
    board_ms: float | None
    worst_cycles: int | None
    lost: int
    filled: int
    crc_errors: int | None
    words: list[str]

    def text(self) -> str:
        """As a row under the heading."""
        times = (self.trip_ms, self.link_ms, self.board_ms)
        trip, link, board = (f"{value:.2f}" if value is not None else "-" for value in times)
        worst, errors = ("-" if value is None else str(value) for value in (self.worst_cycles, self.crc_errors))
        row = (
            f"{self.time_s:7.1f} s  {self.state:<10} {self.hops_per_s:7.1f} {trip:>8} {link:>8} {board:>9} {worst:>8} "
            f"{self.lost:5} {self.filled:6} {errors:>4}  {' '.join(self.words)}"
        )
        return row.rstrip()


def _median_ms(microseconds: list[float]) -> float | None:
    return round(float(np.median(microseconds)) / 1000, 3) if microseconds else None


class Monitor:
    """One source through one board until one of them ends."""

    def __init__(self, source: Source, engine: BoardEngine, as_json: bool) -> None:
        self._source = source
        self._engine = engine
        self._as_json = as_json
        self._runner = Runner(source, engine, Detector())
        self._trouble = ""

    def run(self, seconds: float | None, every: float) -> None:
        """Print until the source ends or ``seconds`` of sound were heard; a line each ``every`` seconds of sound."""
        if not self._as_json:
            if not self._engine.client.info.counts_cycles:
                note("This board has no cycle counter: only the round trip is measured, on this computer.")
            print(_HEADING, flush=True)
        self._source.start()
        try:
            due, words, heard, frames = every, [], 0.0, 0
            while not self._runner.finished and (seconds is None or heard < seconds):
                batch = self._runner.step(0.1)
                heard = (batch.position + len(batch.samples)) / SAMPLE_RATE
                frames += len(batch.telemetry)
                words += [event.word for event in batch.events]
                self._say_trouble(batch)
                if heard >= due:
                    self._print(heard, frames / every, words)
                    due, words, frames = due + every, [], 0
            if words or frames:
                self._print(heard, frames / max(every - (due - heard), 1e-9), words)
        finally:
            self._source.stop()

    def _say_trouble(self, batch: Batch) -> None:
        message = self._source.status().message or self._engine.client.reason
        if message and message != self._trouble:
            note(f"kwscope: {message}")
        elif self._trouble and not message:
            note("kwscope: the board is back.")
        self._trouble = message

    def _print(self, heard: float, rate: float, words: list[str]) -> None:
        client = self._engine.client
        recent = list(self._engine.timings)[-max(1, round(rate)) :] if self._engine.on_board else []
        timed = recent if recent and client.info.counts_cycles else []
        stats = self._stats()
        line = Line(
            time_s=round(heard, 2),
            state=client.state.value,
            reason=client.reason,
            hops_per_s=round(rate, 1),
            trip_ms=_median_ms([t.trip_us for t in recent]),
            link_ms=_median_ms([t.link_us for t in timed]),
            board_ms=_median_ms([t.compute_us for t in timed]),
            worst_cycles=stats.max_cycles if stats and client.info.counts_cycles else None,
            lost=client.lost_results,
            filled=self._engine.filled,
            crc_errors=stats.crc_errors + client.link_errors if stats else None,
            words=words,
        )
        if self._as_json:
            emit(asdict(line))
        else:
            print(line.text(), flush=True)

    def _stats(self) -> Stats | None:
        if not self._engine.on_board:
            return None
        try:
            return self._engine.client.stats()
        except BoardError:
            return None

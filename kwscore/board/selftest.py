"""Does a board compute what the integer engine computes? Known audio, every field of every RESULT compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kwscore.board.client import BoardClient
from kwscore.board.errors import BoardError, BoardLostError
from kwscore.board.fields import WARMUP_HOPS, Words, integer_words
from kwscore.board.flight import HopResult
from kwscore.board.protocol import Flag, Info, Mask, Mode, Stats
from kwscore.board.signals import Pcm
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image

REAL_TIME = SAMPLE_RATE / HOP
"""Hops a second of live audio."""
_GIVEN = 30  # hops whose features are given to the network alone
_SINGLE = 50  # hops that are sent one at a time, to measure the round trip


@dataclass(frozen=True, slots=True)
class Spread:
    """Microseconds: median, 99th percentile, longest."""

    median: float
    p99: float
    longest: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of at least one value."""
        median, p99, longest = np.percentile(values, (50, 99, 100)).round(1).tolist()
        return cls(median, p99, longest)


@dataclass(slots=True)
class Report:
    """What a test found.

    ``results``: RESULTs that came, ``lost``: hops without one; ``given``: frames of features that the network alone
    answered (0 where the board takes none). ``differences``: answers by the field that was not the integer engine's
    (``index`` and ``flags`` count as fields), ``first`` the first of them in words. ``rate``: hops a second with as
    many under way as the board has room for; ``keep_up``: that over live audio's 100. ``link`` and ``compute``: where
    the ``round_trip`` of a hop goes that is sent alone; compute is what the board counted, in cycles of its clock, link
    the rest. Both are None of a board that counts no cycles.
    """

    info: Info
    hops: int = 0
    results: int = 0
    given: int = 0
    lost: int = 0
    differences: Counter[str] = field(default_factory=Counter)
    first: str = ""
    rate: float = 0.0
    round_trip: Spread | None = None
    link: Spread | None = None
    compute: Spread | None = None
    stats: Stats | None = None

    @property
    def equal(self) -> bool:
        """Whether every hop was answered, and every answer is the integer engine's."""
        return bool(self.hops) and self.results == self.hops and not self.lost and not self.differences

    @property
    def keep_up(self) -> float:
        """How many times faster than live audio."""
        return self.rate / REAL_TIME

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        spreads = {"round_trip_us": self.round_trip, "link_us": self.link, "compute_us": self.compute}
        return {
            "equal": self.equal,
            "hops": self.hops,
            "results": self.results,
            "given": self.given,
            "lost": self.lost,
            "differences": dict(self.differences),
            "first_difference": self.first,
            "hops_per_s": round(self.rate, 1),
            "keep_up": round(self.keep_up, 2),
            **{name: _spread(value) for name, value in spreads.items()},
            "stats": self.stats.as_dict(self.info) if self.stats else None,
        }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else {"median": spread.median, "p99": spread.p99, "longest": spread.longest}


class _Comparison:
    """One stream's answers against the integer engine's."""

    def __init__(self, report: Report, name: str, engine: FixedEngine, samples: Pcm, mask: Mask) -> None:
        self._report = report
        self._name = name
        self._mask = mask
        engine.reset()
        self._expected = engine.outputs(samples)

    def check(self, answers: list[HopResult]) -> None:
        report = self._report
        for answer in answers:
            if answer.result is None:
                report.lost += 1
                continue
            report.results += 1
            for name, got, due in self._differences(answer):
                report.differences[name] += 1
                report.first = report.first or f"hop {answer.hop} of {self._name}: {name} {got} instead of {due}"

    def _differences(self, answer: HopResult) -> list[tuple[str, Any, Any]]:
        result = answer.result
        assert result is not None
        frame = answer.hop - WARMUP_HOPS
        flags = Flag.FULL if frame >= 0 else Flag.WARMUP
        found: list[tuple[str, Any, Any]] = []
        if result.index != answer.hop * HOP % (1 << 32):
            found.append(("index", result.index, answer.hop * HOP))
        if result.flags != flags:
            return [*found, ("flags", result.flags, flags)]
        if frame < 0:
            return found
        want: Words = integer_words(self._expected, frame)
        got = result.fields(self._mask, self._report.info.sizes)
        for part, words in got.items():
            if part is not Mask.COUNTERS and not np.array_equal(words, want[part]):
                at = int(np.flatnonzero(words != want[part])[0])
                found.append((f"{part.name}".lower(), f"[{at}] {words[at]}", want[part][at]))
        return found


def run(
    client: BoardClient,
    image: Image,
    audio: dict[str, Pcm],
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Stream ``audio``, each stream from reset, to a connected board that runs ``image``.

    Every field that the board can send is asked for; then features, where it takes them. Raises BoardLostError when the
    board is lost on the way.
    """
    engine = FixedEngine(image)
    engine.warm_up(progress)
    report = Report(client.info)
    mode = client.mode
    client.set_mode(1, client.info.mask)
    _alone(client, report, engine, next(iter(audio.values()))[: _SINGLE * HOP])
    spent = 0.0
    for name, samples in audio.items():
        compared = _Comparison(report, name, engine, samples, client.mode.mask)
        client.start_stream()
        begin = time.monotonic()
        for hop in samples.reshape(-1, HOP):
            client.send(hop)
            compared.check(client.results())
        compared.check(client.results(wait=True))
        spent += time.monotonic() - begin
        report.hops += len(samples) // HOP
        if client.reason:
            raise BoardLostError(client.reason)
        if progress:
            so_far = "all equal" if not report.differences else f"{report.differences.total()} differences so far"
            progress(f"{name}: {len(samples) / SAMPLE_RATE:.1f} s, {so_far}")
    report.rate = sum(map(len, audio.values())) / HOP / spent
    if client.info.mode & Mode.FEATURES:
        _network_alone(client, report, engine, next(iter(audio.values()))[: _GIVEN * HOP])
    report.stats = client.stats()
    client.set_mode(mode.stride, mode.mask)
    return report


def _network_alone(client: BoardClient, report: Report, engine: FixedEngine, samples: Pcm) -> None:
    """The network behind the engine's front end: when sound differs and this does not, the board's front end is it."""
    engine.reset()
    given = [np.stack([trace.normed, trace.snr]) for trace in engine.visit(samples)]
    engine.reset()
    expected = engine.outputs(samples)
    client.start_stream()
    for frame, features in enumerate(given):
        try:
            result = client.features(frame, features.astype("<i2").tobytes())
        except BoardError:
            if client.reason:
                raise
            report.lost += 1
            return  # what the network remembers now is not known
        report.given += 1
        got = result.fields(client.mode.mask, client.info.sizes)
        want = integer_words(expected, frame)
        for part in (Mask.LOGITS, Mask.SNR, Mask.DELTA):
            if part in got and not np.array_equal(got[part], want[part]):
                name = f"{part.name} of the network alone".lower()
                report.differences[name] += 1
                report.first = report.first or f"features {frame}: {name}"


def _alone(client: BoardClient, report: Report, engine: FixedEngine, samples: Pcm) -> None:
    """Hop after hop, the next one when the answer is there."""
    compared = _Comparison(report, "the first hops", engine, samples, client.mode.mask)
    client.start_stream()
    trips, computes = [], []
    for hop in samples.reshape(-1, HOP):
        client.send(hop)
        answers = client.results(wait=True)
        compared.check(answers)
        for answer in answers:
            if answer.result is not None and not answer.result.flags & Flag.WARMUP:
                trips.append(answer.round_trip * 1e6)
                computes.append(answer.result.cycles * 1e6 / client.info.clock_hz)
    report.hops += len(samples) // HOP
    if trips:
        report.round_trip = Spread.of(trips)
    if trips and client.info.counts_cycles:
        report.compute = Spread.of(computes)
        report.link = Spread.of([max(0.0, trip - compute) for trip, compute in zip(trips, computes, strict=True)])

"""An engine whose arithmetic runs on a board."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import FLOOR_DBFS, rms_dbfs
from kwscore.board.client import BoardClient, State, Timing
from kwscore.board.errors import BoardLostError, ProtocolError
from kwscore.board.fields import WARMUP_HOPS, decode_telemetry
from kwscore.board.flight import HopResult
from kwscore.board.handshake import Weights
from kwscore.board.protocol import DEFAULT_BAUD, FULL_MASK, Flag, Mask
from kwscore.constants import HOP, WINDOW
from kwscore.stream.pcm import to_pcm
from kwscore.stream.telemetry import Engine, Telemetry

_REMEMBERED = 1000  # timings kept: ten seconds


@dataclass(frozen=True, slots=True)
class BoardModel:
    """The network that a board is to run, as its host knows it."""

    name: str
    model_hash: str
    expert_names: tuple[str, ...]
    weights: Weights


@dataclass(frozen=True, slots=True)
class HopTiming:
    """Where the time of one frame went, in microseconds: on the line and in queues; in the board's arithmetic.

    ``compute_us`` is NaN of a board that counts no cycles; ``link_us`` then is the whole round trip.
    """

    frame: int
    link_us: float
    compute_us: float

    @property
    def trip_us(self) -> float:
        """From sending to the answer."""
        return self.link_us if math.isnan(self.compute_us) else self.link_us + self.compute_us


class Closable(Protocol):
    """Something that has to be ended."""

    def close(self) -> None: ...


class BoardEngine:
    """Sends audio to the board at ``port`` and returns what it computes; satisfies ``Engine``.

    ``model``: what the board must run, loaded where it has something else; without it the board's weights are taken
    as they are. ``standby``: an engine of the same network that hears everything too, and whose records take the
    place of the board's while it is lost; without one ``process`` raises BoardLostError then. Either way the client
    gets the board back by itself, and the stream goes on with the right frame numbers (and a new warm-up).
    ``may_wait``: a board that cannot be used at the start is no error either, but counts as lost (needs ``model`` and
    ``standby``). ``held_up``, ``on_state``, ``progress``: see ``BoardClient``. ``owned`` is closed with the engine.

    A board works in whole hops: the first frame comes after 640 samples, not 512. Frames lost on the line are
    missing from the records; frames that heard a hop of zeros instead of lost audio are counted in ``filled``.
    ``Telemetry.elapsed_us`` is what the board counted in cycles of its clock; of one that counts none (``sim``) it is
    the round trip, measured here.

    Raises BoardError with the reason when the board cannot be used.
    """

    def __init__(
        self,
        port: str,
        model: BoardModel | None = None,
        *,
        standby: Engine | None = None,
        baud: int = DEFAULT_BAUD,
        mask: Mask = FULL_MASK,
        may_wait: bool = False,
        timing: Timing | None = None,
        held_up: Callable[[], bool] = lambda: False,
        on_state: Callable[[State], None] | None = None,
        progress: Callable[[str], None] | None = None,
        owned: Closable | None = None,
    ) -> None:
        self._model = model
        self._standby = standby
        self._owned = owned
        weights = model.weights if model else None
        self.client = BoardClient(
            port,
            baud=baud,
            weights=weights,
            mask=mask,
            timing=timing,
            held_up=held_up,
            on_state=on_state,
            progress=progress,
        )
        self.timings: deque[HopTiming] = deque(maxlen=_REMEMBERED)
        self.filled = 0
        """Frames since reset that heard zeros in place of lost audio."""
        self.stood_in = 0
        """Frames since reset that the standby computed in the board's place."""
        if may_wait and model is not None and standby is not None:
            self.client.connect_or_wait()
        else:
            self.client.connect()
        self._forget()

    def _forget(self) -> None:
        self._pending: NDArray[np.int16] = np.zeros(0, np.int16)
        self._hops: int = 0  # hops since reset, heard by the board or not
        self._base: int | None = None  # the hop at which the board's present stream began
        self._tail = np.zeros((WARMUP_HOPS + 1) * HOP, np.int16)
        self._levels: dict[int, float] = {}
        self._early: dict[int, Telemetry] = {}
        self._own: set[int] = set()  # frames in ``_early`` that the board computed
        self.stood_in = 0
        self.filled = 0
        self.streams = 0
        """Streams that the board began since reset: after the second one its state is not that of everything heard."""
        self.timings.clear()

    def __enter__(self) -> BoardEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the port, and end what was started for it."""
        self.client.close()
        if self._owned is not None:
            self._owned.close()

    @property
    def name(self) -> str:
        """Network name; where none was given, the board's."""
        return self._model.name if self._model else f"board {self.client.info.tag}"

    @property
    def model_hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the weights; the 8 the board knows where no model was given."""
        return self._model.model_hash if self._model else f"{self.client.info.model_id:08x}"

    @property
    def expert_names(self) -> Sequence[str]:
        """Names of the entries of ``Telemetry.routing``."""
        if self._model:
            return self._model.expert_names
        return tuple(f"expert {number + 1}" for number in range(self.client.info.sizes.experts))

    @property
    def blocks(self) -> int:
        """Blocks of the network."""
        return (self._model.weights.sizes if self._model else self.client.info.sizes).blocks

    @property
    def channels(self) -> int:
        """SSM channels per block (D)."""
        return (self._model.weights.sizes if self._model else self.client.info.sizes).channels

    @property
    def on_board(self) -> bool:
        """Whether the board is at hand; False while the standby engine fills in."""
        return self.client.state in (State.READY, State.STREAMING)

    def reset(self) -> None:
        """Return to the state of a new engine. The board starts a new stream with the next samples."""
        self._forget()
        if self._standby is not None:
            self._standby.reset()

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        """Take any number of mono 16 kHz samples (int16, or float32 in [-1, 1]); return the finished frames.

        Waits for the board's answers, at most ``Timing.hop`` for each. Raises BoardLostError without ``standby``
        while the board is lost; the samples count as heard, so that frame numbers stay true to the audio.
        """
        pcm = to_pcm(samples)
        records: dict[int, Telemetry] = {}
        if self._standby is not None:
            records = {record.frame: record for record in self._standby.process(pcm)}
        pending = np.concatenate([self._pending, pcm])
        whole = len(pending) // HOP
        self._pending = pending[whole * HOP :].copy()
        lost: BoardLostError | None = None
        mine: list[Telemetry] = []
        for position in range(whole):
            try:
                mine += self._hop(pending[position * HOP : (position + 1) * HOP])
            except BoardLostError as error:
                lost = error
        mine += self._telemetry(self.client.results(wait=True))
        if self.client.state is State.LOST and lost is None and whole:
            lost = BoardLostError(self.client.reason)
        if lost is not None and self._standby is None and not mine:
            raise lost
        if self._standby is None:
            return mine
        # The standby is 128 samples ahead of the board: what it has finished earlier waits for the board's answer.
        self._early.update(records)
        for record in mine:
            self._early[record.frame] = record
            self._own.add(record.frame)
        due = [frame for frame in sorted(self._early) if frame < self._hops - WARMUP_HOPS]
        self.stood_in += sum(frame not in self._own for frame in due)
        self._own.difference_update(due)
        return [self._early.pop(frame) for frame in due]

    def _hop(self, samples: NDArray[np.int16]) -> list[Telemetry]:
        number = self._hops
        self._hops += 1
        self._tail = np.concatenate([self._tail[HOP:], samples])
        if self._base is None or self.client.state is not State.STREAMING:
            finished = self._telemetry(self.client.results())
            self.client.start_stream()
            self._base = number
            self.streams += 1
            self._levels.clear()
            self._levels[number] = self._level(number)
            self._send(samples)
            return finished
        self._levels[number] = self._level(number)
        self._send(samples)
        return self._telemetry(self.client.results())

    def _send(self, samples: NDArray[np.int16]) -> None:
        try:
            self.client.send(samples)
        except BoardLostError:
            if self.client.state is not State.READY:
                raise
            # The board broke the stream off (a gap too long) but is there: go on in a new one.
            self.client.start_stream()
            self._base = self._hops - 1
            self.streams += 1
            self.client.send(samples)

    def _level(self, hop: int) -> float:
        """Level of the frame that this hop completes, from the frame's newest 160 samples (the first: all)."""
        assert self._base is not None
        first = hop - self._base == WARMUP_HOPS
        return rms_dbfs(self._tail[0 if first else WINDOW - HOP : WINDOW])

    def _telemetry(self, results: list[HopResult]) -> list[Telemetry]:
        if not results:
            return []
        info = self.client.info
        records = []
        for answer in results:
            result = answer.result
            if result is None or self._base is None or not result.flags & Flag.FULL:
                continue
            hop = self._base + answer.hop
            frame = hop - WARMUP_HOPS
            trip = answer.round_trip * 1e6
            timing = HopTiming(frame, trip, float("nan"))
            if info.counts_cycles:
                compute = result.cycles * 1e6 / info.clock_hz
                timing = HopTiming(frame, max(0.0, trip - compute), compute)
            self.filled += bool(result.flags & Flag.FILLED)
            self.timings.append(timing)
            try:
                record = decode_telemetry(
                    result,
                    self.client.mode.mask,
                    info.sizes,
                    frame=frame,
                    sample=frame * HOP + WINDOW - 1,
                    level_dbfs=self._levels.pop(hop, FLOOR_DBFS),
                    elapsed_us=timing.compute_us if info.counts_cycles else trip,
                )
            except ProtocolError:
                continue  # sent before a change of the mask
            records.append(record)
        return records

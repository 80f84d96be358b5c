"""A small engine whose every value depends on all samples of its frame, exact in the formats of the link."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import rms_dbfs
from kwscore.board.core import EngineCore
from kwscore.board.protocol import Mask, Mode
from kwscore.constants import HOP, WINDOW
from kwscore.stream.pcm import to_pcm
from kwscore.stream.telemetry import Telemetry


class ToyEngine:
    """Random-looking telemetry seeded by the running checksum of everything heard since reset."""

    name = "Toy"
    model_hash = "0123456789ab"
    expert_names = ("fast", "slow")
    blocks = 2
    channels = 24

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._pcm = np.zeros(0, np.int16)
        self._frame = 0
        self._sum = 0

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        self._pcm = np.concatenate([self._pcm, to_pcm(samples)])
        records = []
        while len(self._pcm) >= WINDOW:
            records.append(self._record(self._pcm[:WINDOW]))
            self._pcm = self._pcm[HOP:]
            self._frame += 1
        return records

    def _record(self, frame: NDArray[np.int16]) -> Telemetry:
        self._sum = zlib.crc32(frame.tobytes(), self._sum)
        rng = np.random.default_rng(self._sum)

        def words(low: int, high: int, bits: int, *shape: int) -> NDArray[np.float32]:
            return np.ldexp(rng.integers(low, high, shape).astype(np.float32), -bits)

        share = words(0, 2**15, 15, 1)
        return Telemetry(
            self._frame,
            self._frame * HOP + WINDOW - 1,
            rms_dbfs(frame[0 if self._frame == 0 else WINDOW - HOP :]),
            np.exp2(words(-15000, 9000, 10, 40)).astype(np.float32),
            words(0, 2**15, 15, 40),
            np.concatenate([share, 1 - share]),
            words(0, 2**16, 11, 2, 24),
            words(-(2**15), 2**15, 9, 12),
            123.0,
        )


class CountingCore(EngineCore):
    """A virtual board's core that counts cycles, as hardware does: always the same number for a frame."""

    CYCLES = 6150

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.info = replace(self.info, mode=self.info.mode & ~Mode.UNTIMED)

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        _, body = super().hop(samples, mask, counters)
        return (self.CYCLES if body else 0), body


def speech_like(hops: int, seed: int = 1) -> NDArray[np.int16]:
    """Noise of changing level, (160 * hops,) int16."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(0, 12000, hops), HOP)
    return (rng.uniform(-1, 1, hops * HOP) * level).astype(np.int16)


def assert_same(got: list[Telemetry], expected: list[Telemetry]) -> None:
    """Every field that crosses the link, bit for bit; the level to float rounding."""
    assert [r.frame for r in got] == [r.frame for r in expected]
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.sample == theirs.sample
        assert abs(mine.level_dbfs - theirs.level_dbfs) < 1e-3
        for name in ("mel", "snr", "routing", "delta", "logits"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)

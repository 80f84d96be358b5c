"""The integer engine: 16-bit samples in, telemetry of every frame out; bit for bit what the FPGA computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import FLOOR_DBFS
from kwscore.constants import HOP, N_MELS, WINDOW
from kwscore.errors import KWScopeError
from kwscore.fixed import layout, loading
from kwscore.fixed.image import Image
from kwscore.fixed.step import run
from kwscore.fixed.tables import rom
from kwscore.stream.pcm import to_pcm
from kwscore.stream.telemetry import Telemetry

_BATCH = 128


class FixedEngine:
    """Runs a quantised network on endless audio in integers only; satisfies ``kwscore.stream.telemetry.Engine``.

    ``net``: an :class:`Image`, or what ``StreamEngine`` takes (a torch network, or a pair of NetworkConfig and arrays),
    which is then quantised with the synthetic calibration audio. ``FixedEngine.load`` takes names and paths.

    Any chunking gives the same bits. Use one engine from one thread at a time; the GIL is released while it computes.
    Raises KWScopeError for a network that the integer datapath does not cover.
    """

    def __init__(self, net: Any) -> None:
        self.image = net if isinstance(net, Image) else _quantised(net)
        self._net = self.image.net
        self._state = layout.new_state(self.image.sizes, self._net.const)
        self._trace = layout.new_trace(self.image.sizes)
        self._lead = 0  # frames since reset that the network has had and the front end has not

    @classmethod
    def load(cls, name: str | Path) -> FixedEngine:
        """Engine of an image file (.kwsf), of our trained network ``name``, or of a checkpoint. Imports no torch."""
        from kwscore.fixed.calibrate import load_image

        return cls(load_image(name))

    @property
    def name(self) -> str:
        """Network name."""
        return self.image.name

    @property
    def model_hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the float weights that were quantised."""
        return self.image.model_hash

    @property
    def model_id(self) -> int:
        """CRC-32 of the image."""
        return self.image.model_id

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the entries of ``Telemetry.routing``."""
        return self.image.expert_names

    @property
    def blocks(self) -> int:
        """Blocks of the network."""
        return self.image.sizes.layers

    @property
    def channels(self) -> int:
        """SSM channels per block (D)."""
        return self.image.sizes.channels

    @property
    def state(self) -> layout.State:
        """A copy of everything the stream remembers; assigning such a copy continues from there."""
        return _copied(self._state)

    @state.setter
    def state(self, state: layout.State) -> None:
        for field, mine, given in zip(layout.State._fields, _arrays(self._state), _arrays(state), strict=True):
            if mine.shape != given.shape or mine.dtype != given.dtype:
                raise KWScopeError(f"The state's {field!r} is not one of {self.name}: use a state of this network.")
        self._state = _copied(state)
        self._lead = 0

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        """Take any number of mono 16 kHz samples (int16, or float in [-1, 1]); return the finished frames.

        Raises KWScopeError for another type or shape, or for NaN or infinity; the stream is then as before.
        """
        records: list[Telemetry] = []
        for part, frames in self._parts(to_pcm(samples), _BATCH):
            records += self._run(part, frames)
        return records

    def logits(self, samples: NDArray[np.generic]) -> NDArray[np.int16]:
        """Like ``process``, but only the integer logits (T, 12), 9 fraction bits: what the board sends."""
        return self.outputs(samples).logits.astype(np.int16)

    def outputs(self, samples: NDArray[np.generic]) -> layout.Outputs:
        """Like ``process``, but the integers themselves, one row for each finished frame."""
        parts = [self._compute(part, frames) for part, frames in self._parts(to_pcm(samples), _BATCH)]
        if len(parts) == 1:
            return parts[0]
        empty = layout.new_outputs(self.image.sizes, 0)
        return layout.Outputs._make(np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True))

    def features(self, given: NDArray[np.integer]) -> layout.Outputs:
        """Run the network alone, as a FEAT_FRAME does on the board: ``given`` (T, 2, 40) are normalised features and
        SNR as in ``Trace``. Returns T rows; what the front end knows in them, and its state, are those of the newest
        frame of sound. Such frames count for the memory of the network, but are no part of ``state``.

        Raises KWScopeError for another shape.
        """
        if given.shape[1:] != (2, N_MELS):
            raise KWScopeError(f"Features of shape {given.shape}: give (frames, 2, {N_MELS}), features and SNR.")
        out = self._run_step(given.astype(np.int64), np.zeros(0, np.int16), len(given))
        self._lead += len(given)
        return out

    def visit(self, samples: NDArray[np.generic]) -> Iterator[layout.Trace]:
        """Like ``trace`` without copies: each yielded trace is overwritten by the next frame."""
        for part, frames in self._parts(to_pcm(samples), 1):
            self._compute(part, frames)
            if frames:
                yield self._trace

    def trace(self, samples: NDArray[np.generic]) -> list[layout.Trace]:
        """Like ``process``, but every intermediate tensor of each finished frame."""
        return [layout.Trace(*(array.copy() for array in trace)) for trace in self.visit(samples)]

    def reset(self) -> None:
        """Return to the state of a new engine."""
        fresh = layout.new_state(self.image.sizes, self._net.const)
        for mine, new in zip(_arrays(self._state), _arrays(fresh), strict=True):
            mine[...] = new
        self._lead = 0

    @staticmethod
    def is_compiled() -> bool:
        """Whether the compiled step is in memory or cached on disk, so that the first frame comes at once."""
        return loading.is_compiled()

    def warm_up(self, progress: Callable[[str], None] | None = None) -> None:
        """Compile (once per installation, in a process of its own) or load from the cache; the stream stays untouched.

        ``progress`` is called with a sentence before and after a compilation. Quantising a network does this too.
        """
        loading.load(progress)

    def _parts(self, pcm: NDArray[np.int16], batch: int) -> list[tuple[NDArray[np.int16], int]]:
        """Cut samples so that each part finishes at most ``batch`` frames."""
        fill = int(self._state.counter[layout.FILL])
        parts, position = [], 0
        while position < len(pcm):
            take = min(len(pcm) - position, WINDOW - fill + (batch - 1) * HOP)
            frames = max(0, (fill + take - WINDOW) // HOP + 1)
            parts.append((pcm[position : position + take], frames))
            fill += take - frames * HOP
            position += take
        return parts

    def _compute(self, pcm: NDArray[np.int16], frames: int) -> layout.Outputs:
        # A copy: samples that are read-only or strided would be another type, compiled anew.
        return self._run_step(layout.NOTHING_GIVEN, pcm.copy(), frames)

    def _run_step(self, given: NDArray[np.int64], pcm: NDArray[np.int16], frames: int) -> layout.Outputs:
        loading.load()
        sizes = self.image.sizes
        out = layout.new_outputs(sizes, frames)
        run(sizes, rom(), self._net, self._state, self._trace, self._lead, given, pcm, out)
        return out

    def _run(self, pcm: NDArray[np.int16], frames: int) -> list[Telemetry]:
        first = int(self._state.counter[layout.FRAME])
        begin = perf_counter_ns()
        out = self._compute(pcm, frames)
        if not frames:
            return []
        elapsed = (perf_counter_ns() - begin) / (1000.0 * frames)
        mel = (out.mel / 2.0**22).astype(np.float32)
        snr = (out.snr / 2.0**15).astype(np.float32)
        gate = (out.gate / 2.0**16).astype(np.float32)
        routing = np.stack([1.0 - gate, gate], 1) if self.expert_names else np.zeros((frames, 0), np.float32)
        delta = (out.delta / 2.0**11).astype(np.float32)
        logits = (out.logits / 2.0**9).astype(np.float32)
        pcen = (out.pcen / 2.0**19).astype(np.float32)
        factor = (out.factor / 2.0**13).astype(np.float32)
        return [
            Telemetry(
                frame=t,
                sample=t * HOP + WINDOW - 1,
                level_dbfs=_dbfs(int(out.power[i]), WINDOW if t == 0 else HOP),
                mel=mel[i],
                snr=snr[i],
                routing=routing[i],
                delta=delta[i],
                logits=logits[i],
                elapsed_us=elapsed,
                pcen=pcen[i],
                gate=factor[i],
            )
            for i, t in enumerate(range(first, first + frames))
        ]


def _dbfs(power: int, count: int) -> float:
    return 10.0 * math.log10(power / (count * 2.0**30)) if power else FLOOR_DBFS


def _arrays(state: layout.State) -> tuple[NDArray[Any], ...]:
    return tuple(state)


def _copied(state: layout.State) -> layout.State:
    return layout.State._make(array.copy() for array in state)


def _quantised(net: Any) -> Image:
    from kwscore.fixed.calibrate import quantise
    from kwscore.stream.engine import network_arrays

    return quantise(*network_arrays(net))

"""The float engine: 16-bit samples in, telemetry of every frame out, in the stream schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import HOP, WINDOW
from kwscore.errors import KWScopeError
from kwscore.models.calibration import CALIBRATION, kind_of
from kwscore.models.checkpoint import load_arrays, model_hash
from kwscore.models.config import NetworkConfig
from kwscore.stream import layout, loading
from kwscore.stream.pcm import to_pcm
from kwscore.stream.step import run
from kwscore.stream.telemetry import Telemetry
from kwscore.stream.weights import Arrays, make_shape, pack

if TYPE_CHECKING:
    from kwscore.stream.calibrator import CalibrationRecord

_CALIBRATION = [layout.DELTA_MIN, layout.DELTA_MAX, layout.EPSILON_MIN, layout.EPSILON_MAX, layout.GATE_FLOOR]
_BATCH = 128
"""Frames per call of the compiled step: telemetry of one call shares memory, so this bounds what one record keeps."""


class StreamEngine:
    """Runs a network of the stream schedule on endless audio, one fused compiled step per hop.

    ``net``: a torch network (``kwscore.create_model``, ``kwscore.load_model``) or a pair (NetworkConfig, arrays by
    tensor name). The weights are copied: later training does not reach the engine. ``StreamEngine.load`` reads a
    checkpoint without importing torch.

    What a network hears is 16-bit PCM: float samples are rounded to the nearest int16 of ``x * 32768`` and clipped,
    so that float, integer and board engines get identical samples. Any chunking gives the same bits. Memory is
    constant; the GIL is released while it computes. Use one engine from one thread at a time.

    Raises KWScopeError for a network of the clip schedule (see ``WindowEngine``), or with damaged weights.
    """

    def __init__(self, net: Any) -> None:
        config, arrays = network_arrays(net)
        if config.schedule != "stream":
            raise KWScopeError(f"{config.name} was made for clips: run it with WindowEngine or load a stream network.")
        self.config = config
        self._shape = make_shape(config)
        self._weights = pack(config, arrays)
        self._hash = model_hash(arrays)
        self._state = layout.new_state(self._shape, self._weights)
        self._columns = layout.output_columns(self._shape)
        self._scratch = layout.new_scratch(self._shape)
        self._bundle: layout.Bundle | None = None
        self.calibrated: CalibrationRecord | None = None
        """What set the present constants; None: nobody told. Assigning ``calibration`` takes it away."""

    @classmethod
    def load(cls, name: str | Path) -> StreamEngine:
        """Engine of our trained network ``name``, or of the checkpoint at a path. Imports no torch."""
        config, arrays, _ = load_arrays(name)
        return cls((config, arrays))

    @property
    def name(self) -> str:
        """Network name."""
        return self.config.name

    @property
    def model_hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the weights."""
        return self._hash

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the entries of ``Telemetry.routing``."""
        return self.config.expert_names

    @property
    def blocks(self) -> int:
        """Blocks of the network."""
        return self.config.layers

    @property
    def channels(self) -> int:
        """SSM channels per block (D); 0 for networks without SSM."""
        return 0 if self._shape.ssm == layout.SSM_TCN else self.config.d_inner

    @property
    def state(self) -> layout.State:
        """A copy of everything the stream remembers; assigning such a copy continues from there."""
        return layout.copy_state(self._state)

    @state.setter
    def state(self, state: layout.State) -> None:
        for name, mine, given in zip(layout.State._fields, _arrays(self._state), _arrays(state), strict=True):
            if mine.shape != given.shape or mine.dtype != given.dtype:
                raise KWScopeError(f"The state's {name!r} is not one of {self.name}: use a state of this network.")
        self._fill(state)

    @property
    def calibration(self) -> NDArray[np.float32]:
        """A copy of the five constants of every block, (blocks, 5) in the order of ``models.calibration.CALIBRATION``.

        Assigning such an array counts from the next frame on (see ``Calibrator``); it is no part of the stream's state,
        stays through ``reset``, and does not change ``model_hash``, which names the weights as loaded.
        Raises KWScopeError for another shape, or what is not finite; a network without SSM has none to set.
        """
        return self._weights.block[:, _CALIBRATION].copy()

    @calibration.setter
    def calibration(self, values: NDArray[np.floating]) -> None:
        kind_of(self.config)
        given = np.asarray(values, np.float32)
        if given.shape != (self.blocks, len(CALIBRATION)) or not np.isfinite(given).all():
            raise KWScopeError(
                f"The calibration of {self.name} is {self.blocks} rows of five finite numbers "
                f"({', '.join(CALIBRATION)})."
            )
        self._weights.block[:, _CALIBRATION] = given  # in place: the compiled step holds this array
        self.calibrated = None

    @property
    def noise_floor(self) -> NDArray[np.float32]:
        """A copy of the running noise floor (257,) that the SNR is estimated from: magnitudes of the FFT of 512 samples
        in [-1, 1] under the Hann window; zeros before the first frame."""
        return self._state.floor.copy()

    @property
    def state_bytes(self) -> int:
        """Size of the state in bytes; it never grows."""
        return sum(array.nbytes for array in _arrays(self._state))

    @property
    def weight_bytes(self) -> int:
        """Size of the packed weights and tables in bytes."""
        packed: tuple[NDArray[Any], ...] = tuple(self._weights)
        return sum(array.nbytes for array in packed)

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        """Take any number of mono 16 kHz samples (int16, or float in [-1, 1]); return the finished frames.

        The first frame is finished after 512 samples, then one every 160. Raises KWScopeError for another type or
        shape, or for NaN or infinity (naming the position); the stream is then as if the call had not been made.
        """
        pcm = to_pcm(samples)
        records: list[Telemetry] = []
        position = 0
        while position < len(pcm):
            fill = int(self._state.counter[layout.FILL])
            take = min(len(pcm) - position, WINDOW - fill + (_BATCH - 1) * HOP)
            records += self._run(pcm[position : position + take], max(0, (fill + take - WINDOW) // HOP + 1))
            position += take
        return records

    def reset(self) -> None:
        """Return to the state of a new engine."""
        self._fill(layout.new_state(self._shape, self._weights))

    @staticmethod
    def is_compiled() -> bool:
        """Whether the compiled step is in memory or cached on disk, so that the first frame comes at once."""
        return loading.is_compiled()

    def warm_up(self, progress: Callable[[str], None] | None = None) -> None:
        """Compile (once per installation) or load from the cache, leaving the stream untouched.

        ``progress`` is called with a sentence before a compilation starts and after it ends; not at all when nothing
        has to be compiled. Compilation runs in a process of its own, so that other threads stay alive meanwhile.
        """
        if self._bundle is None:
            self._bundle = loading.make_bundle(self._shape, self._weights, self._state, self._scratch, progress)

    def _fill(self, state: layout.State) -> None:
        for mine, given in zip(_arrays(self._state), _arrays(state), strict=True):
            mine[...] = given  # in place: the compiled step holds these arrays

    def _run(self, pcm: NDArray[np.int16], frames: int) -> list[Telemetry]:
        columns = self._columns
        out = np.empty((frames, columns.width), np.float32)
        frame = int(self._state.counter[layout.FRAME])
        if self._bundle is None:
            self.warm_up()
        begin = perf_counter_ns()
        run(self._bundle, pcm, out)
        elapsed = (perf_counter_ns() - begin) / (1000.0 * max(frames, 1))
        records = []
        for row in out:
            records.append(
                Telemetry(
                    frame,
                    frame * HOP + WINDOW - 1,
                    float(row[layout.OUT_LEVEL]),
                    row[columns.mel],
                    row[columns.snr],
                    row[columns.routing],
                    row[columns.delta].reshape(columns.delta_shape),
                    row[columns.logits],
                    elapsed,
                    row[columns.pcen],
                    row[columns.gate].reshape(columns.gate_shape),
                )
            )
            frame += 1
        return records


def _arrays(state: layout.State) -> tuple[NDArray[Any], ...]:
    return tuple(state)


def network_arrays(net: Any) -> tuple[NetworkConfig, Arrays]:
    """Configuration and arrays by tensor name of a torch network or of a (config, arrays) pair.

    Raises KWScopeError for anything else.
    """
    if isinstance(net, tuple) and len(net) >= 2 and isinstance(net[0], NetworkConfig) and isinstance(net[1], Mapping):
        return net[0], net[1]
    config = getattr(net, "config", None)
    if isinstance(config, NetworkConfig) and hasattr(net, "state_dict"):
        return config, {key: value.detach().cpu().numpy() for key, value in net.state_dict().items()}
    raise KWScopeError(
        f"An engine needs a network or a pair (NetworkConfig, arrays), not {type(net).__name__}: "
        "make one with create_model or load_model, or use StreamEngine.load(name)."
    )

"""One record per hop, and the interface of everything that makes such records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_NOT_KNOWN: Array = np.zeros(0, np.float32)
_NO_GATE: Array = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a network computed for one frame.

    ``frame``       frame index since reset, 0-based.
    ``sample``      index of the frame's last sample since reset: 160 * frame + 511.
    ``level_dbfs``  RMS level of the hop's newest 160 samples (first frame: of its 512), dB re full scale
                    (full-scale square wave = 0 dB), -120 for digital silence.
    ``mel``         (40,) linear mel magnitudes, before any gate or floor.
    ``snr``         (40,) the network's own per-band SNR estimate in 0..1 (section 3.3).
    ``routing``     (experts,) PCEN mixing weights, sum 1; see ``Engine.expert_names``; empty for log front ends.
    ``delta``       (blocks, channels) SSM step size.
    ``logits``      (12,) in the order of ``kwscore.LABELS``.
    ``elapsed_us``  time the engine needed for this frame, microseconds.
    ``pcen``        (40,) what the front end hands on: the PCEN experts' outputs mixed by ``routing``, or the natural
                    logarithm of a log front end; before the running norm, which only shifts and scales each band
                    (section 3.9). Empty where the engine does not know it (a board).
    ``gate``        (blocks, states) what the SNR multiplies the SSM's input weights B by: 1 lets everything in,
                    0 nothing (section 4.3: 1 - alpha + alpha Bg; 1 in the ablation modes without it). (blocks, 0) for
                    networks without SSM; (0, 0) where the engine does not know it.
    """

    frame: int
    sample: int
    level_dbfs: float
    mel: Array
    snr: Array
    routing: Array
    delta: Array
    logits: Array
    elapsed_us: float
    pcen: Array = field(default_factory=lambda: _NOT_KNOWN)
    gate: Array = field(default_factory=lambda: _NO_GATE)


@runtime_checkable
class Engine(Protocol):
    """Turns samples into telemetry. Float, integer and board engines satisfy it and are injected."""

    @property
    def name(self) -> str:
        """Network name, for instance ``NanoMamba-Tiny-DualPCEN``."""

    @property
    def model_hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the weights."""

    @property
    def expert_names(self) -> Sequence[str]:
        """Names of the entries of ``Telemetry.routing``."""

    @property
    def blocks(self) -> int: ...

    @property
    def channels(self) -> int:
        """SSM channels per block (D)."""

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        """Take any number of mono 16 kHz samples (int16, or float32 in [-1, 1]); return the finished frames."""

    def reset(self) -> None:
        """Return to the state of a new engine."""

"""Window mode: networks that were made for clips, live, by running them again over the last second every 100 ms."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kwscore.audio.level import rms_dbfs
from kwscore.constants import CLIP_FRAMES, CLIP_SAMPLES, HOP, N_CLASSES, N_MELS, WINDOW
from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import load_model, model_hash
from kwscore.stream.pcm import to_pcm
from kwscore.stream.telemetry import Array, Telemetry

if TYPE_CHECKING:
    from kwscore.models.cnn import CnnBaseline
    from kwscore.models.network import NanoMamba

REPLAY_FRAMES = 10
"""Frames between two runs of the network."""
_NEWEST = -3
"""The window's last frame that the reflection at its end does not touch."""


class WindowEngine:
    """Runs a network of the clip schedule on endless audio: exact, but ten times a second and without memory.

    Each run sees the last 16,000 samples and gives the very logits that the network gives for them as a clip. Nothing
    older is remembered, so nothing drifts; but a window that begins within a word takes speech for noise, which is the
    network's own property. Smooth the posteriors over several runs.

    Telemetry comes every hop like that of ``StreamEngine``. ``mel`` and ``level_dbfs`` are of the hop itself.
    ``logits``, ``snr``, ``routing``, ``delta``, ``pcen`` and ``gate`` are those of the latest run (all but the logits
    of its newest frame that the reflection at the end leaves untouched) and repeat until the next. The first run
    comes with frame 96, when the window holds 15,872 samples; before it the logits are zero: all classes alike,
    no detection. Convolutional baselines have no SNR (zeros), no routing, no delta, no pcen and no gate.

    Takes any network whose call maps (1, S) samples to (1, 12) logits. Raises KWScopeError for one that does not.
    """

    def __init__(self, net: NanoMamba | CnnBaseline) -> None:
        from kwscore.models.network import NanoMamba

        if not callable(net) or not hasattr(net, "state_dict") or not hasattr(net, "config"):
            raise KWScopeError(
                f"WindowEngine needs a network, not {type(net).__name__}: use load_published or load_model."
            )
        self.net: NanoMamba | CnnBaseline = net
        net.eval()
        self._hash: str = model_hash({key: value.detach().cpu().numpy() for key, value in net.state_dict().items()})
        self._mamba: NanoMamba | None = net if isinstance(net, NanoMamba) else None
        self._bank: NDArray[np.float64] = np.asarray(net.get_buffer("mel_fb").numpy(), np.float64)
        self._hann: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        self._seen: dict[str | int, Any] = {}
        self._watch()
        self.reset()

    @classmethod
    def load(cls, name: str | Path) -> WindowEngine:
        """Engine of our trained network ``name`` or of the checkpoint at a path."""
        return cls(load_model(name))

    @property
    def name(self) -> str:
        """Network name."""
        return self.net.config.name

    @property
    def model_hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the weights."""
        return self._hash

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the entries of ``Telemetry.routing``."""
        return self._mamba.config.expert_names if self._mamba else ()

    @property
    def blocks(self) -> int:
        """Blocks of the network; 0 for convolutional baselines."""
        return self._mamba.config.layers if self._mamba else 0

    @property
    def channels(self) -> int:
        """SSM channels per block; 0 for networks without SSM."""
        if self._mamba is None or self._mamba.config.ssm == "tcn":
            return 0
        return self._mamba.config.d_inner

    def reset(self) -> None:
        """Return to the state of a new engine."""
        self._frame = 0
        self._fill = 0  # samples since the last finished frame's hop, or since the start
        self._ring = np.zeros(CLIP_SAMPLES, np.int16)  # the newest samples, at its end
        self._logits: Array = np.zeros(N_CLASSES, np.float32)
        self._snr: Array = np.zeros(N_MELS, np.float32)
        self._routing: Array = np.full(len(self.expert_names), 1 / max(1, len(self.expert_names)), np.float32)
        self._delta: Array = np.zeros((self.blocks, self.channels), np.float32)
        self._pcen: Array = np.zeros(N_MELS if self._mamba else 0, np.float32)
        states = self._mamba.config.d_state if self._mamba and self.channels else 0
        self._gate: Array = np.ones((self.blocks, states), np.float32)

    def process(self, samples: NDArray[np.generic]) -> list[Telemetry]:
        """Take any number of mono 16 kHz samples; return the finished frames (see ``StreamEngine.process``)."""
        pcm = to_pcm(samples)
        records: list[Telemetry] = []
        position = 0
        while True:
            part = pcm[position : position + (WINDOW if self._frame == 0 else HOP) - self._fill]
            position += len(part)
            self._fill += len(part)
            if len(part):
                self._ring = np.concatenate([self._ring[len(part) :], part])
            if self._fill < (WINDOW if self._frame == 0 else HOP):
                return records
            records.append(self._record())
            self._frame += 1
            self._fill = 0

    def _record(self) -> Telemetry:
        begin = perf_counter_ns()
        frame = self._frame
        sample = frame * HOP + WINDOW - 1
        if frame >= CLIP_FRAMES - 1 and (frame - CLIP_FRAMES + 1) % REPLAY_FRAMES == 0:
            self._replay(self._ring[-min(sample + 1, CLIP_SAMPLES) :])
        spectrum = np.fft.rfft(self._ring[-WINDOW:] * (self._hann / 32768.0))
        mel = (self._bank @ np.abs(spectrum)).astype(np.float32)
        level = rms_dbfs(self._ring[-(WINDOW if frame == 0 else HOP) :])
        elapsed = (perf_counter_ns() - begin) / 1000
        return Telemetry(
            frame,
            sample,
            level,
            mel,
            self._snr,
            self._routing,
            self._delta,
            self._logits,
            elapsed,
            self._pcen,
            self._gate,
        )  # arrays of one run are shared by its records and never written again

    def _replay(self, pcm: NDArray[np.int16]) -> None:
        import torch

        self._seen.clear()
        with torch.inference_mode():
            logits = self.net(torch.from_numpy(pcm.astype(np.float32) / 32768)[None])
        self._logits = logits[0].numpy().copy()
        if self._mamba is None:
            return
        self._snr = self._seen["snr"][0, _NEWEST].numpy().copy()
        front = self._seen["front"]
        self._pcen = front.feature[0, _NEWEST].numpy().copy()
        if self.expert_names:
            self._routing = front.routing[0, _NEWEST].numpy().copy()
        if self.channels:
            with torch.inference_mode():
                self._gate = self._mamba.input_gates(self._seen["snr"][:, _NEWEST])[0].numpy().copy()
            self._delta = torch.stack([self._seen[i][0, _NEWEST] for i in range(self.blocks)]).numpy()

    def _watch(self) -> None:
        """Keep what the network computes on its way: hooks, so that the call is the network's own."""
        if self._mamba is None:
            return
        from kwscore.models.routing import FrontendOutput

        seen = self._seen

        def keep_snr(_module: object, _given: object, output: Any) -> None:
            seen["snr"] = output

        def keep_front(_module: object, _given: object, output: Any) -> None:
            if isinstance(output, FrontendOutput):
                seen["front"] = output

        def keep_delta(index: int) -> Any:
            def keep(_module: object, _given: object, output: Any) -> None:
                seen[index] = output[1]

            return keep

        self._mamba.snr_estimator.register_forward_hook(keep_snr)
        for module in self._mamba.children():
            module.register_forward_hook(keep_front)
        for index, block in enumerate(self._mamba.blocks):
            block.register_forward_hook(keep_delta(index))

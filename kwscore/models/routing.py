"""Front ends between mel magnitudes and normalisation: log, one PCEN, and routed PCEN experts.

Each returns a ``FrontendOutput``: the un-normalised feature, the routing weights, and the gate that the v2 and NC
state-space models receive.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.models.config import NetworkConfig
from kwscore.models.constants import LOG_EPS, SMOOTH_FRAMES
from kwscore.models.pcen import EXPERTS, PcenExpert


class FrontendOutput(NamedTuple):
    """``feature`` (B, T, 40), ``routing`` (B, T, E) summing to 1 (E = 0 for log), ``gate`` (B, T) or None."""

    feature: Tensor
    routing: Tensor
    gate: Tensor | None


class LogFrontend(nn.Module):
    """Natural logarithm of the mel magnitudes."""

    def forward(self, mel: Tensor, snr: Tensor, level: Tensor) -> FrontendOutput:
        return FrontendOutput(torch.log(mel + LOG_EPS), mel.new_empty((*mel.shape[:2], 0)), None)


class SinglePcen(PcenExpert):
    """One expert, no routing."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(EXPERTS["stationary"], adaptive=config.frontend_version == 2)

    def forward(self, mel: Tensor, snr: Tensor, level: Tensor) -> FrontendOutput:  # type: ignore[override]
        return FrontendOutput(super().forward(mel, snr), mel.new_ones((*mel.shape[:2], 1)), None)


def flatness_and_tilt(floored: Tensor) -> tuple[Tensor, Tensor]:
    """Spectral flatness and low-frequency tilt (B, T), both in 0..1, of mel magnitudes (B, T, 40) >= 1e-4."""
    flatness = torch.exp(torch.log(floored).mean(-1)) / floored.mean(-1)
    low = floored[..., :13].mean(-1)
    high = floored[..., 26:].mean(-1)
    return flatness.clamp(0.0, 1.0), (low / (low + high + 1e-8)).clamp(0.0, 1.0)


class Router(nn.Module):
    """Stationarity of each frame, and from it the routing gates.

    Version 1 reads flatness and tilt of the frame; version 2 smooths over seven frames, adds temporal modulation and
    sharpens the gates where the SNR is low. ``gate_temp`` (and ``gate_temp2`` for three experts) are its parameters.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tilt = config.tilt
        self.smooth = config.frontend_version == 2
        self.gate_temp = nn.Parameter(torch.tensor(5.0))
        if self.smooth:
            self.register_buffer("smooth_kernel", torch.full((1, 1, SMOOTH_FRAMES), 1.0 / SMOOTH_FRAMES))

    def smoothed(self, x: Tensor) -> Tensor:
        """Causal seven-frame mean of (B, T), zeros before the start."""
        padded = F.pad(x.unsqueeze(1), (SMOOTH_FRAMES - 1, 0))
        return F.conv1d(padded, self.get_buffer("smooth_kernel")).squeeze(1)

    def indicators(self, mel: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        """(stationarity, flatness, temperature scale), each (B, T) or a number.

        ``level`` (B, T or 1) is the mean SNR that sets the temperature of version 2.
        """
        floored = mel.clamp_min(1e-4)
        flatness, tilt = flatness_and_tilt(floored)
        if self.smooth:
            flatness = self.smoothed(flatness)
        stationarity = flatness
        if self.tilt:
            stationarity = flatness + (1.0 - flatness) * (tilt - 0.6).clamp_min(0.0)
        if not self.smooth:
            return stationarity, flatness, 1.0
        energy = floored.mean(-1)
        mean = self.smoothed(energy)
        var = (self.smoothed(energy.square()) - mean.square()).clamp_min(0.0)
        variation = torch.sqrt(var + 1e-6) / (mean.clamp_min(1e-5) + 1e-8)
        modulation = self.smoothed(variation.clamp(0.0, 2.0) / 2.0)
        steady = stationarity + (1.0 - stationarity) * 0.5 * (0.5 - modulation).clamp_min(0.0)
        return steady, flatness, 1.0 + 2.0 * (1.0 - level.detach())


class DualPcen(Router):
    """Stationary and non-stationary expert, mixed by g = sigma(G (J - 0.5)); large g means stationary."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.pcen_nonstat = PcenExpert(EXPERTS["non-stationary"], self.smooth, config.nonstationary_delta)
        self.pcen_stat = PcenExpert(EXPERTS["stationary"], self.smooth)

    def forward(self, mel: Tensor, snr: Tensor, level: Tensor) -> FrontendOutput:
        stationarity, _, scale = self.indicators(mel, level)
        gate = torch.sigmoid(self.gate_temp * scale * (stationarity - 0.5))
        feature = torch.lerp(self.pcen_nonstat(mel, snr), self.pcen_stat(mel, snr), gate.unsqueeze(-1))
        return FrontendOutput(feature, torch.stack((1.0 - gate, gate), -1), gate if self.smooth else None)


class TriPcen(Router):
    """Non-stationary, stationary and coloured expert: the stationary share splits by flatness."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.gate_temp2 = nn.Parameter(torch.tensor(5.0))
        self.experts = nn.ModuleList(
            PcenExpert(EXPERTS[kind], self.smooth, config.nonstationary_delta if kind == "non-stationary" else None)
            for kind in config.expert_names
        )

    def forward(self, mel: Tensor, snr: Tensor, level: Tensor) -> FrontendOutput:
        stationarity, flatness, scale = self.indicators(mel, level)
        gate = torch.sigmoid(self.gate_temp * scale * (stationarity - 0.5))
        broad = torch.sigmoid(self.gate_temp2 * scale * (flatness - 0.7))
        routing = torch.stack((1.0 - gate, gate * broad, gate * (1.0 - broad)), -1)
        feature = sum(routing[..., i : i + 1] * expert(mel, snr) for i, expert in enumerate(self.experts))
        assert isinstance(feature, Tensor)
        return FrontendOutput(feature, routing, gate if self.smooth else None)


def make_frontend(config: NetworkConfig) -> tuple[str, nn.Module]:
    """The front end and the name of its module (``log_frontend`` has no tensors)."""
    if config.frontend == "log":
        return "log_frontend", LogFrontend()
    if config.frontend == "pcen":
        return "pcen", SinglePcen(config)
    return ("dual_pcen", DualPcen(config)) if config.frontend == "dual" else ("multi_pcen", TriPcen(config))

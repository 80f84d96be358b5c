"""Front ends between mel magnitudes and normalisation: log, one PCEN, and routed PCEN experts.

Each returns a ``FrontendOutput``: the un-normalised feature, the routing weights, and the gate that the v2 and NC
state-space models receive.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kwscore.models.config import NetworkConfig
from kwscore.models.constants import LOG_EPS
from kwscore.models.pcen import EXPERTS, PcenExpert


class FrontendOutput(NamedTuple):
    """``feature`` (B, T, 40), ``routing`` (B, T, E) summing to 1 (E = 0 for log), ``gate`` (B, T) or None."""

    feature: Tensor
    routing: Tensor
    gate: Tensor | None


class LogFrontend(nn.Module):
    """Natural logarithm of the mel magnitudes."""

    def forward(self, mel: Tensor, snr: Tensor) -> FrontendOutput:
        return FrontendOutput(torch.log(mel + LOG_EPS), mel.new_empty((*mel.shape[:2], 0)), None)


class SinglePcen(PcenExpert):
    """One expert, no routing."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(EXPERTS["stationary"], adaptive=config.frontend_version == 2)

    def forward(self, mel: Tensor, snr: Tensor) -> FrontendOutput:  # type: ignore[override]
        return FrontendOutput(super().forward(mel, snr), mel.new_ones((*mel.shape[:2], 1)), None)


def flatness_and_tilt(mel: Tensor) -> tuple[Tensor, Tensor]:
    """Spectral flatness and low-frequency tilt (B, T), both in 0..1, of floored mel magnitudes (B, T, 40)."""
    floored = mel.clamp_min(1e-4)
    flatness = torch.exp(torch.log(floored).mean(-1)) / floored.mean(-1)
    low = floored[..., :13].mean(-1)
    high = floored[..., 26:].mean(-1)
    return flatness.clamp(0.0, 1.0), (low / (low + high + 1e-8)).clamp(0.0, 1.0)


class Router(nn.Module):
    """Routing indicator and gates; ``gate_temp`` (and ``gate_temp2`` for three experts) are its parameters."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tilt = config.tilt
        self.gate_temp = nn.Parameter(torch.tensor(5.0))
        if config.frontend == "tri":
            self.gate_temp2 = nn.Parameter(torch.tensor(5.0))

    def indicators(self, mel: Tensor, snr: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        """(stationarity, flatness, temperature scale), each (B, T) or a number."""
        flatness, tilt = flatness_and_tilt(mel)
        if not self.tilt:
            return flatness, flatness, 1.0
        return flatness + (1.0 - flatness) * (tilt - 0.6).clamp_min(0.0), flatness, 1.0


class DualPcen(Router):
    """Stationary and non-stationary expert, mixed by g = sigma(G (J - 0.5)); large g means stationary."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        adaptive = config.frontend_version == 2
        self.pcen_nonstat = PcenExpert(EXPERTS["non-stationary"], adaptive, config.nonstationary_delta)
        self.pcen_stat = PcenExpert(EXPERTS["stationary"], adaptive)

    def forward(self, mel: Tensor, snr: Tensor) -> FrontendOutput:
        stationarity, _, scale = self.indicators(mel, snr)
        gate = torch.sigmoid(self.gate_temp * scale * (stationarity - 0.5))
        nonstationary = self.pcen_nonstat(mel, snr)
        feature = torch.lerp(nonstationary, self.pcen_stat(mel, snr), gate.unsqueeze(-1))
        return FrontendOutput(feature, torch.stack((1.0 - gate, gate), -1), None)


def make_frontend(config: NetworkConfig) -> tuple[str, nn.Module]:
    """The front end and the prefix of its tensors' names (empty for log, which has none)."""
    if config.frontend == "log":
        return "", LogFrontend()
    if config.frontend == "pcen":
        return "pcen", SinglePcen(config)
    return "dual_pcen", DualPcen(config)

"""One PCEN expert, with constant or SNR-adaptive smoothing and compression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kwscore.constants import N_MELS
from kwscore.models.constants import PCEN_EPS
from kwscore.models.functions import adaptive_envelope, pcen


@dataclass(frozen=True)
class ExpertInit:
    """Initial values of an expert and the range of its delta."""

    s: float
    alpha: float
    delta: float
    r: float
    delta_range: tuple[float, float]


EXPERTS = {
    "non-stationary": ExpertInit(0.025, 0.99, 2.0, 0.5, (0.5, 5.0)),
    "stationary": ExpertInit(0.15, 0.99, 0.01, 0.1, (0.001, 0.1)),
    "coloured": ExpertInit(0.08, 0.98, 0.1, 0.3, (0.05, 1.0)),
}


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))


class PcenExpert(nn.Module):
    """Per-channel energy normalisation of (B, T, 40) mel magnitudes, one parameter of each kind a band."""

    def __init__(self, init: ExpertInit, adaptive: bool, delta_range: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.adaptive = adaptive
        self.delta_range = delta_range or init.delta_range
        self.log_s = nn.Parameter(torch.full((N_MELS,), _logit(init.s)))
        self.log_alpha = nn.Parameter(torch.full((N_MELS,), _logit(init.alpha)))
        self.log_delta = nn.Parameter(torch.full((N_MELS,), math.log(init.delta)))
        self.log_r = nn.Parameter(torch.full((N_MELS,), _logit(init.r)))

    def constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Effective s, alpha, delta, r (40,), clipped as trained."""
        s = torch.sigmoid(self.log_s).clamp(0.05, 0.3)
        alpha = torch.sigmoid(self.log_alpha).clamp(0.9, 0.999)
        delta = self.log_delta.exp().clamp(*self.delta_range)
        r = torch.sigmoid(self.log_r).clamp(0.05, 0.25)
        return s, alpha, delta, r

    def forward(self, energy: Tensor, snr: Tensor) -> Tensor:
        """Floored mel magnitudes and SNR (B, T, 40) -> PCEN output (B, T, 40)."""
        s, alpha, delta, r = self.constants()
        if not self.adaptive:
            return pcen(energy, s, alpha, delta, r)
        lack = 1.0 - snr.detach()
        r = (r * (1.0 + 0.5 * lack)).clamp(0.05, 0.40)
        s = (s * (1.0 + 0.3 * lack)).clamp(0.05, 0.40)
        env = adaptive_envelope(energy, s)
        base = energy * torch.exp(-alpha * torch.log(env + PCEN_EPS)) + delta
        return torch.exp(r * torch.log(base)) - torch.exp(r * torch.log(delta))

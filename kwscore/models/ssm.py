"""Spectrally-aware selective state-space models."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import N_MELS
from kwscore.models.config import NetworkConfig
from kwscore.models.functions import SelectiveScan

CALIBRATION = ("delta_floor_min", "delta_floor_max", "epsilon_min", "epsilon_max", "bgate_floor")
"""Names of the calibration buffers of every block."""
DEFAULT_CALIBRATION = {"v1": (0.05, 0.15, 0.08, 0.20, 0.3), "v2": (0.03, 0.15, 0.05, 0.30, 0.2)}


class SaSsm(nn.Module):
    """SA-SSM v1: step size, input gate and residual input follow the SNR estimate.

    The published code replaces NaN and infinity after each block; finite inputs never reach these guards, and a
    training that diverges must be seen, so they are left out.
    """

    state_limit = math.inf

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels, states = config.d_inner, config.d_state
        self.states = states
        self.mode = config.mode
        self.x_proj = nn.Linear(channels, 2 * states + 1, bias=False)
        self.snr_proj = nn.Linear(N_MELS, states + 1)
        self.dt_proj = nn.Linear(1, channels)
        self.A_log = nn.Parameter(torch.log(torch.arange(states) + 1.5).repeat(channels, 1))
        self.D = nn.Parameter(torch.ones(channels))
        self.alpha = nn.Parameter(torch.tensor(0.5))
        for name, value in zip(CALIBRATION, DEFAULT_CALIBRATION["v1" if config.ssm == "v1" else "v2"], strict=True):
            self.register_buffer(name, torch.tensor(value))

    def between(self, low: str, high: str, position: Tensor) -> Tensor:
        """low + (high - low) * position, of two calibration buffers."""
        first = self.get_buffer(low)
        return first + (self.get_buffer(high) - first) * position

    def gated_input(self, b_in: Tensor, gate_logits: Tensor) -> Tensor:
        """B (B, T, N) after the SNR gate."""
        if self.mode in ("dt_only", "standard"):
            return b_in
        floor = self.get_buffer("bgate_floor")
        gate = torch.sigmoid(gate_logits) * (1.0 - floor) + floor
        return b_in * (1.0 - self.alpha + self.alpha * gate)

    def step_logit(self, dt: Tensor, shift: Tensor) -> Tensor:
        """dt_proj of the (shifted) step (B, T, 1) -> (B, T, D)."""
        if self.mode in ("b_only", "standard"):
            shift = torch.zeros_like(shift)
        return torch.addcmul(self.dt_proj.bias, dt + shift, self.dt_proj.weight[:, 0])

    def forward(self, u: Tensor, snr: Tensor, snr_mean: Tensor, gate: Tensor | None) -> tuple[Tensor, Tensor]:
        """u (B, T, D), SNR (B, T, 40), its band mean (B, T) -> output (B, T, D), step size delta (B, T, D)."""
        states = self.states
        dt, b_in, c_out = F.linear(u, self.x_proj.weight).split((1, states, states), -1)
        shift, gate_logits = F.linear(snr, self.snr_proj.weight, self.snr_proj.bias).split((1, states), -1)
        floor = self.between("delta_floor_min", "delta_floor_max", snr_mean).unsqueeze(-1)
        delta = F.softplus(self.step_logit(dt, shift)) + floor
        eps = self.between("epsilon_max", "epsilon_min", snr_mean)
        y: Tensor = SelectiveScan.apply(
            u, delta, -torch.exp(self.A_log), self.gated_input(b_in, gate_logits), c_out, self.D, eps, self.state_limit
        )
        return y, delta

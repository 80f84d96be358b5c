"""Spectrally-aware selective state-space models: SA-SSM v1, v2 and NC-SSM.

The published code replaces NaN and infinity after each block; finite inputs never reach these guards, and a training
that diverges must be seen, so they are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import N_MELS
from kwscore.models.calibration import CALIBRATION, DEFAULT_CALIBRATION
from kwscore.models.config import NetworkConfig
from kwscore.models.functions import selective_scan

HALF_SATURATION = 0.05
"""Initial half-saturation of the SNR in v2 and NC."""
STATIONARY_DISCOUNT = 0.4
"""Share of the step-size floor that full stationarity removes in v2 and NC."""


@dataclass(frozen=True)
class Conditions:
    """What modulates a block: SNR (B, T, 40), its band mean (B, T), the routing gate (B, T) or None, and the NASG
    noise hint (B, T or 1) or None."""

    snr: Tensor
    snr_mean: Tensor
    gate: Tensor | None = None
    hint: Tensor | None = None


class SaSsm(nn.Module):
    """SA-SSM v1: step size, input gate and residual input follow the SNR estimate."""

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

    @property
    def gates_input(self) -> bool:
        """Whether the SNR gates B; ablation modes switch it off."""
        return self.mode not in ("dt_only", "standard")

    def gate_factor(self, gate_logits: Tensor) -> Tensor:
        """What the SNR gate multiplies B by, of its logits (..., N)."""
        floor = self.get_buffer("bgate_floor")
        gate = torch.sigmoid(gate_logits) * (1.0 - floor) + floor
        return 1.0 - self.alpha + self.alpha * gate

    def gated_input(self, b_in: Tensor, gate_logits: Tensor) -> Tensor:
        """B (B, T, N) after the SNR gate."""
        return b_in * self.gate_factor(gate_logits) if self.gates_input else b_in

    def input_gate(self, snr: Tensor) -> Tensor:
        """What B is multiplied by where the SNR is ``snr`` (..., 40): (..., N), 1 without the gate."""
        logits = F.linear(snr, self.snr_proj.weight[1:], self.snr_proj.bias[1:])
        return self.gate_factor(logits) if self.gates_input else torch.ones_like(logits)

    def step_logit(self, dt: Tensor, shift: Tensor) -> Tensor:
        """dt_proj of the (shifted) step (B, T, 1) -> (B, T, D)."""
        if self.mode in ("b_only", "standard"):
            shift = torch.zeros_like(shift)
        return torch.addcmul(self.dt_proj.bias, dt + shift, self.dt_proj.weight[:, 0])

    def level(self, given: Conditions) -> tuple[Tensor, Tensor]:
        """SNR level (B, T) that sets the floors, and the sub-bands' levels (B, T, N) where there are such."""
        return given.snr_mean, given.snr_mean.unsqueeze(-1)

    def projected(self, u: Tensor, given: Conditions) -> Tensor:
        """x_proj(u): (B, T, 2N+1)."""
        return F.linear(u, self.x_proj.weight)

    def select(
        self, dt: Tensor, b_in: Tensor, c_out: Tensor, level: Tensor, bands: Tensor, gate: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """dt (B, T, 1), B and C (B, T, N) as far as they follow the input."""
        return dt, b_in, c_out

    def step_size(self, logit: Tensor, level: Tensor, gate: Tensor | None) -> Tensor:
        """Delta (B, T, D): softplus plus its floor."""
        return F.softplus(logit) + self.between("delta_floor_min", "delta_floor_max", level).unsqueeze(-1)

    def masked(self, b_in: Tensor, eps: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        """Input weights B and eps (B, T, N) after a mask on the states."""
        return b_in, eps

    def forward(self, u: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        """u (B, T, D) -> output (B, T, D), step size delta (B, T, D)."""
        states = self.states
        dt, b_in, c_out = self.projected(u, given).split((1, states, states), -1)
        shift, gate_logits = F.linear(given.snr, self.snr_proj.weight, self.snr_proj.bias).split((1, states), -1)
        level, bands = self.level(given)
        dt, b_in, c_out = self.select(dt, b_in, c_out, level, bands, given.gate)
        delta = self.step_size(self.step_logit(dt, shift), level, given.gate)
        eps = self.between("epsilon_max", "epsilon_min", level).unsqueeze(-1).expand_as(b_in)
        b_in, eps = self.masked(self.gated_input(b_in, gate_logits), eps, given)
        y = selective_scan(u, delta, -torch.exp(self.A_log), b_in, c_out, self.D, eps, self.state_limit)
        return y, delta


class SaSsmV2(SaSsm):
    """SA-SSM v2: saturating SNR level, step size bounded, floor lowered while the gate says stationary."""

    state_limit = 1e4

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.register_buffer("snr_half_sat", torch.tensor(HALF_SATURATION))

    def saturated(self, snr: Tensor) -> Tensor:
        """Michaelis-Menten response (B, T, 40) of the SNR."""
        bounded = snr.clamp(0.0, 1.0)
        return bounded / (bounded + self.get_buffer("snr_half_sat"))

    def level(self, given: Conditions) -> tuple[Tensor, Tensor]:
        level = self.saturated(given.snr).mean(-1)
        return level, level.unsqueeze(-1)

    def step_floor(self, level: Tensor, gate: Tensor | None) -> Tensor:
        """Floor of the step size (B, T)."""
        floor = self.between("delta_floor_min", "delta_floor_max", level)
        return floor if gate is None else floor * (1.0 - STATIONARY_DISCOUNT * gate.detach())

    def step_size(self, logit: Tensor, level: Tensor, gate: Tensor | None) -> Tensor:
        return F.softplus(logit).clamp_max(1.0) + self.step_floor(level, gate).unsqueeze(-1)

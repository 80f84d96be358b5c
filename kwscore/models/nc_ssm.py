"""NC-SSM: selection blended with constants by the SNR of sub-bands, and its NASG option."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.models.config import NetworkConfig
from kwscore.models.ssm import Conditions, SaSsmV2


def mean_of_three(x: Tensor) -> Tensor:
    """Causal mean of three frames of (B, T, N), the first frame held before the start."""
    held = x[:, :1]
    padded = torch.cat((held, held, x), 1)
    return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3.0


class NcSsm(SaSsmV2):
    """SA-SSM v2 whose dt, B and C fall back to learned constants where the sub-bands hold noise."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        states = config.d_state
        self.dt_base = nn.Parameter(torch.zeros(1))
        self.B_base = nn.Parameter(torch.full((states,), 1e-3))
        self.C_base = nn.Parameter(torch.full((states,), 1e-3))
        self.sel_scale = nn.Parameter(torch.tensor(5.0))
        self.sel_bias_dt = nn.Parameter(torch.tensor(-1.0))
        self.sel_bias_BC = nn.Parameter(torch.full((states,), -1.0))
        self.sigma_pcen_mod = nn.Parameter(torch.tensor(0.3))
        self.sel_sub_scale = nn.Parameter(torch.full((states,), 5.0))
        self.dt_station_alpha = nn.Parameter(torch.tensor(0.0))
        self.B_sf_scale = nn.Parameter(torch.zeros(states))

    def level(self, given: Conditions) -> tuple[Tensor, Tensor]:
        bands = F.adaptive_avg_pool1d(self.saturated(given.snr), self.states)
        smooth = mean_of_three(torch.cat((bands, bands.mean(-1, keepdim=True)), -1))
        return smooth[..., -1], smooth[..., :-1]

    def select(
        self, dt: Tensor, b_in: Tensor, c_out: Tensor, level: Tensor, bands: Tensor, gate: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        trust_dt = torch.sigmoid(self.sel_scale * level + self.sel_bias_dt).unsqueeze(-1)
        trust = torch.sigmoid(self.sel_sub_scale * bands + self.sel_bias_BC)
        if gate is not None:
            keep = (1.0 - self.sigma_pcen_mod.clamp(0.0, 1.0) * gate).unsqueeze(-1)
            trust_dt, trust = trust_dt * keep, trust * keep
        with torch.no_grad():
            mean = bands.mean(-1, keepdim=True)
            spread = torch.sqrt((bands - mean).square().mean(-1, keepdim=True) + 1e-6)
            broadband = 1.0 - (spread / (mean.abs() + 1e-4)).clamp(0.0, 1.0)
        b_base = self.B_base * (1.0 + self.B_sf_scale.clamp(-5.0, 5.0) * broadband)
        return (
            torch.lerp(self.dt_base.expand_as(dt), dt, trust_dt),
            torch.lerp(b_base, b_in, trust),
            torch.lerp(self.C_base.expand_as(c_out), c_out, trust),
        )

    def step_floor(self, level: Tensor, gate: Tensor | None) -> Tensor:
        floor = super().step_floor(level, gate)
        return floor if gate is None else floor * (1.0 + self.dt_station_alpha.clamp(-1.0, 1.0) * gate)


class NasgSsm(NcSsm):
    """NC-SSM whose projection and states are gated by a noise hint."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.nasg_scale = nn.Parameter(torch.tensor(5.0))
        self.nasg_bias = nn.Parameter(torch.tensor(0.0))
        self.state_mask_scale = nn.Parameter(torch.tensor(3.0))
        self.state_mask_bias = nn.Parameter(torch.tensor(0.0))

    def projected(self, u: Tensor, given: Conditions) -> Tensor:
        assert given.hint is not None
        gate = torch.sigmoid(self.nasg_scale.clamp(2.0, 10.0) * given.hint + self.nasg_bias.clamp(-2.0, 2.0))
        return F.linear(u * gate.unsqueeze(-1), self.x_proj.weight)

    def masked(self, b_in: Tensor, eps: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        assert given.hint is not None
        penalty = torch.linspace(0.0, -2.0, self.states, dtype=b_in.dtype, device=b_in.device)
        logit = self.state_mask_scale.clamp(1.0, 8.0) * given.hint + self.state_mask_bias.clamp(-2.0, 2.0)
        mask = torch.sigmoid(logit.unsqueeze(-1) + penalty)
        return b_in * mask, eps * mask

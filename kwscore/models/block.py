"""One residual block: norm, gated projection, causal convolution, state-space model, projection back."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.models.config import D_CONV, NetworkConfig
from kwscore.models.functions import ConvSiLU
from kwscore.models.ssm import SaSsm


def make_ssm(config: NetworkConfig) -> SaSsm:
    """The state-space model named by ``config.ssm``."""
    return SaSsm(config)


class Block(nn.Module):
    """x (B, T, d) -> x + out_proj(SSM(SiLU(conv(u))) * SiLU(z)), with u, z = in_proj(norm(x))."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, channels = config.d_model, config.d_inner
        self.channels = channels
        self.norm = nn.LayerNorm(width)
        self.in_proj = nn.Linear(width, 2 * channels, bias=False)
        self.conv1d = nn.Conv1d(channels, channels, D_CONV, groups=channels)
        self.sa_ssm = make_ssm(config)
        self.out_proj = nn.Linear(channels, width, bias=False)

    def forward(self, x: Tensor, snr: Tensor, snr_mean: Tensor, gate: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns the block's output (B, T, d) and the step sizes delta (B, T, D)."""
        normed = self.norm(x)
        # two products instead of one and a split: every later operation then sees contiguous channels
        u = F.linear(normed, self.in_proj.weight[: self.channels])
        z = F.linear(normed, self.in_proj.weight[self.channels :])
        u = ConvSiLU.apply(u, self.conv1d.weight, self.conv1d.bias, 1)
        y, delta = self.sa_ssm(u, snr, snr_mean, gate)
        return x + F.linear(y * F.silu(z), self.out_proj.weight), delta

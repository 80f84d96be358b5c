"""Residual blocks: norm, gated projection, causal convolution, state-space model, projection back."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.models.config import D_CONV, NetworkConfig
from kwscore.models.functions import conv_silu
from kwscore.models.nc_ssm import NasgSsm, NcSsm
from kwscore.models.ssm import Conditions, SaSsm, SaSsmV2

_SSMS: dict[str, type[SaSsm]] = {"v1": SaSsm, "v2": SaSsmV2, "nc": NcSsm}


def make_ssm(config: NetworkConfig) -> SaSsm:
    """The state-space model that the configuration names."""
    return NasgSsm(config) if config.nasg else _SSMS[config.ssm](config)


class _GatedBlock(nn.Module):
    """What all blocks share: u, z = in_proj(norm(x)), and the projection of the gated result back onto x."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.channels = config.d_inner
        self.norm = nn.LayerNorm(config.d_model)
        self.in_proj = nn.Linear(config.d_model, 2 * self.channels, bias=False)
        self.out_proj = nn.Linear(self.channels, config.d_model, bias=False)

    def enter(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u and z, each (B, T, D)."""
        normed = self.norm(x)
        # two products instead of one and a split: every later operation then sees contiguous channels
        return (
            F.linear(normed, self.in_proj.weight[: self.channels]),
            F.linear(normed, self.in_proj.weight[self.channels :]),
        )

    def leave(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """x + out_proj(y * SiLU(z))."""
        return x + F.linear(y * F.silu(z), self.out_proj.weight)


class Block(_GatedBlock):
    """x (B, T, d) -> x + out_proj(SSM(SiLU(conv(u))) * SiLU(z))."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.conv1d = nn.Conv1d(self.channels, self.channels, D_CONV, groups=self.channels)
        self.sa_ssm = make_ssm(config)

    def forward(self, x: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        """Returns the block's output (B, T, d) and the step sizes delta (B, T, D)."""
        u, z = self.enter(x)
        y, delta = self.sa_ssm(conv_silu(u, self.conv1d.weight, self.conv1d.bias, 1), given)
        return self.leave(x, y, z), delta


class TcnBlock(_GatedBlock):
    """x (B, T, d) -> x + out_proj(SiLU(conv(u)) * SiLU(z)), the convolution dilated by 2^index."""

    def __init__(self, config: NetworkConfig, index: int) -> None:
        super().__init__(config)
        self.dilation = 2**index
        self.dwconv = nn.Conv1d(self.channels, self.channels, D_CONV, groups=self.channels, dilation=self.dilation)

    def forward(self, x: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        """Returns the block's output (B, T, d) and no step sizes (B, T, 0)."""
        u, z = self.enter(x)
        y = conv_silu(u, self.dwconv.weight, self.dwconv.bias, self.dilation)
        return self.leave(x, y, z), x.new_empty((*x.shape[:2], 0))


def make_block(config: NetworkConfig, index: int) -> Block | TcnBlock:
    """Block number ``index`` of a network."""
    return TcnBlock(config, index) if config.ssm == "tcn" else Block(config)

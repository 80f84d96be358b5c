"""Normalisation and pooling over time, per clip or causal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import CLIP_FRAMES, N_MELS
from kwscore.models.config import NetworkConfig
from kwscore.models.constants import NORM_EPS
from kwscore.models.functions import RunningNorm

STATISTICS_MOMENTUM = 0.01
"""Weight of one training batch in the corpus statistics; the first batch counts fully."""
_STATISTICS_STRIDE = 4  # every 4th frame says as much about a corpus at a quarter of the cost


def clip_norm(feature: Tensor) -> Tensor:
    """Instance norm of (B, T, 40) over time, population variance."""
    return F.instance_norm(feature.transpose(1, 2), eps=NORM_EPS).transpose(1, 2).contiguous()


class StreamNorm(nn.Module):
    """Causal running normalisation that starts from corpus statistics worth ``prior`` frames.

    While training, every call moves ``mean`` and ``var`` (buffers, 40 each) towards the batch's per-band mean and
    variance of the un-normalised feature; in evaluation they are constants.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.prior, self.horizon = config.norm_prior, config.norm_horizon
        self.mean: Tensor
        self.var: Tensor
        self.register_buffer("mean", torch.zeros(N_MELS))
        self.register_buffer("var", torch.ones(N_MELS))

    @torch.no_grad()
    def update(self, feature: Tensor, momentum: float = STATISTICS_MOMENTUM) -> None:
        """Move the corpus statistics towards those of ``feature`` (B, T, 40); momentum 1 replaces them."""
        if not self.mean.any():
            momentum = 1.0
        var, mean = torch.var_mean(feature[:, ::_STATISTICS_STRIDE], (0, 1), correction=0)
        self.mean.lerp_(mean.to(self.mean.dtype), momentum)
        self.var.lerp_(var.to(self.var.dtype), momentum)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, T, 40) -> (B, T, 40)."""
        out: Tensor = RunningNorm.apply(feature, self.mean, self.var, self.prior, self.horizon, NORM_EPS)
        return out


def windowed_mean(hidden: Tensor, ends: Tensor | None = None) -> Tensor:
    """Mean of the last min(t+1, 97) frames of (B, T, d) at every frame, or at the frames ``ends`` (B, K).

    Sums run in float64, so that hours of frames lose nothing to rounding.
    """
    sums = F.pad(hidden.to(torch.float64).cumsum(1), (0, 0, 1, 0))
    if ends is None:
        last = torch.arange(1, hidden.shape[1] + 1)
        first = (last - CLIP_FRAMES).clamp_min(0)
        total = sums[:, 1:] - sums[:, first]
        return (total / (last - first).unsqueeze(-1)).to(hidden.dtype)
    last = ends + 1
    first = (last - CLIP_FRAMES).clamp_min(0)
    width = hidden.shape[2]
    picked = [torch.gather(sums, 1, index.unsqueeze(-1).expand(-1, -1, width)) for index in (last, first)]
    return ((picked[0] - picked[1]) / (last - first).unsqueeze(-1)).to(hidden.dtype)

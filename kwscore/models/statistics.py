"""Normalisation and pooling over time, per clip or causal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import CLIP_FRAMES, N_MELS
from kwscore.errors import KWScopeError
from kwscore.models import functions
from kwscore.models.config import NetworkConfig
from kwscore.models.constants import NORM_EPS

STATISTICS_MOMENTUM = 0.01
"""Weight of one training batch in the corpus statistics; the first batch counts fully."""


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
        weight = torch.where(self.mean.any(), momentum, 1.0).to(self.mean)
        mean, var = functions.moments(feature)
        self.mean.lerp_(mean.to(self.mean), weight)
        self.var.lerp_(var.to(self.var), weight)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, T, 40) -> (B, T, 40)."""
        return functions.running_norm(feature, self.mean, self.var, self.prior, self.horizon, NORM_EPS)


class StreamMean(nn.Module):
    """Causal running mean of one number a frame, from a corpus mean worth ``prior`` frames; no gradient.

    While training, every call moves the buffer ``mean`` (scalar) towards the batch's mean.
    """

    def __init__(self, config: NetworkConfig, start: float) -> None:
        super().__init__()
        self.prior, self.horizon = config.norm_prior, config.norm_horizon
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(start))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """(B, T) -> running means (B, T)."""
        if self.training:
            self.mean.lerp_(x.mean().to(self.mean.dtype), STATISTICS_MOMENTUM)
        return functions.running_mean(x.unsqueeze(-1), self.mean.reshape(1), self.prior, self.horizon).squeeze(-1)


def windowed_mean(hidden: Tensor, ends: Tensor | None = None) -> Tensor:
    """Mean of the last min(t+1, 97) frames of (B, T, d) at every frame, or at the frames ``ends`` (B, K)."""
    batch, frames = hidden.shape[:2]
    if ends is None:
        ends = torch.arange(frames, device=hidden.device).expand(batch, frames)
    elif ends.dim() != 2 or ends.shape[0] != batch:
        raise KWScopeError(f"ends must have the shape ({batch}, K), not {tuple(ends.shape)}.")
    elif functions.compiled(ends) and ends.numel() and not (int(ends.min()) >= 0 and int(ends.max()) < frames):
        raise KWScopeError(f"ends must be frame indices from 0 to {frames - 1}.")  # elsewhere asking would wait
    return functions.windowed_mean(hidden, ends.to(torch.int64), CLIP_FRAMES)

"""A convolutional teacher for distillation: sees the whole window at once, is not causal and never shipped to run live.

It reads the same cached features as the small networks and answers at the same reads, so it trains with the same loop.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import CLIP_FRAMES, N_CLASSES

WIDTHS = (24, 48, 64, 96)
LOG_FLOOR = 1e-3


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions with a strided shortcut (He et al. 2016)."""

    def __init__(self, wide_in: int, wide_out: int, stride: tuple[int, int]):
        super().__init__()
        self.first = nn.Conv2d(wide_in, wide_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(wide_out)
        self.second = nn.Conv2d(wide_out, wide_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(wide_out)
        self.shortcut = nn.Sequential(nn.Conv2d(wide_in, wide_out, 1, stride, bias=False), nn.BatchNorm2d(wide_out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Teacher(nn.Module):
    """Residual network of about 0.3 M parameters on the last 97 log-mel frames of each read.

    ``hidden(mel, snr, mask)`` -> log-mel (B, T, 40); ``pool(hidden, ends)`` -> logits (B, K, 12), like the networks.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, dropout: float = 0.1):
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Conv2d(1, a, 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(a)
        self.units = nn.Sequential(
            ResidualUnit(a, b, (2, 2)), ResidualUnit(b, c, (2, 2)), ResidualUnit(c, d, (2, 1)), nn.Dropout(dropout)
        )
        self.classifier = nn.Linear(d, N_CLASSES)

    def hidden(self, mel: Tensor, snr: Tensor, spec_augment_mask: Tensor | None = None) -> Tensor:
        """Log magnitudes (B, T, 40); masked cells take the band's mean over time."""
        x = torch.log(mel + LOG_FLOOR)
        if spec_augment_mask is not None:
            x = torch.lerp(x.mean(1, keepdim=True).expand_as(x), x, spec_augment_mask)
        return x

    def pool(self, hidden: Tensor, ends: Tensor) -> Tensor:
        """Logits (B, K, 12) of the 97 frames that end at frames ``ends`` (B, K)."""
        batch, reads = ends.shape
        frames = (ends.unsqueeze(-1) + torch.arange(1 - CLIP_FRAMES, 1)).clamp_min(0)  # (B, K, 97)
        index = frames.reshape(batch, -1, 1).expand(-1, -1, hidden.shape[2])
        windows = torch.gather(hidden, 1, index).reshape(batch * reads, 1, CLIP_FRAMES, -1)
        return self.logits(windows).reshape(batch, reads, N_CLASSES)

    def logits(self, windows: Tensor) -> Tensor:
        """Logits (n, 12) of log-mel windows (n, 1, 97, 40), normalised per window."""
        mean = windows.mean((2, 3), keepdim=True)
        x = (windows - mean) / (windows.std((2, 3), keepdim=True) + 0.1)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu(self.stem_norm(self.stem(x)))
        return self.classifier(self.units(x).mean((2, 3)))

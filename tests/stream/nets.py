"""Networks with random weights for the engine tests."""

from __future__ import annotations

from typing import Any

import torch

from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model

DUAL = "NanoMamba-Tiny-DualPCEN"


def random_net(name: str, seed: int = 0, **overrides: Any) -> NanoMamba:
    """Random weights far enough from the initial ones that every parameter matters."""
    torch.manual_seed(seed)
    net = create_model(name, schedule="stream", **overrides).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter) * parameter.abs().mean().clamp(0.3, 1.0))
        for name, buffer in net.named_buffers():
            if name in ("stream_kappa.mean", "stream_hint.mean"):
                buffer.fill_(0.3)
        norm = net.stream_norm
        level = -6.0 if net.config.frontend == "log" else 0.3
        norm.mean.copy_(level + 0.3 * torch.randn(40))
        norm.var.copy_(0.1 + torch.rand(40))
    return net

"""Training off the CPU: the same numbers without the compiled kernels, and nothing on the way that needs the CPU."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kwscore.models import device_ops, functions
from kwscore.models.cnn import make_cnn
from kwscore.models.config import BASELINES, REGISTRY
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model
from tests.stream.nets import random_net

FRAMES = 120


def _loss(net: NanoMamba, mel: Tensor, snr: Tensor, ends: Tensor) -> Tensor:
    return net.pool(net.hidden(mel, snr, torch.ones_like(mel)), ends).square().mean()


def _features() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(3)
    return torch.rand(3, FRAMES, 40) * 4 + 0.01, torch.rand(3, FRAMES, 40), torch.tensor([[96, 119], [30, 98], [0, 5]])


@pytest.mark.parametrize("name", ["NanoMamba-Tiny", "NanoMamba-Tiny-TriPCEN", "NanoMamba-NC-Large-NASG", "NC-TCN-20K"])
def test_loss_and_gradients_without_the_compiled_kernels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = _features()
    results = []
    for compiled in (True, False):
        net = random_net(name).double().train()
        if not compiled:
            monkeypatch.setattr(functions, "compiled", lambda _: False)
        loss = _loss(net, *(x.double() if x.is_floating_point() else x for x in given_))
        loss.backward()
        gradients = {key: p.grad for key, p in net.named_parameters() if p.grad is not None}
        results.append((loss.detach(), gradients, dict(net.named_buffers())))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", REGISTRY)
def test_no_step_of_training_touches_the_cpu(name: str) -> None:
    """Tensors without storage cannot be read by numpy, nor meet a tensor that was made on the CPU by mistake."""
    net = create_model(name).to("meta").train()
    features = (x.to("meta") for x in _features())
    loss = _loss(net, *features)
    loss.backward()
    assert loss.device.type == "meta"
    assert all(p.grad is None or p.grad.shape == p.shape for p in net.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_train_anywhere(name: str) -> None:
    net = make_cnn(BASELINES[name]).to("meta")
    net.classify(torch.rand(2, 1, 40, 101, device="meta")).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@given(st.integers(1, 40), st.integers(0, 99))
def test_chunks_of_the_recurrence_meet(frames: int, seed: int) -> None:
    torch.manual_seed(seed)
    decay, x = torch.rand(2, frames, 3, dtype=torch.float64), torch.randn(2, frames, 3, dtype=torch.float64)
    h, state = [], torch.zeros(2, 3, dtype=torch.float64)
    for t in range(frames):
        state = decay[:, t] * state + x[:, t]
        h.append(state)
    torch.testing.assert_close(device_ops.linear_recurrence(decay, x), torch.stack(h, 1), rtol=1e-12, atol=1e-12)

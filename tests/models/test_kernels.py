"""Every operation, compiled or for other devices, equals its plain loop, as its gradient equals autograd's and finite
differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kwscore.models import device_ops, functions, kernels_frontend
from tests.models import oracles

B, T, C, N = 2, 9, 5, 3


def _rand(*shape: int, low: float = 0.0, high: float = 1.0, grad: bool = True) -> Tensor:
    return (torch.rand(*shape, dtype=torch.float64) * (high - low) + low).requires_grad_(grad)


def _cases() -> dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], tuple]]:
    torch.manual_seed(5)
    magnitude = _rand(B, 12, C, low=0.01, high=2.0, grad=False)
    anchor = oracles.noise_anchor(magnitude)
    rates = torch.tensor(0.4, dtype=torch.float64).requires_grad_(), torch.tensor(0.15).double().requires_grad_()
    energy = _rand(B, T, C, low=0.05, high=3.0)
    s, r = _rand(C, low=0.05, high=0.3), _rand(C, low=0.05, high=0.4)
    alpha, delta = _rand(C, low=0.9, high=0.999), _rand(C, low=0.01, high=2.0)
    scan = (
        _rand(B, T, C, low=-1), _rand(B, T, C, low=0.1), _rand(C, N, low=-3.0, high=-0.5), _rand(B, T, N, low=-1),
        _rand(B, T, N, low=-1), _rand(C), _rand(B, T, N),
    )  # fmt: skip
    norm = _rand(B, T, C, low=-2, high=2), _rand(C, low=-1, grad=False), _rand(C, low=0.2, grad=False)
    conv = _rand(B, T, C, low=-1), _rand(C, 1, 3, low=-1), _rand(C, low=-1)
    pool = _rand(B, T, C), torch.tensor([[0, 5, 8]] * B), 4
    adaptive = energy, _rand(B, T, C, high=0.4)
    devices = {
        "device: pcen": (device_ops.pcen, oracles.pcen, (energy, s, alpha, delta, r)),
        "device: adaptive envelope": (device_ops.envelope, oracles.envelope, adaptive),
        "device: norm, prior": (device_ops.running_norm, oracles.running_norm, (*norm, 3, 7, 1e-5)),
        "device: norm, no prior": (device_ops.running_norm, oracles.running_norm, (*norm, 0, 97, 1e-5)),
        "device: conv, dilated": (device_ops.conv_silu, oracles.conv_silu, (*conv, 4)),
        "device: pool": (device_ops.windowed_mean, oracles.windowed_mean, pool),
        "device: scan": (device_ops.selective_scan, oracles.selective_scan, (*scan, float("inf"))),
    }
    return devices | {
        "floor, stream": (functions.NoiseFloor.apply, oracles.noise_floor, (magnitude, anchor, *rates, 5, 0.5)),
        "floor, clip": (functions.NoiseFloor.apply, oracles.noise_floor, (magnitude, anchor, *rates, 0, 0.0)),
        "pcen": (functions.Pcen.apply, oracles.pcen, (energy, s, alpha, delta, r)),
        "pcen, fixed energy": (functions.Pcen.apply, oracles.pcen, (energy.detach(), s, alpha, delta, r)),
        "adaptive envelope": (functions.AdaptiveEnvelope.apply, oracles.envelope, adaptive),
        "norm, prior": (functions.RunningNorm.apply, oracles.running_norm, (*norm, 3, 7, 1e-5)),
        "norm, no prior": (functions.RunningNorm.apply, oracles.running_norm, (*norm, 0, 97, 1e-5)),
        "conv": (functions.ConvSiLU.apply, oracles.conv_silu, (*conv, 1)),
        "conv, dilated": (functions.ConvSiLU.apply, oracles.conv_silu, (*conv, 4)),
        "pool": (functions.WindowedMean.apply, oracles.windowed_mean, pool),
        "scan": (functions.SelectiveScan.apply, oracles.selective_scan, (*scan, float("inf"))),
        "scan, fixed eps": (functions.SelectiveScan.apply, oracles.selective_scan, (*scan[:6], scan[6].detach(), 2.0)),
        "scan, clipped state": (functions.SelectiveScan.apply, oracles.selective_scan, (*scan, 0.3)),
    }


CASES = _cases()


@pytest.mark.parametrize("name", CASES)
def test_equals_plain_loop(name: str) -> None:
    compiled, plain, inputs = CASES[name]
    torch.testing.assert_close(compiled(*inputs), plain(*inputs), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradient_equals_autograd_of_plain_loop(name: str) -> None:
    compiled, plain, inputs = CASES[name]
    wanted = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    weight = torch.randn_like(plain(*inputs))
    ours = torch.autograd.grad((compiled(*inputs) * weight).sum(), wanted)
    reference = torch.autograd.grad((plain(*inputs) * weight).sum(), wanted)
    for mine, theirs in zip(ours, reference, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_gradcheck(name: str) -> None:
    compiled, _, inputs = CASES[name]
    assert torch.autograd.gradcheck(compiled, inputs, eps=1e-7, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_float32_gradient(name: str) -> None:
    """The kernels' own float32 sums stay close to the float64 truth."""
    compiled, plain, inputs = CASES[name]
    single = [x.detach().float().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
    wanted = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    wanted32 = [x for x in single if isinstance(x, Tensor) and x.requires_grad]
    reference = torch.autograd.grad(plain(*inputs).sum(), wanted)
    for mine, theirs in zip(torch.autograd.grad(compiled(*single).sum(), wanted32), reference, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, theirs.float(), rtol=2e-4, atol=2e-4)


def test_anchor_is_the_minimum_of_two_blocks() -> None:
    torch.manual_seed(3)
    magnitude = torch.rand(2, 260, 3, dtype=torch.float64)
    magnitude[0, :, 0] = 0.0
    magnitude[1, 80:] += 5.0
    anchor = kernels_frontend.noise_anchor(magnitude.numpy())
    torch.testing.assert_close(torch.from_numpy(anchor), oracles.noise_anchor(magnitude))

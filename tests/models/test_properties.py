"""What holds for any audio: finite, bounded, causal, independent of the batch and of what was before in it."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kwscore.constants import HOP, WINDOW
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model

KINDS = ("noise", "silence", "clipped", "tone", "step", "impulse", "constant")
NAMES = ("NanoMamba-Tiny", "NanoMamba-Tiny-DualPCEN", "NanoMamba-Tiny-TriPCEN-v2-SSMv2", "NC-SSM")


def _audio(kind: str, level: float, samples: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    t = np.arange(samples)
    wave = {
        "noise": rng.standard_normal(samples) * level,
        "silence": np.zeros(samples),
        "clipped": np.sign(np.sin(t / 7.0)),
        "tone": np.sin(t * 0.3) * level,
        "step": rng.standard_normal(samples) * np.where(t < samples // 2, level * 1e-3, level),
        "impulse": np.where(t == samples // 3, 1.0, 0.0),
        "constant": np.full(samples, level),
    }[kind]
    return torch.from_numpy(np.clip(wave, -1, 1).astype(np.float32))[None]


def _net(name: str, seed: int) -> NanoMamba:
    torch.manual_seed(seed)
    return create_model(name).eval()


@given(
    name=st.sampled_from(NAMES),
    kind=st.sampled_from(KINDS),
    level=st.floats(1e-5, 1.0),
    frames=st.integers(1, 260),
    seed=st.integers(0, 5),
)
@settings(max_examples=60)
def test_finite_and_bounded(name: str, kind: str, level: float, frames: int, seed: int) -> None:
    audio = _audio(kind, level, WINDOW + (frames - 1) * HOP + seed, seed)
    with torch.no_grad():
        out = _net(name, seed).frames(audio)
    assert out.logits.shape[1] == frames
    assert all(bool(torch.isfinite(part).all()) for part in out)
    assert float(out.snr.min()) >= 0
    assert float(out.snr.max()) <= 1
    assert float(out.delta.min()) > 0
    if out.routing.shape[-1]:
        assert float(out.routing.min()) >= 0
        torch.testing.assert_close(out.routing.sum(-1), torch.ones(1, frames))


@given(name=st.sampled_from(NAMES), cut=st.integers(1, 199), seed=st.integers(0, 3), kind=st.sampled_from(KINDS))
@settings(max_examples=40)
def test_any_prefix_gives_the_prefix(name: str, cut: int, seed: int, kind: str) -> None:
    net = _net(name, seed)
    audio = torch.cat((_audio("noise", 0.1, 16000, seed), _audio(kind, 0.5, 16352, seed)), 1)
    with torch.no_grad():
        whole = net.frames(audio)
        part = net.frames(audio[:, : WINDOW + (cut - 1) * HOP])
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(a[:, :cut], b, rtol=1e-4, atol=2e-5)


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 3))
@settings(max_examples=12)
def test_streams_of_a_batch_do_not_meet(name: str, seed: int) -> None:
    net = _net(name, seed)
    batch = torch.cat([_audio(kind, 0.3, 12000, seed) for kind in ("noise", "silence", "step")])
    with torch.no_grad():
        together = net.frames(batch)
        for row in range(3):
            alone = net.frames(batch[row : row + 1])
            for a, b in zip(together, alone, strict=True):
                torch.testing.assert_close(a[row : row + 1], b, rtol=1e-4, atol=2e-5)


@given(batch=st.integers(1, 3), frames=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_training_step_is_finite(batch: int, frames: int, seed: int) -> None:
    torch.manual_seed(seed)
    net = create_model("NanoMamba-Tiny-DualPCEN").train()
    mel, snr = torch.rand(batch, frames, 40) ** 8 * 50, torch.rand(batch, frames, 40)
    net.pool(net.hidden(mel, snr)).square().mean().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in net.parameters() if p.grad is not None)

"""The stream schedule: causal, independent of what follows, and started from corpus statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kwscore.constants import CLIP_FRAMES, HOP, WINDOW
from kwscore.errors import KWScopeError
from kwscore.models.config import REGISTRY
from kwscore.models.registry import create_model
from kwscore.models.statistics import windowed_mean
from tests.models import oracles

NAMES = list(REGISTRY)


def _waveform(seconds: float, batch: int = 2, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    samples = int(seconds * 16_000)
    level = np.abs(np.sin(np.arange(samples) / 2500.0)) ** 3 + 0.01
    return torch.from_numpy((rng.standard_normal((batch, samples)) * 0.2 * level).astype(np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_a_prefix_are_the_prefix_of_frames(name: str) -> None:
    torch.manual_seed(1)
    net = create_model(name).double().eval()
    audio = _waveform(2.2).double()
    cut = WINDOW + 130 * HOP
    with torch.no_grad():
        whole = net.frames(audio)
        part = net.frames(audio[:, :cut])
        changed = audio.clone()
        changed[:, cut:] = 0.5
        other = net.frames(changed)
        last = net(audio[:, :cut])
    assert part.logits.shape[1] == 131
    for a, b, c in zip(whole, part, other, strict=True):
        torch.testing.assert_close(a[:, :131], b, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(a[:, :131], c[:, :131], rtol=1e-9, atol=1e-10)
    assert not torch.allclose(whole.logits[:, 135], other.logits[:, 135])
    torch.testing.assert_close(last, part.logits[:, -1])


def test_shapes() -> None:
    net = create_model("NanoMamba-Tiny-DualPCEN").eval()
    with torch.no_grad():
        out = net.frames(_waveform(1.0, batch=3))
    assert out.logits.shape == (3, CLIP_FRAMES, 12)
    assert out.mel.shape == out.snr.shape == (3, CLIP_FRAMES, 40)
    assert out.routing.shape == (3, CLIP_FRAMES, 2)
    assert out.delta.shape == (3, CLIP_FRAMES, 2, 24)
    torch.testing.assert_close(out.routing.sum(-1), torch.ones(3, CLIP_FRAMES))


def test_first_frame_starts_from_the_corpus_statistics() -> None:
    net = create_model("NanoMamba-Tiny").eval()
    mean, var = torch.randn(40), torch.rand(40) + 0.5
    net.stream_norm.mean.copy_(mean)
    net.stream_norm.var.copy_(var)
    x = torch.randn(1, 3, 40)
    k = 1 + net.config.norm_prior
    d = x[:, 0] - mean
    expected = (x[:, 0] - (mean + d / k)) / torch.sqrt((1 - 1 / k) * (var + d * d / k) + 1e-5)
    torch.testing.assert_close(net.normalise(x)[:, 0], expected)


def test_without_prior_the_norm_is_cumulative() -> None:
    net = create_model("NanoMamba-Tiny", norm_prior=0, norm_horizon=97).double().eval()
    x = torch.randn(2, 97, 40, dtype=torch.float64)
    out = net.normalise(x)
    seen = x[:, :60]
    expected = (seen[:, -1] - seen.mean(1)) / torch.sqrt(seen.var(1, correction=0) + 1e-5)
    torch.testing.assert_close(out[:, 59], expected)


def test_norm_equals_a_naive_loop() -> None:
    net = create_model("NanoMamba-Tiny", norm_prior=40, norm_horizon=97).double().eval()
    net.stream_norm.mean.uniform_(-1, 1)
    x = torch.randn(2, 250, 40, dtype=torch.float64)
    naive = oracles.running_norm(x, net.stream_norm.mean, net.stream_norm.var, 40, 97, 1e-5)
    torch.testing.assert_close(net.normalise(x), naive)


def test_training_moves_the_corpus_statistics_and_evaluation_does_not() -> None:
    torch.manual_seed(2)
    net = create_model("NanoMamba-Tiny-DualPCEN")
    mel, snr = torch.rand(4, 120, 40) * 5, torch.rand(4, 120, 40)
    net.eval().hidden(mel, snr)
    assert not net.stream_norm.mean.any()
    net.train().hidden(mel, snr)
    feature = net.frontend(mel, snr).feature.detach()
    torch.testing.assert_close(net.stream_norm.mean, feature.mean((0, 1)))
    torch.testing.assert_close(net.stream_norm.var, feature.var((0, 1), correction=0), rtol=1e-4, atol=1e-6)
    before = net.stream_norm.mean.clone()
    net.hidden(mel * 4, snr)
    assert 0 < (net.stream_norm.mean - before).abs().max() < 0.02 * feature.abs().max()
    net.update_stream_statistics(feature, momentum=1.0)
    torch.testing.assert_close(net.stream_norm.mean, feature.mean((0, 1)))


def test_pooling_window_and_chosen_ends() -> None:
    hidden = torch.randn(2, 150, 4, dtype=torch.float64)
    pooled = windowed_mean(hidden)
    torch.testing.assert_close(pooled[:, 10], hidden[:, :11].mean(1))
    torch.testing.assert_close(pooled[:, 149], hidden[:, 53:150].mean(1))
    ends = torch.tensor([[0, 96, 149], [3, 97, 120]])
    chosen = windowed_mean(hidden, ends)
    for b in range(2):
        torch.testing.assert_close(chosen[b], pooled[b, ends[b]])
    with pytest.raises(KWScopeError, match="0 to 149"):
        windowed_mean(hidden, torch.tensor([[0], [150]]))


@pytest.mark.parametrize("name", ["NanoMamba-Tiny", "NanoMamba-Tiny-TriPCEN", "NanoMamba-NC-Large-NASG", "NC-TCN-20K"])
def test_every_parameter_learns_from_a_waveform(name: str) -> None:
    """Gradients reach everything but the parameters that the published network leaves dead."""
    torch.manual_seed(0)
    net = create_model(name).train()
    net.pool(net.hidden(*net.features(_waveform(1.2)))).square().sum().backward()
    dead = {key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    prefix = "multi_pcen.experts.0" if "Tri" in name else "dual_pcen.pcen_nonstat"
    expected = {"snr_estimator.floor"}
    if name != "NanoMamba-Tiny" and net.config.frontend_version == 1:
        expected |= {f"{prefix}.log_s", f"{prefix}.log_r", "multi_pcen.experts.2.log_r"}
    elif net.config.frontend_version == 2:
        expected |= {f"{prefix}.log_s", f"{prefix}.log_r"}
    assert dead == expected


@pytest.mark.parametrize(
    ("name", "untouched"),
    [
        ("NanoMamba-Tiny", ()),
        ("NanoMamba-Tiny-DualPCEN", ()),
        ("NanoMamba-Tiny-TriPCEN", ()),
        # version 2 stops gradients through the SNR, so the estimator's gradient is not the slope
        ("NanoMamba-Tiny-DualPCEN-v2-SSMv2", ("snr_estimator", "dual_pcen")),
        ("NC-SSM", ("snr_estimator", "dual_pcen", "spectral_gate")),
    ],
)
def test_gradient_of_the_whole_network_is_its_slope(name: str, untouched: tuple[str, ...]) -> None:
    torch.manual_seed(4)
    net = create_model(name).double().eval()
    parameters = {key: p for key, p in net.named_parameters() if not key.startswith(untouched or "-")}
    weight = torch.randn(2, 3, 12, dtype=torch.float64)
    audio, ends = _waveform(1.0).double(), torch.tensor([[20, 60, 95]] * 2)

    def loss() -> torch.Tensor:
        return (net.pool(net.hidden(*net.features(audio)), ends) * weight).sum()

    loss().backward()
    direction = {key: torch.randn_like(p) for key, p in parameters.items()}
    slope = sum(float((p.grad * direction[key]).sum()) for key, p in parameters.items() if p.grad is not None)
    values = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for key, p in parameters.items():
                p.add_(direction[key], alpha=step)
            values.append(loss().item())
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("mode", ["full", "dt_only", "b_only", "standard"])
def test_ablation_modes_ignore_what_they_name(mode: str) -> None:
    torch.manual_seed(0)
    net = create_model("NanoMamba-Tiny", mode=mode).eval()
    mel, snr = torch.rand(1, 30, 40), torch.rand(1, 30, 40)
    plain = net.hidden(mel, snr)
    weight = net.get_parameter("blocks.0.sa_ssm.snr_proj.weight")
    for row, used in ((0, mode in ("full", "dt_only")), (1, mode in ("full", "b_only"))):
        kept = weight[row].clone()
        with torch.no_grad():
            weight[row] += 1.0
            assert torch.equal(net.hidden(mel, snr), plain) != used
            weight[row] = kept


def test_tiny_conv_starts_as_nothing_and_stays_causal() -> None:
    torch.manual_seed(0)
    net = create_model("NanoMamba-Tiny-TC").eval()
    mel = torch.rand(1, 20, 40)
    torch.testing.assert_close(net.tiny_conv(mel), mel)
    torch.nn.init.normal_(net.tiny_conv.conv.weight)
    changed = mel.clone()
    changed[:, 12:] += 1
    out = net.tiny_conv(mel)
    torch.testing.assert_close(out[:, :12], net.tiny_conv(changed)[:, :12])
    padded = torch.nn.functional.pad(mel[:, [8, 9, 10, 10]], (1, 1))[0]
    reference = torch.nn.functional.conv2d(padded.T[None, None], net.tiny_conv.conv.weight, net.tiny_conv.conv.bias)
    torch.testing.assert_close(out[0, 10], mel[0, 10] + reference[0, 0, :, 1].relu())


def test_spec_augment_mask_multiplies_the_normalised_feature() -> None:
    torch.manual_seed(0)
    net = create_model("NanoMamba-Tiny").eval()
    mel, snr = torch.rand(2, 40, 40), torch.rand(2, 40, 40)
    mask = torch.ones(2, 40, 40)
    torch.testing.assert_close(net.hidden(mel, snr, mask), net.hidden(mel, snr))
    mask[:, 20:] = 0
    masked = net.hidden(mel, snr, mask)
    torch.testing.assert_close(masked[:, :20], net.hidden(mel, snr)[:, :20])
    torch.testing.assert_close(masked, net.hidden(mel, snr, mask).detach())
    assert not torch.allclose(masked[:, 25], net.hidden(mel, snr)[:, 25])


def test_bad_input_is_one_sentence() -> None:
    net = create_model("NanoMamba-Tiny")
    with pytest.raises(KWScopeError, match="511 samples; at least 512"):
        net(torch.zeros(1, 511))
    with pytest.raises(KWScopeError, match="batch, samples"):
        net(torch.zeros(16000))
    with pytest.raises(KWScopeError, match="16-bit samples / 32768"):
        net(torch.zeros(1, 16000, dtype=torch.int16))
    with pytest.raises(KWScopeError, match="on the CPU"):
        net(torch.zeros(1, 16000, device="meta"))
    with pytest.raises(KWScopeError, match=r"not \(2, 97, 40\) and \(2, 97, 39\)"):
        net.hidden(torch.zeros(2, 97, 40), torch.zeros(2, 97, 39))
    with pytest.raises(KWScopeError, match="stream schedule"):
        create_model("NanoMamba-Tiny", schedule="clip").frames(torch.zeros(1, 16000))
    with pytest.raises(KWScopeError, match="no network named 'NanoMamba-Tny'"):
        create_model("NanoMamba-Tny")
    with pytest.raises(KWScopeError, match="d_state"):
        create_model("NanoMamba-Tiny", d_state=0)
    with pytest.raises(KWScopeError, match="bogus"):
        create_model("NanoMamba-Tiny", bogus=1)

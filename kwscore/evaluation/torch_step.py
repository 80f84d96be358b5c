"""One hop of the stream schedule in plain eager torch, state in and state out: the compiled engine is measured by it.

Written as one would write a live torch loop: effective parameters computed once, no gradient, whole-vector operations.
Knows the version 1 networks (log, PCEN, Dual and Tri front ends).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kwscore.constants import CLIP_FRAMES, HOP, N_FREQ, N_MELS, WINDOW
from kwscore.errors import KWScopeError
from kwscore.models.constants import (
    ANCHOR_BLOCK,
    ANCHOR_FRAMES,
    ANCHOR_MIN,
    LOG_EPS,
    NORM_EPS,
    PCEN_EPS,
    SNR_EPS,
    SNR_GAIN,
)
from kwscore.models.network import NanoMamba

_PREFIXES = {
    "log": (),
    "pcen": ("pcen",),
    "dual": ("dual_pcen.pcen_nonstat", "dual_pcen.pcen_stat"),
    "tri": ("multi_pcen.experts.0", "multi_pcen.experts.1", "multi_pcen.experts.2"),
}


@dataclass
class TorchState:
    """Everything one stream remembers; names as in ``kwscore.stream.layout.State``."""

    frame: int
    window: Tensor  # (512,)
    recent: Tensor  # (5, 257)
    current: Tensor  # (257,)
    previous: Tensor  # (257,)
    floor: Tensor  # (257,)
    envelope: Tensor  # (E, 40)
    mean: Tensor  # (40,)
    var: Tensor  # (40,)
    conv: list[Tensor] = field(default_factory=list)  # (2, D) per block
    hidden: list[Tensor] = field(default_factory=list)  # (D, N) per block
    pool: Tensor = field(default_factory=lambda: torch.zeros(0))  # (97, d)


class TorchStep:
    """Runs ``net`` hop by hop: ``start`` takes the first 512 samples, ``step`` 160 more; both return logits (12,).

    Raises KWScopeError for networks other than version 1 of the stream schedule.
    """

    def __init__(self, net: NanoMamba) -> None:
        config = net.config
        if config.ssm != "v1" or config.frontend_version != 1 or config.tiny_conv or config.lsg:
            raise KWScopeError(f"The torch step knows version 1 networks only, not {config.name}.")
        self.net = net.eval()
        self.config = config
        state = net.state_dict()
        self.hann = torch.hann_window(WINDOW)
        self.scale = net.snr_estimator.noise_scale.detach().abs()
        if config.running_floor:
            self.beta, self.gamma = (torch.sigmoid(state[f"snr_estimator.raw_{k}"]) for k in ("beta", "gamma"))
            self.band_floor = state["freq_dep_floor.freq_floor"].flatten()
        experts: list[Any] = [net.get_submodule(prefix) for prefix in _PREFIXES[config.frontend]]
        if experts:
            constants = [torch.stack(part).detach() for part in zip(*(e.constants() for e in experts), strict=True)]
            self.s, self.alpha, self.delta, self.r = constants
            self.delta_r = self.delta**self.r
        router = {"dual": "dual_pcen", "tri": "multi_pcen"}.get(config.frontend)
        self.temps = [state[f"{router}.{k}"] for k in ("gate_temp", "gate_temp2") if f"{router}.{k}" in state]
        blocks: list[Any] = list(net.blocks)
        self.decay = [-torch.exp(block.sa_ssm.A_log.detach()) for block in blocks]

    def new_state(self) -> TorchState:
        """State before the first sample."""
        config = self.config
        return TorchState(
            frame=0,
            window=torch.zeros(WINDOW),
            recent=torch.zeros(ANCHOR_FRAMES, N_FREQ),
            current=torch.full((N_FREQ,), torch.inf),
            previous=torch.full((N_FREQ,), torch.inf),
            floor=torch.zeros(N_FREQ),
            envelope=torch.zeros(len(config.expert_names), N_MELS),
            mean=self.net.stream_norm.mean.clone(),
            var=self.net.stream_norm.var.clone(),
            conv=[torch.zeros(2, config.d_inner) for _ in range(config.layers)],
            hidden=[torch.zeros(config.d_inner, config.d_state) for _ in range(config.layers)],
            pool=torch.zeros(CLIP_FRAMES, config.d_model),
        )

    @torch.inference_mode()
    def step(self, samples: Tensor, state: TorchState) -> tuple[Tensor, TorchState]:
        """The next 160 samples (the first time 512), float32 in [-1, 1] -> logits (12,) and the state after them."""
        state.window = samples if len(samples) == WINDOW else torch.cat((state.window[HOP:], samples))
        magnitude = torch.fft.rfft(state.window * self.hann).abs()
        anchor = self._anchor(magnitude, state)
        state.floor = self._floor(magnitude, anchor, state)
        bank = self.net.get_buffer("mel_fb")
        mel = F.linear(magnitude, bank)
        snr = torch.tanh(SNR_GAIN * F.linear(magnitude / (self.scale * state.floor + SNR_EPS), bank))
        x = self.net.patch_proj(self._normalise(self._feature(mel, state), state))
        for index in range(self.config.layers):
            x = self._block(index, x, snr, state)
        state.pool[state.frame % CLIP_FRAMES] = self.net.final_norm(x)
        state.frame += 1
        logits: Tensor = self.net.classifier(state.pool[: min(state.frame, CLIP_FRAMES)].mean(0))
        return logits, state

    def _anchor(self, magnitude: Tensor, state: TorchState) -> Tensor:
        t = state.frame
        state.recent[t % ANCHOR_FRAMES] = magnitude
        anchor = state.recent.sum(0) / min(t + 1, ANCHOR_FRAMES)
        if t > 0 and t % ANCHOR_BLOCK == 0:
            state.previous, state.current = state.current, torch.full_like(anchor, torch.inf)
        if t >= ANCHOR_FRAMES - 1:
            state.current = torch.minimum(state.current, anchor)
        if t >= ANCHOR_FRAMES:
            anchor = torch.minimum(state.current, state.previous)
        return anchor.clamp_min(ANCHOR_MIN)

    def _floor(self, magnitude: Tensor, anchor: Tensor, state: TorchState) -> Tensor:
        if not self.config.running_floor or state.frame < ANCHOR_FRAMES:
            return anchor
        rate = torch.where(magnitude > state.floor, self.gamma, self.beta)
        return torch.maximum(torch.lerp(state.floor, magnitude, rate), 0.5 * anchor)

    def _feature(self, mel: Tensor, state: TorchState) -> Tensor:
        if self.config.frontend == "log":
            return torch.log(mel + LOG_EPS)
        energy = torch.maximum(mel, self.band_floor)
        before = energy.expand_as(state.envelope) if state.frame == 0 else state.envelope
        state.envelope = torch.lerp(before, energy.expand_as(before), self.s)
        gained = energy * (state.envelope + PCEN_EPS) ** -self.alpha + self.delta
        return self._routing(energy) @ (gained**self.r - self.delta_r)

    def _routing(self, energy: Tensor) -> Tensor:
        if not self.temps:
            return energy.new_ones(1)
        energy = energy.clamp_min(1e-4)
        flatness = (energy.log().mean().exp() / energy.mean()).clamp(0.0, 1.0)
        low, high = energy[:13].mean(), energy[26:].mean()
        indicator = flatness
        if self.config.tilt:
            indicator = flatness + (1.0 - flatness) * ((low / (low + high + 1e-8)).clamp(0.0, 1.0) - 0.6).clamp_min(0.0)
        g = torch.sigmoid(self.temps[0] * (indicator - 0.5))
        if self.config.frontend == "dual":
            return torch.stack((1.0 - g, g))
        h = torch.sigmoid(self.temps[1] * (flatness - 0.7))
        return torch.stack((1.0 - g, g * h, g * (1.0 - h)))

    def _normalise(self, feature: Tensor, state: TorchState) -> Tensor:
        k = min(state.frame + 1 + self.config.norm_prior, self.config.norm_horizon)
        d = feature - state.mean
        state.mean = state.mean + d / k
        state.var = (1.0 - 1.0 / k) * (state.var + d * d / k)
        return (feature - state.mean) * torch.rsqrt(state.var + NORM_EPS)

    def _block(self, index: int, x: Tensor, snr: Tensor, state: TorchState) -> Tensor:
        block: Any = self.net.blocks[index]
        ssm = block.sa_ssm
        u, z = block.in_proj(block.norm(x)).chunk(2)
        taps = torch.cat((state.conv[index], u.unsqueeze(0)))
        state.conv[index] = taps[1:]
        u = F.silu((taps * block.conv1d.weight[:, 0].T).sum(0) + block.conv1d.bias)
        n = self.config.d_state
        dt, b, c = ssm.x_proj(u).split((1, n, n))
        shift, gate = ssm.snr_proj(snr).split((1, n))
        level = snr.mean()
        delta = F.softplus(ssm.step_logit(dt, shift)) + ssm.between("delta_floor_min", "delta_floor_max", level)
        eps = ssm.between("epsilon_max", "epsilon_min", level)
        weight = ssm.gated_input(b, gate)
        drive = (delta.unsqueeze(1) * weight + eps) * u.unsqueeze(1)
        state.hidden[index] = torch.exp(delta.unsqueeze(1) * self.decay[index]) * state.hidden[index] + drive
        y = state.hidden[index] @ c + ssm.D * u
        return x + block.out_proj(y * F.silu(z))

"""The NanoMamba network in both schedules."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import N_CLASSES, N_MELS
from kwscore.errors import KWScopeError
from kwscore.models.block import make_block
from kwscore.models.config import NetworkConfig, Schedule
from kwscore.models.constants import KAPPA_START
from kwscore.models.melbank import mel_filterbank
from kwscore.models.routing import FrontendOutput, make_frontend
from kwscore.models.spectrum import (
    FrequencyFloor,
    SnrEstimator,
    SpectralGate,
    TinyConv,
    checked_waveform,
    magnitude_spectrum,
)
from kwscore.models.ssm import Conditions
from kwscore.models.statistics import STATISTICS_MOMENTUM, StreamMean, StreamNorm, clip_norm, windowed_mean


class FrameOutputs(NamedTuple):
    """Everything a network computes, frame by frame: logits (B, T, 12), mel, snr and pcen (B, T, 40), routing
    (B, T, E), delta (B, T, blocks, D), gate (B, T, blocks, N); meanings as in ``kwscore.stream.telemetry``."""

    logits: Tensor
    mel: Tensor
    snr: Tensor
    routing: Tensor
    delta: Tensor
    pcen: Tensor
    gate: Tensor


class NanoMamba(nn.Module):
    """Waveform (B, S) in [-1, 1] -> logits (B, 12), with the published tensor names and shapes.

    ``features`` (waveform -> mel, snr), ``hidden`` (mel, snr -> final norm) and ``pool`` (-> logits) are its three
    stages, so that training can run from cached features. ``card`` is the card of a loaded checkpoint or None.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.card: dict[str, Any] | None = None
        self.register_buffer("mel_fb", torch.from_numpy(mel_filterbank()))
        self.snr_estimator = SnrEstimator(config)
        self._frontend_name, frontend = make_frontend(config)
        self.add_module(self._frontend_name, frontend)
        if config.lsg:
            self.spectral_gate = SpectralGate()
        if config.tiny_conv:
            self.tiny_conv = TinyConv(self.causal)
        if config.frontend != "log":
            self.freq_dep_floor = FrequencyFloor()
        if config.nasg:
            self.sf_to_snr_scale = nn.Parameter(torch.tensor(-5.0))
            self.sf_to_snr_bias = nn.Parameter(torch.tensor(3.4))
        if self.causal:
            self.stream_norm = StreamNorm(config)
            if config.frontend_version == 2:
                self.stream_kappa = StreamMean(config, KAPPA_START)
            if config.nasg:
                self.stream_hint = StreamMean(config, 0.0)
        self.patch_proj = nn.Linear(N_MELS, config.d_model)
        self.blocks = nn.ModuleList(make_block(config, index) for index in range(config.layers))
        self.final_norm = nn.LayerNorm(config.d_model)
        self.classifier = nn.Linear(config.d_model, N_CLASSES)

    @property
    def schedule(self) -> Schedule:
        """``clip`` or ``stream``."""
        return self.config.schedule

    @property
    def causal(self) -> bool:
        return self.config.schedule == "stream"

    def features(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Linear mel magnitudes and SNR estimate, each (B, T, 40), of samples (B, S) in [-1, 1].

        The spectrum is data (no gradient); ``snr`` is differentiable in the SNR estimator's parameters.
        """
        with torch.no_grad():
            checked_waveform(waveform, 1)
            magnitude = magnitude_spectrum(waveform.to(self.classifier.weight.dtype), centred=not self.causal)
            mel = F.linear(magnitude, self.get_buffer("mel_fb"))
        return mel, self.snr_estimator(magnitude, self.get_buffer("mel_fb"))

    def frontend(self, mel: Tensor, snr: Tensor) -> FrontendOutput:
        """Un-normalised feature, routing and gate of mel magnitudes and SNR (B, T, 40)."""
        if self.config.lsg:
            mel = self.spectral_gate(mel, snr)
        if self.config.tiny_conv:
            mel = self.tiny_conv(mel)
        if self.config.frontend != "log":
            mel = self.freq_dep_floor(mel)
        level = snr.mean(-1)
        if self.config.frontend_version == 2:
            level = self.stream_kappa(level) if self.causal else level.mean(1, keepdim=True)
        output: FrontendOutput = self.get_submodule(self._frontend_name)(mel, snr, level)
        return output

    def noise_hint(self, normalised: Tensor) -> Tensor | None:
        """NASG's hint, (B, T) or (B, 1), from the flatness of the normalised feature (B, T, 40)."""
        if not self.config.nasg:
            return None
        positive = normalised.clamp_min(1e-6)
        flatness = torch.exp(positive.log().mean(-1)) / (positive.mean(-1) + 1e-8)
        mean = self.stream_hint(flatness) if self.causal else flatness.mean(1, keepdim=True)
        return torch.tanh(self.sf_to_snr_scale * mean + self.sf_to_snr_bias)

    def normalise(self, feature: Tensor) -> Tensor:
        """Clip or running normalisation of (B, T, 40); training updates the corpus statistics."""
        if not self.causal:
            return clip_norm(feature)
        if self.training:
            self.stream_norm.update(feature.detach())
        normalised: Tensor = self.stream_norm(feature)
        return normalised

    @torch.no_grad()
    def update_stream_statistics(self, feature: Tensor, momentum: float = STATISTICS_MOMENTUM) -> None:
        """Move the corpus statistics of the stream schedule towards those of a front-end output (B, T, 40).

        Training does so by itself at every ``hidden`` call; ``momentum=1.0`` replaces them.
        """
        if not self.causal:
            raise KWScopeError(f"{self.config.name} in the clip schedule has no stream statistics.")
        self.stream_norm.update(feature, momentum)

    def _encode(self, mel: Tensor, snr: Tensor, mask: Tensor | None) -> tuple[Tensor, FrontendOutput, list[Tensor]]:
        if mel.dim() != 3 or mel.shape[2] != N_MELS or mel.shape != snr.shape or not mel.shape[1]:
            raise KWScopeError(
                f"mel and snr must both have the shape (batch, frames, {N_MELS}), "
                f"not {tuple(mel.shape)} and {tuple(snr.shape)}."
            )
        front = self.frontend(mel, snr)
        feature = self.normalise(front.feature)
        hint = self.noise_hint(feature)
        if mask is not None:
            feature = feature * mask
        x = self.patch_proj(feature)
        given = Conditions(snr, snr.mean(-1), front.gate, hint)
        deltas = []
        for block in self.blocks:
            x, delta = block(x, given)
            deltas.append(delta)
        return self.final_norm(x), front, deltas

    def hidden(self, mel: Tensor, snr: Tensor, spec_augment_mask: Tensor | None = None) -> Tensor:
        """Final-norm outputs (B, T, d) of mel magnitudes and SNR (B, T, 40).

        ``spec_augment_mask`` (B, T, 40) multiplies the normalised feature.
        """
        return self._encode(mel, snr, spec_augment_mask)[0]

    def pool(self, hidden: Tensor, ends: Tensor | None = None) -> Tensor:
        """Logits from final-norm outputs (B, T, d).

        Stream schedule: mean of the last min(t+1, 97) frames, at every frame (B, T, 12) or at the frame indices
        ``ends`` (B, K) -> (B, K, 12). Clip schedule: mean of all frames -> (B, 12); ``ends`` has no meaning there.
        """
        if not self.causal:
            if ends is not None:
                raise KWScopeError("pool(ends=...) needs the stream schedule.")
            return self.classifier(hidden.mean(1))
        return self.classifier(windowed_mean(hidden, ends))

    def frames(self, waveform: Tensor) -> FrameOutputs:
        """Logits and telemetry of every frame (stream schedule)."""
        if not self.causal:
            raise KWScopeError(f"frames() needs the stream schedule; {self.config.name} was made for clips.")
        mel, snr = self.features(waveform)
        hidden, front, deltas = self._encode(mel, snr, None)
        gates = self.input_gates(snr)
        return FrameOutputs(self.pool(hidden), mel, snr, front.routing, torch.stack(deltas, 2), front.feature, gates)

    def input_gates(self, snr: Tensor) -> Tensor:
        """What each block's SNR gate multiplies B by, (..., blocks, N), of the SNR (..., 40); N = 0 without SSM."""
        if self.config.ssm == "tcn":
            return snr.new_empty((*snr.shape[:-1], self.config.layers, 0))
        ssms: list[Any] = [block.get_submodule("sa_ssm") for block in self.blocks]
        return torch.stack([ssm.input_gate(snr) for ssm in ssms], -2)

    def forward(self, waveform: Tensor) -> Tensor:
        """Logits (B, 12) of samples (B, S): of the whole clip, or of the stream's last frame."""
        hidden = self.hidden(*self.features(waveform))
        if not self.causal:
            return self.pool(hidden)
        ends = torch.full((hidden.shape[0], 1), hidden.shape[1] - 1)
        return self.pool(hidden, ends)[:, 0]

    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

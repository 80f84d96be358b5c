"""Magnitude spectrum, SNR estimate and mel energies of a waveform."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import HOP, N_MELS, WINDOW
from kwscore.errors import KWScopeError
from kwscore.models import kernels_frontend
from kwscore.models.config import NetworkConfig
from kwscore.models.constants import ANCHOR_FRAMES, ANCHOR_MIN, ANCHOR_SHARE, SNR_EPS, SNR_GAIN
from kwscore.models.functions import NoiseFloor
from kwscore.models.melbank import frequency_floor


def checked_waveform(waveform: Tensor, least: int) -> Tensor:
    """``waveform`` itself when it is (B, S) of floating point on the CPU with at least ``least`` samples.

    Raises KWScopeError otherwise.
    """
    if waveform.dim() != 2:
        raise KWScopeError(f"The waveform must have the shape (batch, samples), not {tuple(waveform.shape)}.")
    if not waveform.is_floating_point():
        raise KWScopeError(f"The waveform is {waveform.dtype}: give floats in [-1, 1] (16-bit samples / 32768).")
    if waveform.device.type != "cpu":
        raise KWScopeError(
            f"The waveform is on {waveform.device}: spectra are made on the CPU; elsewhere networks take features only."
        )
    if waveform.shape[1] < least:
        raise KWScopeError(f"The waveform has {waveform.shape[1]} samples; at least {least} are needed.")
    return waveform


def magnitude_spectrum(waveform: Tensor, centred: bool) -> Tensor:
    """(B, S) samples in [-1, 1] -> (B, T, 257) magnitudes of periodic Hann frames of 512, hop 160.

    ``centred``: reflected by 256 samples on both sides (clip schedule), otherwise no padding (stream schedule).
    """
    checked_waveform(waveform, WINDOW // 2 + 1 if centred else WINDOW)
    window = torch.hann_window(WINDOW, dtype=waveform.dtype)
    spectrum = torch.stft(
        waveform, WINDOW, HOP, WINDOW, window, center=centred, pad_mode="reflect", return_complex=True
    )
    return spectrum.abs().transpose(1, 2).contiguous()


class SnrEstimator(nn.Module):
    """Per-band SNR estimate in 0..1: tanh of the mel-weighted ratio of magnitude to noise floor.

    Differentiable in ``noise_scale``, ``raw_beta`` and ``raw_gamma``; the magnitudes are data. ``floor`` is never
    used: it exists because published files have it.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.causal = config.schedule == "stream"
        self.running = config.running_floor
        self.noise_scale = nn.Parameter(torch.tensor(1.5))
        self.floor = nn.Parameter(torch.tensor(0.02))
        if self.running:
            self.raw_beta = nn.Parameter(torch.tensor(-2.2))
            self.raw_gamma = nn.Parameter(torch.tensor(-3.0))

    def noise_floor(self, magnitude: Tensor) -> Tensor:
        """Noise floor (B, T, 257) of the magnitudes."""
        if self.causal:
            anchor = torch.from_numpy(kernels_frontend.noise_anchor(magnitude.detach().numpy()))
        else:
            first = magnitude[:, :ANCHOR_FRAMES].mean(1, keepdim=True).clamp_min(ANCHOR_MIN)
            anchor = first.expand_as(magnitude).contiguous()
        if not self.running:
            return anchor
        rates = torch.sigmoid(self.raw_beta), torch.sigmoid(self.raw_gamma)
        if self.causal:
            floor: Tensor = NoiseFloor.apply(magnitude, anchor, *rates, ANCHOR_FRAMES, ANCHOR_SHARE)
            return floor
        # the published floor runs free and is bounded afterwards; the stream schedule bounds its state
        return torch.maximum(NoiseFloor.apply(magnitude, anchor, *rates, 0, 0.0), ANCHOR_SHARE * anchor)

    def forward(self, magnitude: Tensor, mel_fb: Tensor) -> Tensor:
        """(B, T, 257) magnitudes -> (B, T, 40) SNR."""
        ratio = magnitude / (self.noise_scale.abs() * self.noise_floor(magnitude) + SNR_EPS)
        return torch.tanh(SNR_GAIN * F.linear(ratio, mel_fb))


class FrequencyFloor(nn.Module):
    """Smallest mel magnitude per band."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("freq_floor", torch.from_numpy(frequency_floor()).reshape(1, N_MELS, 1))

    def forward(self, mel: Tensor) -> Tensor:
        """(B, T, 40) -> (B, T, 40)."""
        return torch.maximum(mel, self.get_buffer("freq_floor").reshape(N_MELS))


class SpectralGate(nn.Module):
    """Learned gate on the mel magnitudes (LSG): bands without SNR are lowered to a learned share."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(N_MELS))
        self.b = nn.Parameter(torch.zeros(N_MELS))
        self.floor_raw = nn.Parameter(torch.full((N_MELS,), -3.0))

    def forward(self, mel: Tensor, snr: Tensor) -> Tensor:
        """(B, T, 40), SNR (B, T, 40) -> (B, T, 40)."""
        gate = torch.sigmoid(torch.addcmul(self.b, self.w, snr))
        floor = torch.sigmoid(self.floor_raw)
        return mel * (gate * (1.0 - floor) + floor)


class TinyConv(nn.Module):
    """e + ReLU(3x3 convolution of e over band and time), initialised to nothing.

    The published kernel looks one frame ahead; ``causal`` takes the current frame for the next one.
    """

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, mel: Tensor) -> Tensor:
        """(B, T, 40) -> (B, T, 40)."""
        image = mel.transpose(1, 2).unsqueeze(1)
        weight = self.conv.weight
        if self.causal:
            past, now, ahead = weight.unbind(-1)
            weight = torch.stack((past, now + ahead), -1)
            out = F.conv2d(F.pad(image, (1, 0)), weight, self.conv.bias, padding=(1, 0))
        else:
            out = F.conv2d(image, weight, self.conv.bias, padding=1)
        return mel + F.relu(out).squeeze(1).transpose(1, 2)

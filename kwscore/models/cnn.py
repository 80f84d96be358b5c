"""Convolutional baselines on log-mel clips: DS-CNN-S, the reproduction's BC-ResNet, and the original BC-ResNet.

All look ahead in time, so they exist in the clip schedule only.

BC-ResNet: B. Kim et al., "Broadcasted residual learning for efficient keyword spotting", Interspeech 2021.
DS-CNN: Y. Zhang et al., "Hello Edge", 2017.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kwscore.constants import HOP, N_CLASSES, WINDOW
from kwscore.models.config import CnnConfig, Schedule
from kwscore.models.constants import LOG_EPS
from kwscore.models.melbank import mel_filterbank
from kwscore.models.spectrum import checked_waveform

SUB_BANDS = 5
"""Frequency groups of sub-spectral normalisation."""


class CnnBaseline(nn.Module, ABC):
    """Waveform (B, S) in [-1, 1] -> logits (B, 12) by a CNN on the log-mel image (B, 1, 40, T)."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        self.config = config
        self.card: dict[str, Any] | None = None
        self.register_buffer("mel_fb", torch.from_numpy(mel_filterbank()), persistent=False)

    @property
    def schedule(self) -> Schedule:
        """Always ``clip``."""
        return self.config.schedule

    def image(self, waveform: Tensor) -> Tensor:
        """(B, S) -> log-mel image (B, 1, 40, T), frames centred and reflected."""
        checked_waveform(waveform, WINDOW // 2 + 1)
        bank = self.get_buffer("mel_fb")
        window = torch.hann_window(self.config.window, dtype=bank.dtype, device=bank.device)
        spectrum = torch.stft(
            waveform.to(bank.dtype), WINDOW, HOP, self.config.window, window, center=True, return_complex=True
        )
        return torch.log(bank @ spectrum.abs() + LOG_EPS).unsqueeze(1)

    @abstractmethod
    def classify(self, image: Tensor) -> Tensor:
        """(B, 1, 40, T) -> logits (B, 12)."""

    def forward(self, waveform: Tensor) -> Tensor:
        return self.classify(self.image(waveform))

    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


class DsCnn(CnnBaseline):
    """Depthwise-separable CNN, size S."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        width = 64
        layers: list[nn.Module] = [nn.Conv2d(1, width, (10, 4), stride=2, padding=(5, 1))]
        for _ in range(4):
            layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, groups=width)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 1)]
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Linear(width, N_CLASSES)

    def classify(self, image: Tensor) -> Tensor:
        return self.classifier(self.features(image).mean((2, 3)))


class SubSpectralNorm(nn.Module):
    """Batch normalisation of each channel in each of five groups of rows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels * SUB_BANDS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, T) -> (B, C, F, T); F a multiple of 5."""
        batch, channels, rows, frames = x.shape
        grouped = x.reshape(batch, channels * SUB_BANDS, rows // SUB_BANDS, frames)
        return self.bn(grouped).reshape(x.shape)


class _ReproducedBlock(nn.Module):
    """Block of the reproduction: pointwise, depthwise in time, pointwise, broadcast of its own mean over rows."""

    def __init__(self, inside: int, outside: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.freq_conv1 = nn.Conv2d(inside, outside, 1)
        self.ssn1 = SubSpectralNorm(outside)
        self.temp_dw_conv = nn.Conv2d(
            outside, outside, (1, 3), (1, stride), (0, dilation), (1, dilation), groups=outside
        )
        self.ssn2 = SubSpectralNorm(outside)
        self.freq_conv2 = nn.Conv2d(outside, outside, 1)
        self.ssn3 = SubSpectralNorm(outside)
        self.skip: nn.Module = nn.Identity()
        if inside != outside or stride != 1:
            self.skip = nn.Sequential(nn.Conv2d(inside, outside, 1, (1, stride)), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.ssn1(self.freq_conv1(x)))
        y = F.relu(self.ssn2(self.temp_dw_conv(y)))
        y = self.ssn3(self.freq_conv2(y))
        return F.relu(y + y.mean(2, keepdim=True) + self.skip(x))


class ReproducedBcResNet(CnnBaseline):
    """BC-ResNet as the NanoMamba authors reproduced it, without frequency convolutions (7,464 parameters)."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        c = int(8 * config.width)
        self.conv1 = nn.Conv2d(1, c, 5, (2, 1), 2)
        self.bn1 = nn.BatchNorm2d(c)
        half, double, last = c * 3 // 2, 2 * c, c * 5 // 2
        self.stage1 = nn.Sequential(_ReproducedBlock(c, c, 1, 1), _ReproducedBlock(c, c, 1, 1))
        self.stage2 = nn.Sequential(_ReproducedBlock(c, half, 2, 1), _ReproducedBlock(half, half, 1, 2))
        self.stage3 = nn.Sequential(_ReproducedBlock(half, double, 2, 1), _ReproducedBlock(double, double, 1, 4))
        self.stage4 = nn.Sequential(_ReproducedBlock(double, last, 1, 1))
        self.head_conv = nn.Conv2d(last, last, 1)
        self.head_bn = nn.BatchNorm2d(last)
        self.classifier = nn.Linear(last, N_CLASSES)

    def classify(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        x = F.relu(self.head_bn(self.head_conv(x)))
        return self.classifier(x.mean((2, 3)))


class _BroadcastBlock(nn.Module):
    """Broadcasted residual block: a frequency-depthwise 2D part, and a time part on its mean over frequency."""

    def __init__(self, inside: int, outside: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.transition = inside != outside
        enter: list[nn.Module] = []
        if self.transition:
            enter = [nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
        self.frequency = nn.Sequential(
            *enter,
            nn.Conv2d(outside, outside, (3, 1), (stride, 1), (1, 0), groups=outside, bias=False),
            SubSpectralNorm(outside),
        )
        self.time = nn.Sequential(
            nn.Conv2d(outside, outside, (1, 3), 1, (0, dilation), (1, dilation), groups=outside, bias=False),
            nn.BatchNorm2d(outside),
            nn.SiLU(),
            nn.Conv2d(outside, outside, 1, bias=False),
            nn.Dropout2d(0.1),
        )

    def forward(self, x: Tensor) -> Tensor:
        plane = self.frequency(x)
        y = plane + self.time(plane.mean(2, keepdim=True))
        return F.relu(y if self.transition else y + x)


class BcResNet(CnnBaseline):
    """The original BC-ResNet of Kim et al.; ``width`` 1 has 9,232 parameters for 12 classes."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        c = int(8 * config.width)
        plan = [(c, 2, 1), (c * 3 // 2, 2, 2), (2 * c, 4, 2), (c * 5 // 2, 4, 1)]  # channels, blocks, stride
        inside = 2 * c
        self.stem = nn.Sequential(nn.Conv2d(1, inside, 5, (2, 1), 2, bias=False), nn.BatchNorm2d(inside), nn.ReLU())
        blocks: list[nn.Module] = []
        for stage, (outside, count, stride) in enumerate(plan):
            for index in range(count):
                blocks.append(_BroadcastBlock(inside, outside, stride if index == 0 else 1, 2**stage))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Conv2d(inside, inside, 5, 1, (0, 2), groups=inside, bias=False),
            nn.Conv2d(inside, 4 * c, 1, bias=False),
            nn.BatchNorm2d(4 * c),
            nn.ReLU(),
        )
        self.classifier = nn.Conv2d(4 * c, N_CLASSES, 1)

    def classify(self, image: Tensor) -> Tensor:
        x = self.head(self.blocks(self.stem(image)))
        return self.classifier(x.mean((2, 3), keepdim=True)).flatten(1)


_KINDS: dict[str, type[CnnBaseline]] = {
    "ds_cnn": DsCnn,
    "bc_resnet_reproduced": ReproducedBcResNet,
    "bc_resnet": BcResNet,
}


def make_cnn(config: CnnConfig) -> CnnBaseline:
    """An untrained baseline of a configuration."""
    return _KINDS[config.kind](config)

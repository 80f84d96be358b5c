"""What a convolutional baseline costs for one clip of a second, layer by layer. Counted from the shapes, without torch.

Convolutions and the classifier count one multiply-accumulate per weight and output; batch norm is folded into the
convolution before it, as every deployment does, and counts nothing. The front end counts as in ``cost``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kwscore.constants import CLIP_SAMPLES, HOP, N_CLASSES, N_FREQ, N_MELS
from kwscore.models.config import CnnConfig
from kwscore.models.cost import FFT_MACS, Cost, Stage, mel_nonzeros

FRAMES = CLIP_SAMPLES // HOP + 1
"""Frames of a clip, centred and reflected."""
_SUB_BANDS = 5


@dataclass(slots=True)
class _Counter:
    """Walks through a network: the image's ``rows`` x ``frames``, multiplications and parameters so far."""

    rows: int
    frames: int
    macs: int = 0
    parameters: int = 0

    def conv(
        self,
        inside: int,
        outside: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        """A convolution whose padding covers its dilation, so that only kernel 1 + 2 padding or less shrinks."""
        self.rows = (self.rows + 2 * padding[0] - kernel[0]) // stride[0] + 1
        self.frames = (self.frames + 2 * padding[1] - kernel[1]) // stride[1] + 1
        weights = outside * (inside // groups) * kernel[0] * kernel[1]
        self.macs += weights * self.rows * self.frames
        self.parameters += weights + outside * bias

    def norm(self, channels: int) -> None:
        """Scale and shift of a batch norm."""
        self.parameters += 2 * channels

    def linear(self, inside: int, outside: int) -> None:
        self.macs += inside * outside
        self.parameters += (inside + 1) * outside


def clip_stages(config: CnnConfig) -> list[Stage]:
    """The stages of one clip, in order: front end, stem, blocks, head."""
    spectrum = config.window + FFT_MACS + 2 * N_FREQ + mel_nonzeros()
    front = Stage("log-mel spectrogram", FRAMES * spectrum, FRAMES * (N_FREQ + N_MELS))
    return [front, *(Stage(name, macs, 0) for name, macs in _layers(config)[0])]


def baseline_cost(config: CnnConfig) -> Cost:
    """Count a baseline's parameters and work; its state is the second of samples that it looks at."""
    stages = clip_stages(config)
    return Cost(_layers(config)[1], None, None, sum(stage.macs for stage in stages), CLIP_SAMPLES)


def _layers(config: CnnConfig) -> tuple[list[tuple[str, int]], int]:
    count = _Counter(N_MELS, FRAMES)
    stages: list[tuple[str, int]] = []

    def done(name: str) -> None:
        stages.append((name, count.macs - sum(macs for _, macs in stages)))

    walk = {"ds_cnn": _ds_cnn, "bc_resnet_reproduced": _reproduced, "bc_resnet": _bc_resnet}[config.kind]
    walk(count, int(8 * config.width), done)
    return stages, count.parameters


def _ds_cnn(count: _Counter, _: int, done: Callable[[str], None]) -> None:
    width = 64
    count.conv(1, width, (10, 4), (2, 2), (5, 1))
    count.norm(width)
    done("convolution")
    for index in range(4):
        count.conv(width, width, (3, 3), padding=(1, 1), groups=width)
        count.norm(width)
        count.conv(width, width)
        count.norm(width)
        done(f"separable block {index + 1}")
    count.linear(width, N_CLASSES)
    done("classifier")


def _reproduced(count: _Counter, c: int, done: Callable[[str], None]) -> None:
    count.conv(1, c, (5, 5), (2, 1), (2, 2))
    count.norm(c)
    done("convolution")
    half, double, last = c * 3 // 2, 2 * c, c * 5 // 2
    plan = [
        (c, c, 1),
        (c, c, 1),
        (c, half, 2),
        (half, half, 1),
        (half, double, 2),
        (double, double, 1),
        (double, last, 1),
    ]
    for index, (inside, outside, stride) in enumerate(plan):
        before = count.frames
        count.conv(inside, outside)
        count.conv(outside, outside, (1, 3), (1, stride), (0, 1), groups=outside)
        count.conv(outside, outside)
        for _ in range(3):
            count.norm(_SUB_BANDS * outside)
        if inside != outside or stride != 1:
            after, count.frames = count.frames, before
            count.conv(inside, outside, stride=(1, stride))
            assert count.frames == after
            count.norm(outside)
        done(f"residual block {index + 1}")
    count.conv(last, last)
    count.norm(last)
    count.linear(last, N_CLASSES)
    done("head")


def _bc_resnet(count: _Counter, c: int, done: Callable[[str], None]) -> None:
    inside = 2 * c
    count.conv(1, inside, (5, 5), (2, 1), (2, 2), bias=False)
    count.norm(inside)
    done("convolution")
    index = 0
    for outside, blocks, first in ((c, 2, 1), (c * 3 // 2, 2, 2), (2 * c, 4, 2), (c * 5 // 2, 4, 1)):
        for block in range(blocks):
            index += 1
            if inside != outside:
                count.conv(inside, outside, bias=False)
                count.norm(outside)
            stride = first if block == 0 else 1
            count.conv(outside, outside, (3, 1), (stride, 1), (1, 0), groups=outside, bias=False)
            count.norm(_SUB_BANDS * outside)
            rows, count.rows = count.rows, 1  # the time part sees the mean over the rows
            count.conv(outside, outside, (1, 3), padding=(0, 1), groups=outside, bias=False)
            count.norm(outside)
            count.conv(outside, outside, bias=False)
            count.rows = rows
            inside = outside
            done(f"broadcast block {index}")
    count.conv(inside, inside, (5, 5), padding=(0, 2), groups=inside, bias=False)
    count.conv(inside, 4 * c, bias=False)
    count.norm(4 * c)
    count.rows = count.frames = 1  # pooled
    count.conv(4 * c, N_CLASSES)
    done("head")

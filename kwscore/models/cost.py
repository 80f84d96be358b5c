"""What a network costs: parameters, multiplies and function evaluations per hop, state. Counted, not measured.

Imports no torch. The convolutional baselines are in ``cost_cnn``. A multiply-accumulate (MAC) is one multiplication,
with its addition where there is one; a function evaluation is one exp, log, square root, division, tanh, sigmoid or
softplus. The FFT counts as radix-2 complex, four multiplications a butterfly; the mel filter bank by its non-zero
weights.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kwscore.constants import CLIP_FRAMES, CLIP_SAMPLES, HOP, N_CLASSES, N_FREQ, N_MELS, WINDOW
from kwscore.models.config import D_CONV, NetworkConfig
from kwscore.models.constants import SMOOTH_FRAMES
from kwscore.models.melbank import mel_filterbank

FFT_MACS = 4 * (WINDOW // 2) * (WINDOW.bit_length() - 1)
"""Multiplications of one 512-point FFT."""


@dataclass(frozen=True)
class Stage:
    """One step of the way from samples to logits: its multiplies and function evaluations in one hop."""

    name: str
    macs: int
    functions: int


def hop_stages(config: NetworkConfig) -> list[Stage]:
    """The stages of one hop, in order."""
    width, channels = config.d_model, config.d_inner
    experts = len(config.expert_names)
    stages = [
        Stage("window and FFT", WINDOW + FFT_MACS, 0),
        Stage("magnitude", 2 * N_FREQ, N_FREQ),
        Stage("noise floor", N_FREQ * (1 + config.running_floor), 0),
        Stage("SNR", mel_nonzeros() + N_MELS, N_FREQ + N_MELS),
        Stage("mel", mel_nonzeros(), 0),
    ]
    if config.lsg:
        stages.append(Stage("spectral gate", 3 * N_MELS, N_MELS))
    if config.tiny_conv:
        stages.append(Stage("3x3 convolution", 9 * N_MELS, 0))
    adaptive = config.frontend_version == 2
    if experts:
        # the logarithm of the mel magnitude is shared; each expert: log, exp, log, exp; adaptive: r', s', delta^r'
        stages.append(Stage("PCEN", experts * (3 + 3 * adaptive) * N_MELS, N_MELS * (1 + (4 + adaptive) * experts)))
    else:
        stages.append(Stage("log", 0, N_MELS))
    if experts > 1:
        # flatness, tilt and gates; blend of neighbouring experts; version 2: four smoothings, modulation, temperature
        smoothing = 4 * SMOOTH_FRAMES + 8 if adaptive else 0
        stages.append(Stage("routing", 8 + smoothing + (experts - 1) * N_MELS, 6 + 2 * adaptive + 4 * (experts - 1)))
    stages.append(Stage("normalisation", N_MELS * (4 if config.schedule == "stream" else 1), N_MELS))
    if config.nasg:
        stages.append(Stage("noise hint", 3, N_MELS + 3))
    stages.append(Stage("patch projection", N_MELS * width, 0))
    if config.ssm == "tcn":
        block = Stage("", 3 * width * (1 + channels) + (D_CONV + 3) * channels, 2 * channels + 1)
        stages += [dataclasses.replace(block, name=f"TCN block {index + 1}") for index in range(config.layers)]
    else:
        block = _ssm_block(config)
        stages += [dataclasses.replace(block, name=f"SA-SSM block {index + 1}") for index in range(config.layers)]
    stages.append(Stage("norm, pooling, classifier", (4 + N_CLASSES) * width, 1))
    return stages


def _ssm_block(config: NetworkConfig) -> Stage:
    width, channels, states = config.d_model, config.d_inner, config.d_state
    macs = (
        3 * width  # norm
        + 2 * width * channels  # in
        + D_CONV * channels
        + channels * (2 * states + 1)  # x_proj
        + N_MELS * (states + 1)  # snr_proj
        + channels  # dt_proj
        + 2 * states  # gate on B
        + 3 * channels  # SiLU twice, product
        + 4 * channels * states  # delta A, decay, input, output
        + 3 * channels  # delta u, eps u, D u
        + channels * width  # out
    )
    functions = channels * states + 3 * channels + states + 1
    if config.ssm in ("v2", "nc"):
        macs += 2  # floor lowered by the gate
        functions += N_MELS  # saturation
    if config.ssm == "nc":
        macs += 10 * states + 8  # sub-bands, trust, blends of dt, B and C, broadband score
        functions += states + 3
    if config.nasg:
        macs += channels + 2 * states
        functions += states + 1
    return Stage("SA-SSM", macs, functions)


@dataclass(frozen=True)
class Cost:
    """Totals of a network.

    ``macs_per_hop``/``functions_per_hop`` one frame through everything, None for a network that takes whole clips only;
    ``macs_per_clip`` all frames of a 1 s clip; ``state`` numbers that a stream carries from hop to hop (clip schedule:
    the samples of the window).
    """

    parameters: int
    macs_per_hop: int | None
    functions_per_hop: int | None
    macs_per_clip: int
    state: int

    @property
    def float_bytes(self) -> int:
        """Weights and state as 32-bit floats."""
        return 4 * (self.parameters + self.state)

    @property
    def int8_bytes(self) -> int:
        """Weights as 8-bit, state as 16-bit integers."""
        return self.parameters + 2 * self.state


def network_cost(config: NetworkConfig) -> Cost:
    """Count a network's parameters, work and state."""
    stages = hop_stages(config)
    macs = sum(stage.macs for stage in stages)
    frames = CLIP_FRAMES if config.schedule == "stream" else CLIP_SAMPLES // HOP + 1
    return Cost(
        parameters=parameter_count(config),
        macs_per_hop=macs,
        functions_per_hop=sum(stage.functions for stage in stages),
        macs_per_clip=macs * frames,
        state=_state(config),
    )


def parameter_count(config: NetworkConfig) -> int:
    """Trainable parameters, by the shapes."""
    width, channels, states = config.d_model, config.d_inner, config.d_state
    block = 2 * width + 3 * width * channels + (D_CONV + 1) * channels
    if config.ssm != "tcn":
        block += (
            channels * (2 * states + 1) + (N_MELS + 1) * (states + 1) + 2 * channels + channels * states + channels + 1
        )
    if config.ssm == "nc":
        block += 5 * states + 5
    if config.nasg:
        block += 4
    return (
        (4 if config.running_floor else 2)
        + 4 * N_MELS * len(config.expert_names)
        + max(len(config.expert_names) - 1, 0)
        + 3 * N_MELS * config.lsg
        + 10 * config.tiny_conv
        + 2 * config.nasg
        + (N_MELS + 1) * width
        + config.layers * block
        + 2 * width
        + (width + 1) * N_CLASSES
    )


def _state(config: NetworkConfig) -> int:
    if config.schedule == "clip":
        return CLIP_SAMPLES
    channels = config.d_inner
    anchor = 4 + 2  # last four magnitudes for the five-frame mean, current and previous minimum
    state = (
        WINDOW
        - HOP
        + N_FREQ * (anchor + config.running_floor)
        + N_MELS * len(config.expert_names)
        + 2 * N_MELS
        + (CLIP_FRAMES + 1) * config.d_model
    )
    if config.frontend_version == 2:
        state += 4 * (SMOOTH_FRAMES - 1) + 1  # smoothings, mean SNR
    state += config.nasg + N_MELS * config.tiny_conv
    if config.ssm == "tcn":
        return state + channels * (D_CONV - 1) * (2**config.layers - 1)
    per_block = channels * (D_CONV - 1 + config.d_state) + 2 * (config.d_state + 1) * (config.ssm == "nc")
    return state + config.layers * per_block


def mel_nonzeros() -> int:
    """Non-zero weights of the mel filter bank: its multiplications per frame."""
    return int(np.count_nonzero(mel_filterbank()))

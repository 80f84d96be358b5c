"""Makes networks by name."""

from __future__ import annotations

from typing import Any, Literal, overload

from kwscore.models.cnn import CnnBaseline, make_cnn
from kwscore.models.config import BASELINES, Schedule, baseline_config, network_config
from kwscore.models.network import NanoMamba

BaselineName = Literal[
    "DS-CNN-S", "BC-ResNet-1", "BC-ResNet-3", "BC-ResNet-2021-1", "BC-ResNet-2021-1.5", "BC-ResNet-2021-2",
    "BC-ResNet-2021-3", "BC-ResNet-2021-6", "BC-ResNet-2021-8",
]  # fmt: skip


@overload
def create_model(name: BaselineName, schedule: Schedule | None = None, **overrides: Any) -> CnnBaseline: ...


@overload
def create_model(name: str, schedule: Schedule | None = None, **overrides: Any) -> NanoMamba: ...


def create_model(name: str, schedule: Schedule | None = None, **overrides: Any) -> NanoMamba | CnnBaseline:
    """An untrained network; ``overrides`` replace fields of its ``NetworkConfig`` (``CnnConfig`` for a baseline).

    ``schedule``: "stream" (the default) or "clip"; the convolutional baselines have "clip" only. Draws its initial
    weights from torch's global generator. Raises KWScopeError for an unknown name or field.
    """
    if name in BASELINES:
        return make_cnn(baseline_config(name, schedule=schedule or "clip", **overrides))
    return NanoMamba(network_config(name, schedule=schedule or "stream", **overrides))

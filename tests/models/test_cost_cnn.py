"""The counted cost of the baselines against torch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kwscore.constants import CLIP_SAMPLES
from kwscore.models.cnn import make_cnn
from kwscore.models.config import BASELINES, baseline_config
from kwscore.models.cost_cnn import FRAMES, baseline_cost, clip_stages


@pytest.mark.parametrize("name", BASELINES)
def test_counts_equal_what_torch_computes(name: str) -> None:
    net = make_cnn(baseline_config(name)).eval()
    macs = 0

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.Conv2d):
            macs += out.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            macs += layer.weight.numel()

    for layer in net.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(1, CLIP_SAMPLES))
    stages = clip_stages(baseline_config(name))
    assert sum(stage.macs for stage in stages[1:]) == macs
    cost = baseline_cost(baseline_config(name))
    assert cost.parameters == net.parameter_count()
    assert cost.macs_per_hop is None
    assert cost.macs_per_clip == macs + stages[0].macs
    with torch.no_grad():
        assert net.image(torch.zeros(1, CLIP_SAMPLES)).shape[-1] == FRAMES

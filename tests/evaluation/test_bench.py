"""The bench measures things that do the same; speed itself is not asserted here."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from kwscore.errors import KWScopeError
from kwscore.evaluation.bench import run_bench
from kwscore.evaluation.torch_step import TorchStep
from kwscore.models.config import REGISTRY
from tests.stream.nets import random_net
from tests.stream.signals import varied

VERSION_1 = [n for n, c in REGISTRY.items() if c.ssm == "v1" and c.frontend_version == 1 and not c.tiny_conv]


@pytest.mark.parametrize("name", VERSION_1)
def test_torch_step_equals_the_network(name: str) -> None:
    net = random_net(name, seed=5)
    wave = torch.from_numpy(varied(2.0, seed=2).astype(np.float32) / 32768)
    with torch.no_grad():
        expected = net.frames(wave[None]).logits[0]
    step = TorchStep(net)
    logits, state = step.step(wave[:512], step.new_state())
    got = [logits]
    for i in range(512, len(wave) - 159, 160):
        logits, state = step.step(wave[i : i + 160], state)
        got.append(logits)
    assert len(got) == len(expected)
    assert (torch.stack(got) - expected).abs().max() < 2e-4


def test_bench_report() -> None:
    report = run_bench("NanoMamba-Tiny", hops=40)
    assert report["network"] == "NanoMamba-Tiny"
    assert report["parameters"] == 4634
    for part in ("engine", "torch_step", "torch_window"):
        assert 0 < report[part]["median_us"] <= report[part]["p99_us"]
    assert report["largest_logit_difference"] < 1e-3
    assert report["memory"]["engine_state_bytes"] < 40_000
    assert json.loads(json.dumps(report)) == report


def test_bench_refuses_nonsense() -> None:
    with pytest.raises(KWScopeError):
        run_bench("NanoMamba-Tiny", hops=0)
    with pytest.raises(KWScopeError):
        run_bench("NanoMamba-Huge")

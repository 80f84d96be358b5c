"""The counted cost of a network against torch's own count and a hand count of its arithmetic."""

from __future__ import annotations

import pytest

from kwscore.models.config import REGISTRY, network_config
from kwscore.models.cost import hop_stages, network_cost, parameter_count


@pytest.mark.parametrize("name", list(REGISTRY))
def test_parameters_equal_torch(name: str) -> None:
    from kwscore.models.registry import create_model

    assert parameter_count(network_config(name)) == create_model(name).parameter_count()


@pytest.mark.parametrize(("name", "published"), [("NanoMamba-Tiny", 4634), ("NanoMamba-Tiny-DualPCEN", 4957)])
def test_parameters_equal_the_published_counts(name: str, published: int) -> None:
    assert parameter_count(network_config(name)) == published


def test_block_work_equals_the_hand_count() -> None:
    """LN 48, in 768, conv 72, x_proj 216, snr_proj 200, dt 24, gates 8 + 72, scan 456, out 384."""
    stages = {stage.name: stage for stage in hop_stages(network_config("NanoMamba-Tiny-DualPCEN"))}
    assert stages["SA-SSM block 1"].macs == 48 + 768 + 72 + 216 + 200 + 24 + 8 + 72 + 456 + 384
    assert stages["SA-SSM block 1"].functions == 96 + 24 + 48 + 4 + 1
    assert stages["patch projection"].macs == 40 * 16
    assert stages["window and FFT"].macs == 512 + 4 * 2304


def test_totals_follow_the_schedule() -> None:
    stream, clip = (network_cost(network_config("NanoMamba-Tiny", schedule=s)) for s in ("stream", "clip"))
    assert stream.macs_per_hop == sum(stage.macs for stage in hop_stages(network_config("NanoMamba-Tiny")))
    assert stream.macs_per_hop is not None
    assert clip.macs_per_hop is not None
    assert stream.macs_per_clip == 97 * stream.macs_per_hop
    assert clip.macs_per_clip == 101 * clip.macs_per_hop
    assert stream.state < clip.state == 16_000
    assert stream.int8_bytes < stream.float_bytes

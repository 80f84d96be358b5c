"""Calibration profiles reach every block, and only its buffers."""

from __future__ import annotations

import pytest
import torch

import kwscore
from kwscore.errors import KWScopeError
from kwscore.models.calibration import (
    CALIBRATION,
    PROFILES,
    Kind,
    calibration_values,
    profile_for_snr,
    set_calibration,
    values_for_snr,
)


def _values(net: torch.nn.Module, block: int) -> list[float]:
    return [net.get_buffer(f"blocks.{block}.sa_ssm.{name}").item() for name in CALIBRATION]


@pytest.mark.parametrize(("name", "kind"), [("NanoMamba-Tiny", "v1"), ("NC-SSM", "v2")])
def test_profiles(name: str, kind: Kind) -> None:
    net = kwscore.create_model(name)
    assert _values(net, 0) == pytest.approx(PROFILES[kind]["default"])
    weights = {key: value.clone() for key, value in net.named_parameters()}
    for profile in ("clean", "light", "moderate", "extreme", "default"):
        set_calibration(net, profile)
        for block in range(net.config.layers):
            assert _values(net, block) == pytest.approx(PROFILES[kind][profile])
    set_calibration(net, (0.1, 0.2, 0.3, 0.4, 0.5))
    assert _values(net, 1) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    set_calibration(net, -5.0)
    assert _values(net, 1) == pytest.approx(values_for_snr(-5.0, kind))
    assert all(torch.equal(value, weights[key]) for key, value in net.named_parameters())


def test_continuous_profile_ends() -> None:
    assert values_for_snr(25.0, "v1") == values_for_snr(40.0, "v1") == (0.05, 0.15, 0.08, 0.2, 0.0)
    assert values_for_snr(-20.0, "v1") == (0.01, 0.15, 0.05, 0.35, 0.5)
    assert values_for_snr(-20.0, "v2") == (0.01, 0.15, 0.03, 0.4, 0.5)
    assert values_for_snr(2.5, "v2") == (0.02, 0.15, 0.04, 0.35, 0.25)


def test_named_profiles_by_snr() -> None:
    found = [profile_for_snr(snr) for snr in (25.0, 20.0, 19.9, 10.0, 0.0, -0.1, -20.0)]
    assert found == ["clean", "clean", "light", "light", "moderate", "extreme", "extreme"]
    assert calibration_values(5, "v1") == values_for_snr(5.0, "v1")


def test_refusals() -> None:
    net = kwscore.create_model("NanoMamba-Tiny")
    with pytest.raises(KWScopeError, match="no calibration profile 'loud'; there are: default, clean"):
        set_calibration(net, "loud")
    with pytest.raises(KWScopeError, match="five finite numbers"):
        set_calibration(net, (0.1, 0.2))
    with pytest.raises(KWScopeError, match="five finite numbers"):
        set_calibration(net, float("nan"))
    with pytest.raises(KWScopeError, match="no state-space model"):
        set_calibration(kwscore.create_model("NC-TCN-20K"), "clean")

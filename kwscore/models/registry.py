"""Makes networks by name."""

from __future__ import annotations

from typing import Any

from kwscore.models.config import NetworkConfig, Schedule, network_config
from kwscore.models.network import NanoMamba


def network_from_config(config: NetworkConfig) -> NanoMamba:
    """An untrained network of a configuration."""
    return NanoMamba(config)


def create_model(name: str, schedule: Schedule = "stream", **overrides: Any) -> NanoMamba:
    """An untrained network; ``overrides`` replace fields of its ``NetworkConfig``.

    Draws its initial weights from torch's global generator. Raises KWScopeError for an unknown name or field.
    """
    return network_from_config(network_config(name, schedule=schedule, **overrides))

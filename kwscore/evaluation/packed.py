"""Networks as plain bytes, so that any process or machine computes with the same weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import (
    find_checkpoint,
    load_baseline,
    load_model,
    model_hash,
    read_config,
)
from kwscore.models.config import CnnConfig, NetworkConfig, config_from_dict

if TYPE_CHECKING:
    from kwscore.models.cnn import CnnBaseline
    from kwscore.models.network import NanoMamba


@dataclass(frozen=True, slots=True)
class PackedNetwork:
    """``config`` as JSON, ``weights`` in the safetensors format, ``card`` what the checkpoint says of itself."""

    name: str
    config: str
    weights: bytes
    model_hash: str
    card: dict[str, Any] = field(compare=False)

    @property
    def schedule(self) -> str:
        return str(json.loads(self.config)["schedule"])

    @property
    def parameters(self) -> int | None:
        return self.card.get("parameters")

    def open(self) -> NanoMamba | CnnBaseline:
        """The torch network in evaluation mode."""
        import torch
        from safetensors.numpy import load

        from kwscore.models.checkpoint import load_strictly
        from kwscore.models.cnn import make_cnn
        from kwscore.models.network import NanoMamba

        config = config_from_dict(json.loads(self.config))
        net = NanoMamba(config) if isinstance(config, NetworkConfig) else make_cnn(config)
        load_strictly(net, {k: torch.from_numpy(v.copy()) for k, v in load(self.weights).items()}, self.name)
        return net.eval()


def pack(net: NanoMamba | CnnBaseline, name: str | None = None) -> PackedNetwork:
    """``net`` under ``name`` (default: its own)."""
    from safetensors.numpy import save

    arrays = {k: np.asarray(v.detach().cpu().numpy(), np.float32) for k, v in net.state_dict().items()}
    config = json.dumps(net.config.to_dict(), sort_keys=True)
    card = {"parameters": net.parameter_count(), **(getattr(net, "card", None) or {})}
    return PackedNetwork(name or net.config.name, config, save(arrays), model_hash(arrays), card)


def load_packed(spec: str) -> PackedNetwork:
    """A network by shipped name, by path of a checkpoint, or NAME=FILE.pt for a published file.

    Raises KWScopeError for what is missing, damaged or of another network.
    """
    name, _, file = spec.partition("=")
    if file:
        from kwscore.models.published import load_published

        return pack(load_published(file, name), f"{name} (published)")
    if Path(spec).suffix in (".pt", ".pth"):
        raise KWScopeError(f"{spec} is a published file: say which network it is, for instance NC-SSM={spec}.")
    path = find_checkpoint(spec)
    net = load_baseline(path) if isinstance(read_config(path), CnnConfig) else load_model(path)
    return pack(net, path.stem)


def load_all(specs: Sequence[str]) -> list[PackedNetwork]:
    """Networks as ``load_packed`` takes them. Other weights of a name have their hash behind it.

    Raises KWScopeError for weights that are named twice.
    """
    networks = [load_packed(spec) for spec in specs]
    seen = [(network.name, network.model_hash) for network in networks]
    for name, digest in seen:
        if seen.count((name, digest)) > 1:
            raise KWScopeError(f"{name} ({digest}) is named twice: name each network once.")
    names = [network.name for network in networks]
    return [n if names.count(n.name) == 1 else replace(n, name=f"{n.name} ({n.model_hash})") for n in networks]

"""Opens the published weights, recognising what each generation of files was trained as.

Files saved before 27 February 2026 lack the five calibration buffers of every block, and some have others instead.
Today's published code loads them loosely and inserts floors that they never saw; here they get the constants they
were trained with, or are refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import pickle
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kwscore.errors import KWScopeError
from kwscore.models.calibration import CALIBRATION
from kwscore.models.checkpoint import load_strictly, model_hash
from kwscore.models.cnn import CnnBaseline
from kwscore.models.config import ALIASES, BASELINES, REGISTRY, NetworkConfig
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model

State = dict[str, Tensor]
_BLOCK = re.compile(r"blocks\.(\d+)\.sa_ssm\.(.+)")
_ZERO = torch.tensor(0.0)


@dataclass(frozen=True)
class Generation:
    """Files that have the tensors ``instead`` (names within a block) where later ones have the calibration buffers."""

    name: str
    instead: frozenset[str]
    calibration: Callable[[State], tuple[Tensor, ...]]


def _learned_floors(old: State) -> tuple[Tensor, ...]:
    delta, epsilon = F.softplus(old["log_delta_floor"]), F.softplus(old["log_epsilon"])
    return delta, delta, epsilon, epsilon, old["gate_floor"]


GENERATIONS = (
    Generation("without floors (before 27 February 2026)", frozenset(), lambda old: (_ZERO,) * 5),
    Generation("learned gate floor", frozenset({"gate_floor"}), lambda old: (*(_ZERO,) * 4, old["gate_floor"])),
    Generation(
        "learned gate, step and input floors",
        frozenset({"gate_floor", "log_delta_floor", "log_epsilon"}),
        _learned_floors,
    ),
    Generation(
        "fixed step floor and input residual",
        frozenset({"delta_floor", "epsilon"}),
        lambda old: (old["delta_floor"], old["delta_floor"], old["epsilon"], old["epsilon"], _ZERO),
    ),
)
CURRENT = "calibration buffers in the file (since 27 February 2026)"
_NARROW_DELTA = (0.001, 0.1)  # how the fixed-floor generation clipped the non-stationary expert's delta


def load_published(path: str | Path, name: str) -> NanoMamba | CnnBaseline:
    """A published network in the clip schedule, as it was trained, in evaluation mode.

    ``path`` a published ``.pt`` file, ``name`` the network in it. Only tensors are read, never code. ``net.card`` has
    ``generation``, ``model_hash``, ``sha256`` and what the file says of itself (``epoch``, ``val_acc`` ...).
    Raises KWScopeError for a file that is missing, damaged or of another network, saying which tensors are missing
    or unknown.
    """
    path = Path(path)
    content = _read(path)
    state = content.get("model_state_dict", content.get("state_dict", content))
    if not isinstance(state, dict) or not state or not all(map(_is_tensor, state.items())):
        raise KWScopeError(f"{path} has no tensors of a network (model_state_dict).")
    if odd := next((key for key, value in state.items() if not _is_plain(value)), None):
        raise KWScopeError(f"{path} holds {odd} as {state[odd].dtype}; published weights are dense 32-bit floats.")
    stated = content.get("model_name")
    known = {*REGISTRY, *BASELINES}
    if isinstance(stated, str) and ALIASES.get(stated, stated) in known - {ALIASES.get(name, name)}:
        raise KWScopeError(f"{path} says that it holds {stated}, not {name}.")
    net, generation = _build({key: value.detach().float() for key, value in state.items()}, name, str(path))
    for key, value in net.state_dict().items():
        if not torch.isfinite(value).all():
            raise KWScopeError(f"{path} is damaged: {key} holds NaN or infinity.")
    arrays = {key: value.numpy() for key, value in net.state_dict().items()}
    told = {key: value for key, value in content.items() if isinstance(key, str) and _said(value)}
    net.card = {
        **told,
        "network": net.config.name,
        "schedule": "clip",
        "published": True,
        "generation": generation,
        "parameters": net.parameter_count(),
        "model_hash": model_hash(arrays),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return net.eval()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise KWScopeError(f"There is no published file {path}: download it from the authors' repository.")
    try:
        content = load_tensors(path)
    except pickle.UnpicklingError:
        # torch's own sentence says how to run the code in the file all the same: not to be passed on
        reason = "it is damaged, or holds more than tensors, which is never run"
    except OSError as error:
        reason = error.strerror or str(error)
    except Exception as error:  # damage shows as any exception
        reason = f"it is damaged: {(str(error) or type(error).__name__).splitlines()[0].split('. ')[0]}"
    else:
        reason = ""
    if reason:
        raise KWScopeError(f"{path} cannot be read as published weights ({reason}): download it again.")
    if not isinstance(content, dict):
        raise KWScopeError(f"{path} holds a {type(content).__name__}, not the weights of a network.")
    return content


def load_tensors(path: Path) -> Any:
    """What ``torch.save`` wrote, tensors and plain values only. Raises whatever torch raises where it is damaged."""
    if zipfile.is_zipfile(path):  # torch itself does not look at the checksums
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {damaged} is wrong")
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _is_plain(value: Tensor) -> bool:
    """Whether it is dense and of 32-bit floats, or a counter."""
    kind = value.dtype == torch.float32 or (value.dtype == torch.int64 and value.numel() == 1)
    return kind and value.layout == torch.strided and value.device.type == "cpu"


def _said(value: Any) -> bool:
    """Whether a card can hold it."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _build(state: State, name: str, where: str) -> tuple[NanoMamba | CnnBaseline, str]:
    net = create_model(name, schedule="clip")
    if isinstance(net, CnnBaseline):
        # one of the two published programs has the last stage without a list around it
        state = {re.sub(r"^stage4\.(?!0\.)", "stage4.0.", key): value for key, value in state.items()}
        load_strictly(net, state, where)
        return net, CURRENT
    if net.config.tiny_conv:
        state = _tiny_conv_renamed(state)
    generation = None if net.config.ssm == "tcn" else _generation(net, state)
    if generation is None:
        load_strictly(net, state, where)
        return net, CURRENT
    config = _as_trained(net.config, generation)
    net = NanoMamba(config)
    load_strictly(net, _calibrated(state, generation, config.layers, where), where)
    return net, generation.name


def _generation(net: NanoMamba, state: State) -> Generation | None:
    """The old generation of a file, or None for a current (or unrecognised) one."""
    wanted = {m[2] for key in net.state_dict() if (m := _BLOCK.fullmatch(key))}
    inside = [
        {m[2] for key in state if (m := _BLOCK.fullmatch(key)) and int(m[1]) == block}
        for block in range(net.config.layers)
    ]
    for generation in GENERATIONS:
        if all(found == (wanted - set(CALIBRATION)) | generation.instead for found in inside):
            return generation
    return None


def _calibrated(state: State, generation: Generation, layers: int, where: str) -> State:
    state = dict(state)
    for block in range(layers):
        prefix = f"blocks.{block}.sa_ssm."
        old = {key: state.pop(prefix + key) for key in sorted(generation.instead)}
        for key, value in old.items():
            if value.numel() != 1:
                raise KWScopeError(f"{where} has {prefix}{key} of shape {tuple(value.shape)}; one number was expected.")
        values = generation.calibration({key: value.reshape(()) for key, value in old.items()})
        state |= {prefix + key: value.clone() for key, value in zip(CALIBRATION, values, strict=True)}
    return state


def _as_trained(config: NetworkConfig, generation: Generation) -> NetworkConfig:
    if config.frontend == "dual" and generation.instead == {"delta_floor", "epsilon"}:
        return dataclasses.replace(config, tilt=False, nonstationary_delta=_NARROW_DELTA)
    return config


def _tiny_conv_renamed(state: State) -> State:
    """The one 3x3 convolution under our name, whatever the file calls it."""
    prefixes = [key.removesuffix("weight") for key, value in state.items() if value.shape == (1, 1, 3, 3)]
    if len(prefixes) != 1:
        return state
    return {
        "tiny_conv.conv." + key.removeprefix(prefixes[0]) if key.startswith(prefixes[0]) else key: value
        for key, value in state.items()
    }

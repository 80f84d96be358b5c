"""Names and shapes of the networks. Imports no torch, so that the window and the stream engines can read them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

from kwscore.constants import WINDOW
from kwscore.errors import KWScopeError

Frontend = Literal["log", "pcen", "dual", "tri"]
Schedule = Literal["clip", "stream"]
Mode = Literal["full", "dt_only", "b_only", "standard"]
SsmKind = Literal["v1", "v2", "nc", "tcn"]

DEFAULT_NETWORK = "NanoMamba-Tiny-DualPCEN"
"""What runs and is trained when nothing else is named."""
D_CONV = 3
"""Taps of the causal depthwise convolution."""
EXPERT_NAMES: dict[str, tuple[str, ...]] = {
    "log": (),
    "pcen": ("stationary",),
    "dual": ("non-stationary", "stationary"),
    "tri": ("non-stationary", "stationary", "coloured"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "frontend": ("log", "pcen", "dual", "tri"),
    "ssm": ("v1", "v2", "nc", "tcn"),
    "mode": ("full", "dt_only", "b_only", "standard"),
    "schedule": ("clip", "stream"),
}


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that shapes one NanoMamba network; weights apart.

    ``frontend_version`` 1 or 2 (smoothed routing, SNR-adaptive PCEN); ``lsg`` spectral gate on the mel magnitudes;
    ``tiny_conv`` 3x3 convolution on them; ``nasg`` clip-level noise hint; ``mode`` ablation of the SNR modulation.
    ``norm_prior`` frames the corpus statistics are worth and ``norm_horizon`` frames of the exponential window
    (stream schedule). ``tilt`` and ``nonstationary_delta`` describe old published generations.
    """

    name: str
    d_model: int
    d_state: int
    layers: int = 2
    frontend: Frontend = "dual"
    frontend_version: int = 1
    ssm: SsmKind = "v1"
    lsg: bool = False
    tiny_conv: bool = False
    nasg: bool = False
    mode: Mode = "full"
    schedule: Schedule = "stream"
    norm_prior: int = 200
    norm_horizon: int = 400
    tilt: bool = True
    nonstationary_delta: tuple[float, float] = (0.5, 5.0)

    def __post_init__(self) -> None:
        for field, allowed in _CHOICES.items():
            value = getattr(self, field)
            if value not in allowed:
                raise KWScopeError(f"{field}={value!r} of {self.name} is not possible: use {', '.join(allowed)}.")
        if self.frontend_version not in (1, 2):
            raise KWScopeError(f"frontend_version={self.frontend_version} of {self.name} must be 1 or 2.")
        for field, least in (("d_model", 2), ("d_state", 1), ("layers", 1), ("norm_prior", 0), ("norm_horizon", 2)):
            value = getattr(self, field)
            if not isinstance(value, int) or value < least:
                raise KWScopeError(f"{field}={value!r} of {self.name} must be a whole number of at least {least}.")
        if self.nasg and self.ssm != "nc":
            raise KWScopeError(f"nasg of {self.name} needs ssm='nc'.")
        object.__setattr__(self, "nonstationary_delta", tuple(self.nonstationary_delta))

    @property
    def d_inner(self) -> int:
        """Channels D of the SSM: floor(1.5 d_model)."""
        return self.d_model * 3 // 2

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the PCEN experts, in the order of the routing weights; empty for the log front end."""
        return EXPERT_NAMES[self.frontend]

    @property
    def running_floor(self) -> bool:
        """Whether the noise floor follows the signal (every front end but log)."""
        return self.frontend != "log"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class CnnConfig:
    """A convolutional baseline: ``kind`` ds_cnn, bc_resnet_reproduced or bc_resnet; ``width`` multiplies the channels
    (fixed for ds_cnn); ``window`` Hann samples of its log-mel features."""

    name: str
    kind: Literal["ds_cnn", "bc_resnet_reproduced", "bc_resnet"]
    width: float = 1
    window: int = 400
    schedule: Schedule = "clip"

    def __post_init__(self) -> None:
        if self.schedule != "clip":
            raise KWScopeError(f"{self.name} looks ahead in time: it exists in the clip schedule only.")
        if not 1 <= self.window <= WINDOW or self.width <= 0:
            raise KWScopeError(f"{self.name} needs a window of 1 to {WINDOW} samples and a positive width.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return dataclasses.asdict(self)


def _family() -> dict[str, NetworkConfig]:
    sizes: dict[str, dict[str, Any]] = {
        "NanoMamba-Tiny": {"d_model": 16, "d_state": 4},
        "NanoMamba-Small": {"d_model": 24, "d_state": 4, "layers": 3},
        "NanoMamba-Matched-Dual": {"d_model": 21, "d_state": 5},
        "NanoMamba-Matched-Tri": {"d_model": 20, "d_state": 6},
    }
    tiny = sizes["NanoMamba-Tiny"]
    noise_conditioned: dict[str, Any] = {"frontend": "dual", "frontend_version": 2, "ssm": "nc", "lsg": True}
    configs = [
        NetworkConfig("NanoMamba-Tiny", **tiny, frontend="log"),
        NetworkConfig("NanoMamba-Small", **sizes["NanoMamba-Small"], frontend="log"),
        NetworkConfig("NanoMamba-Tiny-TC", **tiny, frontend="log", tiny_conv=True),
        NetworkConfig("NanoMamba-Tiny-PCEN", **tiny, frontend="pcen"),
    ]
    for version, ssm, suffix in ((1, "v1", ""), (2, "v1", "-v2"), (2, "v2", "-v2-SSMv2")):
        shared: dict[str, Any] = {"frontend_version": version, "ssm": ssm}
        for size in ("Tiny", "Matched"):
            for kind in ("Dual", "Tri"):
                shape = tiny if size == "Tiny" else sizes[f"NanoMamba-Matched-{kind}"]
                frontend: Any = kind.lower()
                name = f"NanoMamba-{size}-{kind}PCEN{suffix}"
                configs.append(NetworkConfig(name, **shape, frontend=frontend, **shared))
    for name, d_model, d_state in (
        ("NC-SSM", 20, 6),
        ("NanoMamba-NC-Large", 24, 8),
        ("NanoMamba-NC-12K", 28, 8),
        ("NanoMamba-NC-15K", 32, 9),
        ("NanoMamba-NC-20K", 37, 10),
    ):
        configs.append(NetworkConfig(name, d_model, d_state, **noise_conditioned))
    configs.append(NetworkConfig("NanoMamba-NC-Large-NASG", 24, 8, **noise_conditioned, nasg=True))
    configs.append(NetworkConfig("NC-TCN-20K", 37, 1, layers=3, **{**noise_conditioned, "ssm": "tcn"}))
    return {config.name: config for config in configs}


def _baselines() -> dict[str, CnnConfig]:
    configs = [
        CnnConfig("DS-CNN-S", "ds_cnn"),
        CnnConfig("BC-ResNet-1", "bc_resnet_reproduced", 1),
        CnnConfig("BC-ResNet-3", "bc_resnet_reproduced", 3),
    ]
    configs += [CnnConfig(f"BC-ResNet-2021-{w:g}", "bc_resnet", w, window=480) for w in (1, 1.5, 2, 3, 6, 8)]
    return {config.name: config for config in configs}


REGISTRY: dict[str, NetworkConfig] = _family()
"""Every NanoMamba network by name."""
BASELINES: dict[str, CnnConfig] = _baselines()
"""The convolutional baselines by name; ``BC-ResNet-2021-*`` is the original of Kim et al. at its published widths."""
ALIASES = {
    "NanoMamba-NC-Matched": "NC-SSM",
    "NC-Large": "NanoMamba-NC-Large",
    "NC-Large-NASG": "NanoMamba-NC-Large-NASG",
    "NC-12K": "NanoMamba-NC-12K",
    "NC-15K": "NanoMamba-NC-15K",
    "NC-20K": "NanoMamba-NC-20K",
    "NC-SSM-Large": "NanoMamba-NC-Large",
    "NC-SSM-15K": "NanoMamba-NC-15K",
    "NC-SSM-20K": "NanoMamba-NC-20K",
    "Tiny-TC": "NanoMamba-Tiny-TC",
}
"""Other published names of the same networks."""


def network_config(name: str, **overrides: Any) -> NetworkConfig:
    """The configuration registered as ``name``, with fields replaced by ``overrides``.

    Raises KWScopeError for an unknown name or field.
    """
    name = ALIASES.get(name, name)
    if name not in REGISTRY:
        if name in BASELINES:
            raise KWScopeError(f"{name} is a convolutional baseline: it has no stream schedule and no engine.")
        near = get_close_matches(name, [*REGISTRY, *BASELINES], n=3, cutoff=0.6)
        raise KWScopeError(
            f"There is no network named {name!r}; did you mean {' or '.join(near)}?"
            if near
            else f"There is no network named {name!r}: `kwscope models` lists them."
        )
    return _changed(REGISTRY[name], overrides)


_Config = TypeVar("_Config", NetworkConfig, CnnConfig)


def baseline_config(name: str, **overrides: Any) -> CnnConfig:
    """The configuration of the convolutional baseline ``name``, with fields replaced by ``overrides``."""
    if name not in BASELINES:
        raise KWScopeError(f"There is no baseline named {name!r}; there are: {', '.join(BASELINES)}.")
    return _changed(BASELINES[name], overrides)


def _changed(config: _Config, overrides: dict[str, Any]) -> _Config:
    try:
        return dataclasses.replace(config, **overrides)
    except TypeError as error:
        raise KWScopeError(f"{config.name} cannot be changed so: {error}.") from error


def config_from_dict(values: dict[str, Any]) -> NetworkConfig | CnnConfig:
    """Inverse of ``to_dict``; refuses unknown or missing fields with KWScopeError."""
    kind = CnnConfig if "kind" in values else NetworkConfig
    unknown = sorted(set(values) - {field.name for field in dataclasses.fields(kind)})
    if unknown:
        raise KWScopeError(f"The network description has unknown fields: {', '.join(unknown)}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise KWScopeError(f"The network description is incomplete: {error}.") from error

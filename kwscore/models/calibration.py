"""Runtime calibration: the published noise profiles that set the floors of every SSM block.

The five constants are buffers, never parameters; in a torch network they persist and are saved with the weights. Which
noise there is the caller says here, as in the published evaluation; ``kwscore.stream.calibrator`` measures it.
Imports no torch until a torch network is calibrated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from kwscore.errors import KWScopeError
from kwscore.models.config import NetworkConfig

if TYPE_CHECKING:
    from kwscore.models.network import NanoMamba

Values = tuple[float, float, float, float, float]
Kind = Literal["v1", "v2"]

CALIBRATION = ("delta_floor_min", "delta_floor_max", "epsilon_min", "epsilon_max", "bgate_floor")
"""Names of the five constants, in the order of ``Values``: buffers of every block."""

PROFILES: dict[Kind, dict[str, Values]] = {
    "v1": {
        "default": (0.05, 0.15, 0.08, 0.20, 0.3),
        "clean": (0.15, 0.15, 0.08, 0.08, 0.0),
        "light": (0.08, 0.15, 0.08, 0.15, 0.2),
        "moderate": (0.05, 0.15, 0.10, 0.20, 0.3),
        "extreme": (0.02, 0.15, 0.15, 0.30, 0.5),
    },
    "v2": {
        "default": (0.03, 0.15, 0.05, 0.30, 0.2),
        "clean": (0.15, 0.15, 0.05, 0.05, 0.0),
        "light": (0.06, 0.15, 0.05, 0.15, 0.1),
        "moderate": (0.03, 0.15, 0.08, 0.25, 0.2),
        "extreme": (0.01, 0.15, 0.10, 0.35, 0.5),
    },
}
"""Named profiles of SA-SSM v1, and of v2 and NC."""
DEFAULT_CALIBRATION: dict[Kind, Values] = {kind: profiles["default"] for kind, profiles in PROFILES.items()}
PROFILE_FROM_DB = (("clean", 20.0), ("light", 10.0), ("moderate", 0.0), ("extreme", -math.inf))
"""The SNR in dB from which each profile is meant."""
SNR_RANGE_DB = (-20.0, 25.0)
"""Where the continuous law ends; clean speech counts as its upper end."""


def kind_of(config: NetworkConfig) -> Kind:
    """Whose profiles a network follows. Raises KWScopeError where it has no state-space model."""
    if config.ssm == "tcn":
        raise KWScopeError(f"{config.name} has no state-space model: there is nothing to calibrate.")
    return "v1" if config.ssm == "v1" else "v2"


def profile_for_snr(snr_db: float) -> str:
    """The named profile that is meant for an SNR in dB."""
    return next(name for name, least in PROFILE_FROM_DB if snr_db >= least)


def values_for_snr(snr_db: float, kind: Kind) -> Values:
    """The continuous profile for a mixing SNR in dB; ``kind`` v1, or v2 for v2 and NC. Clean speech counts as 25 dB."""
    low, high = SNR_RANGE_DB
    tau = min(max((snr_db - low) / (high - low), 0.0), 1.0)
    if kind == "v1":
        values = (0.01 + 0.04 * tau, 0.15, 0.05 + 0.03 * tau, 0.35 - 0.15 * tau, 0.5 * (1.0 - tau))
    else:
        values = (0.01 + 0.02 * tau, 0.15, 0.03 + 0.02 * tau, 0.40 - 0.10 * tau, 0.5 * (1.0 - tau))
    a, b, c, d, e = (round(value, 4) for value in values)
    return a, b, c, d, e


def calibration_values(profile: str | float | Sequence[float], kind: Kind) -> Values:
    """The five constants of a profile's name, of an SNR in dB, or as given.

    Raises KWScopeError for an unknown profile, or what is not five finite numbers.
    """
    if isinstance(profile, str):
        if profile not in PROFILES[kind]:
            raise KWScopeError(f"There is no calibration profile {profile!r}; there are: {', '.join(PROFILES[kind])}.")
        return PROFILES[kind][profile]
    if isinstance(profile, int | float) and math.isfinite(profile):
        return values_for_snr(profile, kind)
    given = tuple(float(value) for value in profile) if isinstance(profile, Sequence) else ()
    if len(given) != len(CALIBRATION) or not all(map(math.isfinite, given)):
        raise KWScopeError(f"A calibration has five finite numbers ({', '.join(CALIBRATION)}), not {profile}.")
    a, b, c, d, e = given
    return a, b, c, d, e


def set_calibration(net: NanoMamba, profile: str | float | Sequence[float]) -> None:
    """Set the constants of every block: a profile's name, an SNR in dB, or the five numbers themselves.

    Raises KWScopeError for an unknown profile, not five finite numbers, or a network without SSM.
    """
    import torch

    values = calibration_values(profile, kind_of(net.config))
    with torch.no_grad():
        for block in net.blocks:
            for name, value in zip(CALIBRATION, values, strict=True):
                block.get_buffer(f"sa_ssm.{name}").fill_(value)

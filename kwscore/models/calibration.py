"""Runtime calibration: the published noise profiles that set the floors of every block.

Nothing is measured here: the caller says which noise there is, as in the published evaluation. Profiles overwrite
buffers, never parameters; they persist and are saved with the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kwscore.errors import KWScopeError
from kwscore.models.network import NanoMamba
from kwscore.models.ssm import CALIBRATION, DEFAULT_CALIBRATION, SaSsm, SaSsmV2

Values = tuple[float, float, float, float, float]
"""delta_floor_min, delta_floor_max, epsilon_min, epsilon_max, bgate_floor."""

PROFILES: dict[str, dict[str, Values]] = {
    "v1": {
        "default": DEFAULT_CALIBRATION["v1"],
        "clean": (0.15, 0.15, 0.08, 0.08, 0.0),
        "light": (0.08, 0.15, 0.08, 0.15, 0.2),
        "moderate": (0.05, 0.15, 0.10, 0.20, 0.3),
        "extreme": (0.02, 0.15, 0.15, 0.30, 0.5),
    },
    "v2": {
        "default": DEFAULT_CALIBRATION["v2"],
        "clean": (0.15, 0.15, 0.05, 0.05, 0.0),
        "light": (0.06, 0.15, 0.05, 0.15, 0.1),
        "moderate": (0.03, 0.15, 0.08, 0.25, 0.2),
        "extreme": (0.01, 0.15, 0.10, 0.35, 0.5),
    },
}
"""Named profiles of SA-SSM v1, and of v2 and NC; clean from 20 dB, light from 10, moderate from 0, extreme below."""


def values_for_snr(snr_db: float, kind: str) -> Values:
    """The continuous profile for a mixing SNR in dB; ``kind`` v1, or v2 for v2 and NC. Clean speech counts as 25 dB."""
    tau = min(max((snr_db + 20.0) / 45.0, 0.0), 1.0)
    if kind == "v1":
        values = (0.01 + 0.04 * tau, 0.15, 0.05 + 0.03 * tau, 0.35 - 0.15 * tau, 0.5 * (1.0 - tau))
    else:
        values = (0.01 + 0.02 * tau, 0.15, 0.03 + 0.02 * tau, 0.40 - 0.10 * tau, 0.5 * (1.0 - tau))
    a, b, c, d, e = (round(value, 4) for value in values)
    return a, b, c, d, e


@torch.no_grad()
def set_calibration(net: NanoMamba, profile: str | float | Sequence[float]) -> None:
    """Set the floors of every block: a profile's name, an SNR in dB, or the five numbers themselves.

    Raises KWScopeError for an unknown profile, not five finite numbers, or a network without SSM.
    """
    blocks = [module for module in net.modules() if isinstance(module, SaSsm)]
    if not blocks:
        raise KWScopeError(f"{net.config.name} has no state-space model: there is nothing to calibrate.")
    for block in blocks:
        kind = "v2" if isinstance(block, SaSsmV2) else "v1"
        if isinstance(profile, str):
            if profile not in PROFILES[kind]:
                raise KWScopeError(
                    f"There is no calibration profile {profile!r}; there are: {', '.join(PROFILES[kind])}."
                )
            values: Sequence[float] = PROFILES[kind][profile]
        elif isinstance(profile, int | float):
            values = values_for_snr(profile, kind)
        else:
            values = profile
        if len(values) != len(CALIBRATION) or not torch.isfinite(torch.tensor(values)).all():
            raise KWScopeError(f"A calibration has five finite numbers ({', '.join(CALIBRATION)}), not {values}.")
        for name, value in zip(CALIBRATION, values, strict=True):
            block.get_buffer(name).fill_(value)

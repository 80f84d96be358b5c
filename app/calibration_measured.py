"""What calibration was measured to do, for the caption beside it; the figures are those of docs/calibration.md."""

from __future__ import annotations

from dataclasses import dataclass

from kwscore.stream.calibrator import Law


@dataclass(frozen=True, slots=True)
class Change:
    """Points of accuracy gained over the network's own constants, and McNemar's ``p`` as it is printed."""

    points: float
    p: str


@dataclass(frozen=True, slots=True)
class Effect:
    """Accuracy in per cent over ``answers`` in noise at 0 dB with the network's ``own`` constants, and what became of
    it: by the ``law`` as the window applies it, by named ``profile``, and by the law with the ``true`` SNR; ``quiet``:
    by the law where the noise lies 30 dB below."""

    network: str
    answers: int
    own: float
    law: Change
    profile: Change
    true: Change
    quiet: float


EFFECTS = {
    "f391172e536a": Effect(
        "NanoMamba-Tiny-DualPCEN", 4505, 82.553, Change(-3.640, "2e-21"), Change(-5.505, "4e-37"),
        Change(-0.377, "0.17"), -8.546,
    ),
    "f6f6d9d8acc0": Effect(
        "NanoMamba-Matched-DualPCEN-v2-SSMv2", 4505, 84.772, Change(-0.111, "0.58"), Change(-0.710, "0.0024"),
        Change(-0.333, "0.02"), +0.333,
    ),
    "f6503825e6a6": Effect(
        "NC-SSM", 4505, 83.219, Change(-0.178, "0.57"), Change(-3.374, "2e-15"), Change(+0.266, "0.29"), -1.110
    ),
}  # fmt: skip
"""By the hash of the weights that were measured; the first is the standard network."""


def caption(model_hash: str, network: str, law: Law) -> str:
    """Whether calibration helps, in a few plain sentences."""
    effect = EFFECTS.get(model_hash)
    if effect is None:
        effect = next(iter(EFFECTS.values()))
        begin = f"With {network} it was not measured whether this helps; with {effect.network} it does not"
    else:
        begin = f"Measured with {effect.network}, this does not help on average"
    change = effect.law if law == "continuous" else effect.profile
    return (
        f"{begin}: over {effect.answers:,} answers in noise at 0 dB accuracy went from {effect.own:.1f} to "
        f"{effect.own + change.points:.1f} % ({_points(change)}), with the true SNR by {_points(effect.true)}, in "
        f"nearly clean sound by {_signed(effect.quiet)} points. The networks learned with constants that stand still: "
        "without calibration they keep them."
    )


def _points(change: Change) -> str:
    return f"{_signed(change.points)} points, p\u00a0{change.p}"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")

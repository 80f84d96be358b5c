"""Layouts to choose from: which panels are shown, and how large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.catalogue import BOOTH, FPGA, PANELS, RESEARCHER, STANDARD
from kwscore.errors import KWScopeError


@dataclass(frozen=True, slots=True)
class Preset:
    """``side``: width of the right column as a part of the window, within ``side_limits`` (device-independent
    pixels). ``below``: height of the tabs under both columns as a part of the window. ``shares``: heights that differ
    from the panels' own. ``pitch``: pixels a column of 10 ms."""

    name: str
    title: str
    about: str
    side: float = 0.25
    side_limits: tuple[int, int] = (280, 640)
    below: float = 0.2
    pitch: int = 2
    shares: Mapping[str, int] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[str, ...]:
        """Keys of the panels that it shows."""
        return tuple(spec.key for spec in PANELS if self.name in spec.presets)


PRESETS = (
    Preset(STANDARD, "Standard", "Why the network decides, from the sound to the word"),
    Preset(RESEARCHER, "Researcher", "Everything there is"),
    Preset(FPGA, "FPGA", "Board and software side by side", below=0.25),
    Preset(
        BOOTH,
        "Booth",
        "Few and large, to be read from afar",
        side=0.46,
        side_limits=(380, 2400),
        shares={"waveform": 40, "spectrogram": 60, "readout": 56, "bars": 44},
    ),
)
BY_NAME = {preset.name: preset for preset in PRESETS}


def find(name: str) -> Preset:
    """The preset of that name. Raises KWScopeError, naming those there are."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise KWScopeError(f"There is no preset {name!r}: use one of {', '.join(BY_NAME)}.") from None

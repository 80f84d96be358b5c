"""What the board's logic costs, as the synthesis reports of the source tree say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

REPORTS = Path(__file__).resolve().parents[2] / "rtl" / "syn"


@dataclass(frozen=True, slots=True)
class Resources:
    """``top``: the module. Counts of a Xilinx 7 series after synthesis; ``logic_ns``: estimate without routing."""

    top: str
    lut: int
    ff: int
    dsp: int
    ramb36: float
    logic_ns: float


def read_resources(folder: Path = REPORTS) -> list[Resources]:
    """The reports (``python -m rtl.syn.report``) in ``folder``, largest design first; what is none is left out.

    Empty where KWScope was installed without its hardware description.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            found.append(
                Resources(
                    str(said["top"]),
                    int(said["lut"]),
                    int(said["ff"]),
                    int(said["dsp"]),
                    float(said["ramb36"]),
                    float(said["logic_ns"]),
                )
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda each: -each.lut)

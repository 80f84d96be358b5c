"""Cycles of a hop, section by section: ``python -m rtl.tools.cycles [--frames N]``.

Runs the program on the machine's model, whose cycle counts equal the RTL's (rtl/sim/check_engine.py), on noise with the
shipped weights. Prints the table of rtl/README.md for the most frequent kind of hop, and the worst hop.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from kwscore.constants import HOP, WINDOW
from kwscore.fixed.calibrate import load_image
from kwscore.models.config import DEFAULT_NETWORK
from rtl.tools.model import DEPTH, Machine
from rtl.tools.program import Builder


def by_section(machine: Machine) -> dict[str, int]:
    """Run one frame; cycles of each section, those of its skipped instructions and of the start included."""
    builder = machine.builder
    spent: Counter[str] = Counter()
    done = 0
    for write in machine.run("FRAME"):
        op = builder.code[write.pc]
        name = next(name for name, first in reversed(builder.sections.items()) if first <= write.pc)
        spent[name] += op.inner * op.outer + DEPTH
        done += op.inner * op.outer + DEPTH
    spent["skipped instructions, start"] = machine.cycles - done
    return dict(spent)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=80)
    frames = parser.parse_args().frames
    image = load_image(DEFAULT_NETWORK)
    machine = Machine(Builder(image.sizes), image)
    rng = np.random.default_rng(0)
    pcm = (rng.standard_normal(WINDOW + HOP * (frames - 1)) * 3000).clip(-32768, 32767).astype(np.int16)
    hops = []
    for frame in range(frames):
        machine.push(pcm[WINDOW + HOP * (frame - 1) if frame else 0 : WINDOW + HOP * frame])
        hops.append(by_section(machine))
    totals = Counter(sum(hop.values()) for hop in hops)
    usual = totals.most_common(1)[0][0]
    for name, cycles in next(hop for hop in hops if sum(hop.values()) == usual).items():
        print(f"| {name} | {cycles:,} |")
    print(f"| **typical hop** | **{usual:,}** |")
    print(f"worst of {frames}: {max(totals):,}")


if __name__ == "__main__":
    main()

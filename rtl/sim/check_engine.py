"""The Verilated datapath against the integer engine: ``python -m rtl.sim.check_engine DUMP IMAGE PCM``.

Runs DUMP (rtl/sim/engine_dump.cpp, built beside its memories) on signed 16-bit samples and compares every result of
every instruction with the machine's model, and the model's tensors with the integer engine's, bit for bit.
Prints frames, worst cycles and the time the RTL took.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from rtl.tools.compare import compare
from rtl.tools.model import Machine, Write
from rtl.tools.program import Builder

RECORD = np.dtype([("pc", "<u2"), ("value", "<i8")])


def run_dump(dump: Path, image: Path, pcm: Path, builder: Builder) -> list[NDArray[np.void]]:
    """Results of each run (the first is INIT); the last record of a run has pc 0xFFFF and its cycles."""
    entries = [str(builder.entries[name]) for name in ("INIT", "FRAME")]
    with tempfile.TemporaryFile() as out:
        subprocess.run([dump, image, pcm, *entries], stdout=out, cwd=dump.parent, check=True)
        out.seek(0)
        records = np.frombuffer(out.read(), RECORD)
    return np.split(records, np.flatnonzero(records["pc"] == 0xFFFF) + 1)[:-1]


def compare_run(writes: list[Write], records: NDArray[np.void]) -> None:
    """Raise AssertionError naming the first instruction whose results differ."""
    pc = np.concatenate([np.full(len(write.values), write.pc) for write in writes])
    value = np.concatenate([write.values for write in writes])
    got = records[:-1]
    n = min(len(pc), len(got))
    wrong = np.flatnonzero((got["pc"][:n] != pc[:n]) | (got["value"][:n] != value[:n]))
    if len(wrong):
        i = int(wrong[0])
        label = next(write.label for write in writes if write.pc == pc[i])
        raise AssertionError(f"{label} at {pc[i]}: RTL {got[i]}, model {value[i]}; {len(wrong)} results differ")
    if len(pc) != len(got):
        raise AssertionError(f"{len(got)} results instead of {len(pc)}")


def _children() -> float:
    """CPU seconds of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dump", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("pcm", type=Path)
    given = parser.parse_args()
    dump, path, audio = (p.resolve() for p in (given.dump, given.image, given.pcm))
    image = Image.load(path)
    builder = Builder(image.sizes)
    machine, engine = Machine(builder, image), FixedEngine(image)
    before = _children()
    runs = run_dump(dump, path, audio, builder)
    spent = _children() - before
    samples = np.fromfile(audio, "<i2")
    worst = position = results = 0
    for t, trace in enumerate(engine.visit(samples)):
        end = 512 + 160 * t
        machine.push(samples[position:end])
        position = end
        writes = machine.run("FRAME")
        compare(writes, trace, image.sizes)
        compare_run(writes, runs[t + 1])
        cycles = int(runs[t + 1]["value"][-1])
        if cycles != machine.cycles:
            raise AssertionError(f"frame {t}: {cycles} cycles, the model counts {machine.cycles}")
        worst = max(worst, cycles)
        results += len(runs[t + 1]) - 1
    frames = len(runs) - 1
    total = sum(int(run["value"][-1]) for run in runs)
    print(f"{frames} frames, {results} results equal; worst {worst} cycles; RTL {total / spent / 1e6:.1f} M cycles/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

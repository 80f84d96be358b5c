"""The Verilated datapath against the integer engine, every tensor: ``python -m rtl.sim.check_engine [--seconds 60]``.

Builds rtl/sim/engine_dump.cpp around nm_engine (cached), streams speech, noise, silence, clipping and extremes, each
from reset, with the trained weights, and compares every tensor with the integer engine's while it runs, bit for bit.
``--instructions`` goes through the machine's model instead, ten times slower: every result of every instruction is
compared with it, its tensors with the integer engine's, and its cycles. Exit status 1 with the first difference.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from kwscore.board.signals import streams
from kwscore.board.sources import rtl_folder
from kwscore.board.verilated import Program
from kwscore.constants import HOP, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.fixed import layout as at
from kwscore.fixed.calibrate import load_image
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from kwscore.models.config import DEFAULT_NETWORK
from rtl.tools.compare import compare
from rtl.tools.model import Machine, Write
from rtl.tools.program import Builder

RECORD = np.dtype([("pc", "<u2"), ("value", "<i8")])
_END = 0xFFFF  # pc of the record that ends a run and holds its cycles
_CHUNK = 1 << 16  # records


@dataclass
class Checked:
    """What was compared so far."""

    frames: int = 0
    results: int = 0
    tensors: int = 0
    worst: int = 0

    def add(self, trace: at.Trace, records: NDArray[np.void]) -> None:
        """One more frame was equal."""
        self.frames += 1
        self.tensors += len(trace)
        self.results += len(records) - 1
        self.worst = max(self.worst, int(records["value"][-1]))


def program() -> Program:
    """engine_dump around nm_engine."""
    rtl = rtl_folder()
    sources = [*sorted((rtl / "core").glob("*.v")), *sorted((rtl / "mem").iterdir())]
    return Program("nm_engine", ("engine_dump.cpp",), tuple(sources), options=("--public-flat-rw",))


def runs(stream: BinaryIO) -> Iterator[NDArray[np.void]]:
    """The records of each run, its end included, as they come; the first run is INIT."""
    held = np.zeros(0, RECORD)
    while data := stream.read(_CHUNK * RECORD.itemsize):
        held = np.concatenate([held, np.frombuffer(data, RECORD)])
        ends = np.flatnonzero(held["pc"] == _END) + 1
        yield from (run for run in np.split(held, ends)[:-1])
        held = held[ends[-1] if len(ends) else 0 :]


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


class Labels:
    """What the records of the RTL are results of, without running the model: label and places by instruction."""

    def __init__(self, builder: Builder, image: Image) -> None:
        self._labels = [instruction.label for instruction in builder.code]
        machine = Machine(builder, image)
        machine.run("INIT")
        machine.push(np.zeros(WINDOW, np.int16))
        # Where a spectrum's last butterflies go does not depend on the samples.
        self._places = {write.pc: write.addresses for write in machine.run("FRAME") if write.label in ("re", "im")}

    def writes(self, records: NDArray[np.void]) -> list[Write]:
        """The records of one run, its end excluded, as the model would have left them."""
        pc = records["pc"]
        starts = np.flatnonzero(np.diff(pc, prepend=_END))
        parts = np.split(records["value"], starts[1:])
        codes = pc[starts].tolist()
        return [
            Write(code, self._labels[code], values, self._places.get(code))
            for code, values in zip(codes, parts, strict=True)
        ]


def check(
    dump: Path, image: Image, samples: NDArray[np.int16], checked: Checked, *, instructions: bool = False
) -> None:
    """Compare one stream from reset, with ``instructions`` through the model; raises AssertionError naming the first
    difference."""
    builder = Builder(image.sizes)
    machine, engine, labels = Machine(builder, image), FixedEngine(image), Labels(builder, image)
    position = 0
    with tempfile.TemporaryDirectory() as folder:
        raw, pcm = image.save(Path(folder) / "image.kwsf"), Path(folder) / "samples.raw"
        pcm.write_bytes(samples.astype("<i2").tobytes())
        entries = [str(builder.entries[name]) for name in ("INIT", "FRAME")]
        command = [str(dump), str(raw), str(pcm), *entries]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=rtl_folder() / "mem") as process:
            assert process.stdout is not None
            made = runs(process.stdout)  # type: ignore[arg-type]
            init = next(made)
            if instructions:
                compare_run(machine.run("INIT"), init)
            for frame, (trace, records) in enumerate(zip(engine.visit(samples), made, strict=True)):
                if instructions:
                    end = WINDOW + HOP * frame
                    machine.push(samples[position:end])
                    position = end
                    _compare_instructions(machine, trace, image.sizes, records)
                else:
                    compare(labels.writes(records[:-1]), trace, image.sizes)
                checked.add(trace, records)
        if process.returncode:
            raise AssertionError(f"the simulation ended with status {process.returncode}")


def _compare_instructions(machine: Machine, trace: at.Trace, sizes: at.Sizes, records: NDArray[np.void]) -> None:
    writes = machine.run("FRAME")
    compare(writes, trace, sizes)
    compare_run(writes, records)
    cycles = int(records["value"][-1])
    if cycles != machine.cycles:
        raise AssertionError(f"{cycles} cycles, the model counts {machine.cycles}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default=DEFAULT_NETWORK, help="name, checkpoint, or image")
    parser.add_argument("--instructions", action="store_true", help="compare every instruction with the model")
    given = parser.parse_args()
    checked = Checked()
    try:
        image = load_image(given.model)
        dump = program().build(print)
        for name, samples in streams(given.seconds).items():
            check(dump, image, samples, checked, instructions=given.instructions)
            print(f"{name}: {len(samples) / SAMPLE_RATE:.1f} s equal, {checked.frames} frames so far", flush=True)
    except AssertionError as difference:
        print(f"NOT equal: {difference}")
        return 1
    except KWScopeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(
        f"{image.name} ({image.model_hash}): {checked.frames} frames, {checked.tensors} tensors, {checked.results} "
        f"results of instructions equal; longest frame {checked.worst} cycles"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the cocotb tests of the core: ``python rtl/test/core/run.py [--sim icarus|verilator] [TOP ...]``.

Exit status 0 when every test passed, 1 when one failed, 77 when the simulator or cocotb is missing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
CORE = REPOSITORY / "rtl" / "core"
MEM = REPOSITORY / "rtl" / "mem"
BUILD = REPOSITORY / "rtl" / "build"

_ENGINE = ["nm_rom", "nm_bank", "nm_lane", "nm_image", "nm_func", "nm_mac", "nm_wing", "nm_walk", "nm_seq"]
TOPS: dict[str, list[str]] = {
    "nm_func": ["nm_rom"],
    "nm_mac": [],
    "nm_wing": [],
    "nm_walk": [],
    "nm_image": ["nm_lane"],
    "nm_seq": ["nm_rom"],
    "nm_engine": _ENGINE,
    "nm_core": [*_ENGINE, "nm_result", "nm_engine"],
}
"""Modules with a test of their own (test_<top>.py) and what each is made of."""


def run(top: str, sim: str) -> int:
    """Build and test one module; returns the number of failed tests."""
    from cocotb.runner import get_results, get_runner

    for path in (str(HERE.parent / "link"), str(REPOSITORY)):  # the runner hands sys.path on
        if path not in sys.path:
            sys.path.insert(1, path)
    arguments = {"icarus": ["-g2005", "-Wall"], "verilator": ["-Wall", "-Wno-fatal", "-O3"]}[sim]
    folder = BUILD / sim / top
    folder.mkdir(parents=True, exist_ok=True)
    for memory in MEM.glob("*.mem"):  # $readmemh looks in the working directory
        shutil.copyfile(memory, folder / memory.name)
    runner = get_runner(sim)
    runner.build(
        verilog_sources=[CORE / f"{name}.v" for name in [*TOPS[top], top]],
        includes=[MEM],
        hdl_toplevel=top,
        build_dir=folder,
        build_args=arguments,
        timescale=("1ns", "1ps"),
        always=True,
    )
    results = runner.test(
        hdl_toplevel=top, test_module=f"test_{top}", build_dir=folder, test_dir=folder, seed=1, timescale=("1ns", "1ps")
    )
    tests, failed = get_results(results)
    if not tests:
        raise SystemExit(f"{top}: no test ran")
    return failed


def missing(sim: str) -> str:
    """What is not installed, or an empty string."""
    tool = {"icarus": "iverilog", "verilator": "verilator"}[sim]
    if shutil.which(tool) is None:
        return tool
    try:
        import cocotb.runner  # noqa: F401
    except ImportError:
        return "cocotb"
    return ""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sim", choices=("icarus", "verilator"), default="icarus")
    parser.add_argument("top", nargs="*", help=f"of {', '.join(TOPS)}; all by default")
    given = parser.parse_args()
    unknown = set(given.top) - set(TOPS)
    if unknown:
        parser.error(f"no test of {', '.join(sorted(unknown))}")
    if lacking := missing(given.sim):
        print(f"skipped: {lacking} is not installed")
        return 77
    return int(sum(run(top, given.sim) for top in given.top or TOPS) > 0)


if __name__ == "__main__":
    sys.exit(main())

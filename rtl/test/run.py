"""Runs the cocotb tests of the modules: ``python rtl/test/run.py [--sim icarus|verilator] [TOP ...]``.

TOP is a module with a test of its own, or one of the groups link, core, top and board; without any, all run.
Exit status 0 when every test passed, 1 when one failed, 77 when the simulator or cocotb is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RTL = HERE.parent
MEM = RTL / "mem"
BUILD = RTL / "build"
GROUPS = ("link", "core", "top", "board")
LACKING = 77  # exit status where the simulator or cocotb is missing
TESTS = {path.stem[5:]: group for group in GROUPS for path in sorted((HERE / group).glob("test_*.py"))}
"""Modules with a test of their own (and e2e, the whole device), and the folder of both."""
ARGUMENTS = {
    "icarus": ["-g2005", "-Wall"],
    "verilator": ["-Wall", "-Wno-fatal", "-O3", "--timing", "--timescale", "1ns/1ps"],
}
WRAPPERS = {"e2e": "nm_top"}
"""Tests that share a module's bench."""
PARAMETERS: dict[str, dict[str, object]] = {
    "nm_link": {"FEATURES": 1, "CONFIRM_CYCLES": 60_000},
    "nm_top": {"DEFAULT_DIVISOR": 8, "CONFIRM_CYCLES": 60_000},
    "e2e": {"DEFAULT_DIVISOR": 4},
    "nm_leds": {"TICK_BITS": 6},
}


def missing(sim: str) -> str:
    """What is not installed, or an empty string."""
    tools = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator", "make", "g++")}[sim]
    for tool in tools:
        if shutil.which(tool) is None:
            return tool
    return "" if importlib.util.find_spec("cocotb") else "cocotb"


def run(top: str, sim: str) -> int:
    """Build and test one module; returns the number of failed tests."""
    from cocotb.runner import get_results, get_runner

    group = TESTS[top]
    paths = [str(RTL.parent), str(HERE), str(HERE / "link"), str(HERE / group)]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    sys.path[:0] = [path for path in paths if path not in sys.path]  # the runner hands it on
    folder = BUILD / sim / top
    folder.mkdir(parents=True, exist_ok=True)
    for memory in MEM.glob("*.mem"):  # $readmemh looks in the working directory
        shutil.copyfile(memory, folder / memory.name)
    wrapper = HERE / group / f"tb_{WRAPPERS.get(top, top)}.v"
    source = wrapper if wrapper.exists() else next((RTL / group).rglob(f"{top}.v"))
    libraries = [RTL / name for name in (*GROUPS, "board/sim")] + [HERE]
    runner = get_runner(sim)
    runner.build(
        verilog_sources=[source],
        includes=[MEM, RTL / "link"],
        hdl_toplevel=source.stem,
        build_dir=folder,
        build_args=[*ARGUMENTS[sim], *(f"-y{path}" if sim == "icarus" else f"-I{path}" for path in libraries)],
        parameters=PARAMETERS.get(top, {}),
        timescale=("1ns", "1ps"),
        always=True,
    )
    results = runner.test(
        hdl_toplevel=source.stem,
        test_module=f"test_{top}",
        build_dir=folder,
        test_dir=folder,
        seed=1,
        timescale=("1ns", "1ps"),
    )
    tests, failed = get_results(results)
    if not tests:
        raise SystemExit(f"{top}: no test ran")
    return failed


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sim", choices=("icarus", "verilator"), default="icarus")
    parser.add_argument("top", nargs="*", help=f"of {', '.join(GROUPS)}, {', '.join(TESTS)}; all by default")
    given = parser.parse_args()
    tops: list[str] = []
    for name in given.top or GROUPS:
        if name not in GROUPS and name not in TESTS:
            parser.error(f"no test of {name}")
        tops += [top for top, group in TESTS.items() if group == name] if name in GROUPS else [name]
    if lacking := missing(given.sim):
        print(f"skipped: {lacking} is not installed")
        return LACKING
    return int(sum(run(top, given.sim) for top in tops) > 0)


if __name__ == "__main__":
    sys.exit(main())

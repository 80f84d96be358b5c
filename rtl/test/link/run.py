"""Runs the cocotb tests of the link: ``python rtl/test/link/run.py [--sim icarus|verilator] [TOP ...]``.

Exit status 0 when every test passed, 1 when one failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
LINK = REPOSITORY / "rtl" / "link"
BUILD = REPOSITORY / "rtl" / "build"

_CODER = ["cobs_decoder", "cobs_encoder"]
_FRAMES = ["crc16", "link_rx", "link_tx"]
_NM_LINK = [*_CODER, *_FRAMES, "crc32", "link_answer", "link_command", "pcm_fifo"]
TOPS: dict[str, list[str]] = {
    "crc16": [],
    "crc32": [],
    "uart_rx": [],
    "uart_tx": [],
    "cobs_decoder": [],
    "cobs_encoder": [],
    "link_rx": ["crc16"],
    "link_tx": ["crc16"],
    "pcm_fifo": [],
    "nm_link": _NM_LINK,
    "nm_uart_link": ["uart_rx", "uart_tx", "nm_link", *_NM_LINK],
}
"""Modules with a test of their own (test_<top>.py) and what each is made of."""
PARAMETERS: dict[str, dict[str, object]] = {
    "nm_link": {"FEATURES": 1, "CONFIRM_CYCLES": 60_000},
    "nm_uart_link": {"DEFAULT_DIVISOR": 8, "CONFIRM_CYCLES": 60_000},
}


def run(top: str, sim: str) -> int:
    """Build and test one module; returns the number of failed tests."""
    from cocotb.runner import get_results, get_runner

    os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(HERE), os.environ.get("PYTHONPATH", "")])
    arguments = {"icarus": ["-g2005", "-Wall"], "verilator": ["-Wall", "-Wno-fatal"]}[sim]
    folder = BUILD / sim / top
    runner = get_runner(sim)
    wrapper = HERE / f"tb_{top}.v"
    sources = [LINK / f"{name}.v" for name in [*TOPS[top], top]] + (
        [wrapper, *sorted(HERE.glob("sim_*.v"))] if wrapper.exists() else []
    )
    toplevel = wrapper.stem if wrapper.exists() else top
    runner.build(
        verilog_sources=sources,
        includes=[LINK],
        hdl_toplevel=toplevel,
        build_dir=folder,
        build_args=arguments,
        parameters=PARAMETERS.get(top, {}),
        timescale=("1ns", "1ps"),
        always=True,
    )
    results = runner.test(
        hdl_toplevel=toplevel,
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
    parser.add_argument("top", nargs="*", help=f"of {', '.join(TOPS)}; all by default")
    given = parser.parse_args()
    unknown = set(given.top) - set(TOPS)
    if unknown:
        parser.error(f"no test of {', '.join(sorted(unknown))}")
    return int(sum(run(top, given.sim) for top in given.top or TOPS) > 0)


if __name__ == "__main__":
    sys.exit(main())

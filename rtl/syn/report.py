"""Resources of a board after ``yosys synth_xilinx -family xc7``: ``python -m rtl.syn.report [--write] [--top NAME]``.

The whole Arty shell by default: link, core, clock, LEDs. Prints LUT, FF, DSP48E1, RAMB36 equivalents and, as an
estimate of logic without routing, the slowest path; ``--write`` puts them with a hash of the sources into
rtl/syn/TOP.json. Exit status 1 when a ceiling is exceeded, 77 without yosys. Yosys' exit code alone proves nothing: the
netlist must be there, and its cells are counted here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

RTL = Path(__file__).resolve().parents[1]
BUILD = RTL / "build" / "syn"
TOP = "nm_arty"
CEILING = {"lut": 4500, "dsp": 4, "ramb36": 20, "logic_ns": 20}
"""Most that the whole Arty shell may take (rtl/README.md)."""
_PARTS = (
    ("link", "*.v"), ("link", "*.vh"), ("core", "*.v"), ("top", "*.v"), ("board", "*.v"), ("board/arty", "*.v"),
    ("mem", "*"),
)  # fmt: skip


def sources() -> list[Path]:
    """Everything the result depends on, in a fixed order."""
    return [path for folder, pattern in _PARTS for path in sorted((RTL / folder).glob(pattern)) if path.is_file()]


def source_hash() -> str:
    """Hash over the sources' names and contents."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def synthesise(top: str) -> dict[str, float]:
    """Run yosys; returns the counts. Raises RuntimeError when it left no netlist or no timing."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for memory in (RTL / "mem").glob("*.mem"):
        shutil.copyfile(memory, BUILD / memory.name)
    netlist = BUILD / f"{top}.json"
    netlist.unlink(missing_ok=True)
    files = " ".join(str(path) for path in sources() if path.suffix == ".v")
    script = (
        f"read_verilog -I{RTL / 'mem'} -I{RTL / 'link'} {files}; "
        f"synth_xilinx -family xc7 -noiopad -flatten -top {top}; write_json {netlist}; stat; "
        # Timing: arcs of all cells, and the clock's primitives as wires, through which sta follows the clock.
        "delete =A:whitebox =A:blackbox; read_verilog -lib -specify +/xilinx/cells_sim.v; "
        f"techmap -map {RTL / 'syn' / 'clock.v'}; opt_clean; sta"
    )
    log = subprocess.run(["yosys", "-p", script], cwd=BUILD, capture_output=True, text=True, check=False).stdout
    (BUILD / f"{top}.log").write_text(log)
    if not netlist.is_file():
        raise RuntimeError(f"yosys left no netlist: see {BUILD / f'{top}.log'}")
    cells = [cell["type"] for cell in json.loads(netlist.read_text())["modules"][top]["cells"].values()]
    arrival = re.search(r"Latest arrival time in .* is (\d+)", log)
    if not cells or not arrival:
        raise RuntimeError(f"yosys left an empty netlist or no timing: see {BUILD / f'{top}.log'}")
    count = {name: cells.count(name) for name in set(cells)}
    in_ram = sum(n * 4 for name, n in count.items() if name.startswith(("RAM64M", "RAM32M")))
    in_ram += sum(n * 2 for name, n in count.items() if re.fullmatch(r"RAM\d+X1D", name))
    return {
        "lut": sum(n for name, n in count.items() if re.fullmatch(r"LUT[1-6]|SRL.*", name)) + in_ram,
        "ff": sum(n for name, n in count.items() if name in ("FDRE", "FDSE", "FDCE", "FDPE")),
        "dsp": count.get("DSP48E1", 0),
        "ramb36": count.get("RAMB36E1", 0) + count.get("RAMB18E1", 0) / 2,
        "mmcm": count.get("MMCME2_BASE", 0),
        "logic_ns": int(arrival[1]) / 1000,
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--top", default=TOP)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if shutil.which("yosys") is None:
        print("skipped: yosys is not installed")
        return 77
    made_of = source_hash()  # before: who edits meanwhile must not get a report of other sources
    counts = synthesise(given.top)
    print(given.top, counts)
    if given.write:
        version = subprocess.run(["yosys", "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
        path = RTL / "syn" / f"{given.top}.json"
        part = path.with_suffix(".part")
        record = {"top": given.top, "yosys": version, "sources": made_of, **counts}
        part.write_text(json.dumps(record, indent=1) + "\n")
        os.replace(part, path)
    over = [name for name, most in CEILING.items() if counts[name] > most]
    if over:
        print("over the ceiling:", ", ".join(over))
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())

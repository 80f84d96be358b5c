"""Resources of a module after ``yosys synth_xilinx -family xc7``: ``python -m rtl.syn.report [TOP] [--write]``.

Prints LUT, FF, DSP48E1, RAMB36 equivalents and, as an estimate of logic without routing, the slowest path. ``--write``
puts them with a hash of the sources into rtl/syn/TOP.json. Exit status 1 when a ceiling is exceeded, 77 without yosys.
Yosys' exit code alone proves nothing: the netlist must be there, and its cells are counted here.
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
CEILING = {"lut": 4500, "dsp": 4, "ramb36": 20}


def sources() -> list[Path]:
    """Everything the result depends on, in a fixed order."""
    return sorted((RTL / "core").glob("*.v")) + sorted((RTL / "mem").iterdir())


def source_hash() -> str:
    """Hash over the sources' names and contents."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def synthesise(top: str) -> dict[str, float]:
    """Run yosys; returns the counts. Raises RuntimeError when it left no netlist."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for memory in (RTL / "mem").glob("*.mem"):
        shutil.copyfile(memory, BUILD / memory.name)
    netlist = BUILD / f"{top}.json"
    netlist.unlink(missing_ok=True)
    files = " ".join(str(path) for path in sources() if path.suffix == ".v")
    script = (
        f"read_verilog -I{RTL / 'mem'} {files}; synth_xilinx -family xc7 -noiopad -flatten -top {top}; "
        f"write_json {netlist}; stat; sta"
    )
    log = subprocess.run(["yosys", "-p", script], cwd=BUILD, capture_output=True, text=True, check=False).stdout
    (BUILD / f"{top}.log").write_text(log)
    if not netlist.is_file():
        raise RuntimeError(f"yosys left no netlist: see {BUILD / f'{top}.log'}")
    cells = [cell["type"] for cell in json.loads(netlist.read_text())["modules"][top]["cells"].values()]
    if not cells:
        raise RuntimeError("the netlist is empty")
    count = {name: cells.count(name) for name in set(cells)}
    ram32 = sum(n * 4 for name, n in count.items() if name.startswith("RAM64M") or name.startswith("RAM32M"))
    result: dict[str, float] = {
        "lut": sum(n for name, n in count.items() if re.fullmatch(r"LUT[1-6]", name)) + count.get("SRL16E", 0) + ram32,
        "ff": sum(n for name, n in count.items() if name in ("FDRE", "FDSE", "FDCE", "FDPE")),
        "dsp": count.get("DSP48E1", 0),
        "ramb36": count.get("RAMB36E1", 0) + count.get("RAMB18E1", 0) / 2,
    }
    if arrival := re.search(r"Latest arrival time in .* is (\d+)", log):
        result["logic_ns"] = int(arrival[1]) / 1000
    return result


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("top", nargs="?", default="nm_core")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if shutil.which("yosys") is None:
        print("skipped: yosys is not installed")
        return 77
    counts = synthesise(given.top)
    print(given.top, counts)
    if given.write:
        path = RTL / "syn" / f"{given.top}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"top": given.top, "sources": source_hash(), **counts}, indent=1) + "\n")
        os.replace(part, path)
    over = [name for name, most in CEILING.items() if counts[name] > most]
    if over:
        print("over the ceiling:", ", ".join(over))
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())

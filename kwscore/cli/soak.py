"""``kwscope soak``: the real window under load, and whether it keeps what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from kwscore.cli.common import JsonOption, emit, note
from kwscore.columns import columns
from kwscore.errors import KWScopeError

CPU_PERCENT = 60.0
FRAMES_PER_SECOND = 29.0
START_S = 3.0
SWITCH_MS = 300.0
SLOPE_MIB_PER_HOUR = 20.0
SLOPE_MINUTES = 10.0
"""Shorter runs say nothing about a slope: the history of five minutes is still filling."""


def soak(
    minutes: Annotated[float, typer.Option(min=0.1, max=24 * 60, help="How long to measure.")] = 30.0,
    source: Annotated[str, typer.Option(metavar="mic|demo|FILE", help="What to hear.")] = "demo",
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the window in pixels.")] = "1600x1000",
    plain: Annotated[
        bool, typer.Option("--plain", help="The window as it opens, instead of everything switched on.")
    ] = False,
    on_screen: Annotated[bool, typer.Option("--on-screen", help="On the real screen, instead of offscreen.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the window for a while and measure it.

    Everything is on: all panels, the float and the integer engine side by side, noise mixed in. Prints processor time
    (all threads, as a share of one core), painted frames, lost samples, memory, and then how long it takes to switch
    noise, engine, network and source. Exit status 1 where a figure misses its limit. Measure on a machine that does
    nothing else.
    """
    width, height = _size(size)
    note(f"Measuring for {minutes:g} minutes ...")
    order = {
        "seconds": 60 * minutes,
        "width": width,
        "height": height,
        "source": source,
        "began": time.time(),
        "everything": not plain,
    }
    figures = _run(order, on_screen)
    rows = judge(figures)
    if as_json:
        emit({**figures, "within": {name: bool(good) for name, _, _, good in rows if good is not None}})
    else:
        table: list[tuple[str, ...]] = [("", "measured", "limit", "")]
        said = {True: "yes", False: "NO", None: ""}
        table += [(name, value, limit, said[good]) for name, value, limit, good in rows]
        sys.stdout.write(columns(table, left=(0, 1, 3)))
    if any(good is False for *_, good in rows):
        raise typer.Exit(1)


def judge(figures: dict[str, Any]) -> list[tuple[str, str, str, bool | None]]:
    """(name, measured, limit, within it); None where there is no limit, or the run was too short to tell."""
    f = figures
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "-"
    long = f["seconds"] >= 60 * SLOPE_MINUTES
    rows: list[tuple[str, str, str, bool | None]] = [
        ("window", f"{f['size'][0]} x {f['size'][1]}, {f['platform']}, {f['panels']} panels", "", None),
        ("engines", f["engines"], "", None),
        ("measured for", f"{f['seconds']:.0f} s ({f['heard_s']:.0f} s of sound)", "", None),
        ("machine", f"{cores} cores, load at the end {load}", "", None),
        ("processor, of one core", f"{f['cpu_percent']:.1f} %", f"{CPU_PERCENT:.0f} %", f["cpu_percent"] < CPU_PERCENT),
        (
            "frames painted",
            f"{f['frames_per_second']:.1f} /s",
            f"{FRAMES_PER_SECOND:.0f} /s",
            f["frames_per_second"] >= FRAMES_PER_SECOND,
        ),
        ("samples dropped", str(f["dropped"]), "0", f["dropped"] == 0),
        ("samples lost on the way", str(f["lost"]), "0", f["lost"] == 0),
        ("longest wait for the engine", f"{f['longest_wait_ms']:.0f} ms", "", None),
        ("engine, median of a hop", f"{f['hop_us']:.0f} us, p99 {f['hop_p99_us']:.0f} us", "", None),
        ("memory at the start", f"{f['resident_start_mib']:.0f} MiB", "", None),
        ("memory at the end", f"{f['resident_end_mib']:.0f} MiB", "", None),
        (
            "memory, slope of the second half",
            f"{f['resident_slope_mib_per_hour']:+.0f} MiB/h" + ("" if long else " (too short to tell)"),
            f"{SLOPE_MIB_PER_HOUR:.0f} MiB/h",
            f["resident_slope_mib_per_hour"] < SLOPE_MIB_PER_HOUR if long else None,
        ),
        ("start to usable window", f"{f['start_s']:.2f} s", f"{START_S:.0f} s", f["start_s"] < START_S),
        ("start to first result", f"{f['first_result_s']:.2f} s", "", None),
    ]
    for switch in f["switches"]:
        missing = switch["missing_samples"]
        rows.append(
            (
                f"switch {switch['what']}",
                f"{switch['ms']:.0f} ms, {missing} samples missing, {switch['silence_ms']:.0f} ms without sound",
                f"{SWITCH_MS:.0f} ms, 0",
                switch["ms"] < SWITCH_MS and missing == 0,
            )
        )
    return rows


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and 100 <= int(width) <= 20000 and 100 <= int(height) <= 20000):
        raise KWScopeError(f"--size {text}: write WIDTHxHEIGHT in pixels, for instance 1600x1000.")
    return int(width), int(height)


def _run(order: dict[str, Any], on_screen: bool) -> dict[str, Any]:
    """The window is a process of its own: its start is measured too, and its processor time is its own."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    if not on_screen:
        environment["QT_QPA_PLATFORM"] = "offscreen"
    done = subprocess.run(
        [sys.executable, "-m", "app.soak", json.dumps(order)], env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        figures: dict[str, Any] = json.loads(lines[-1])
        return figures
    said = [line.removeprefix("kwscope: ") for line in done.stderr.splitlines() if line.strip()]
    raise KWScopeError(said[-1] if said else f"The window ended with status {done.returncode}.")

"""A window of experiments for tests, rows for it, and a process that stands in for a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from app import theme as themes
from app.experiment_process import ExperimentProcess
from app.experiment_window import ExperimentWindow
from kwscore.stream.detection import DetectionSettings

NETWORKS = ("NanoMamba-Tiny-DualPCEN", "Other")

STAND_IN = """
import json, sys, threading
from pathlib import Path
plan, out = Path(sys.argv[1]), Path(sys.argv[3])
rows = json.loads(Path({rows!r}).read_text())
out.mkdir(parents=True, exist_ok=True)
def say(**record): print(json.dumps(record), flush=True)
def heard(): return sys.stdin.readline().strip()
say(type="note", text="Reading the clips ...")
print("a library prints this")
kept = []
for number, row in enumerate(rows, 1):
    say(type="row", reused=False, **row)
    say(type="progress", done=number, total=len(rows), share=number / len(rows), seconds_left=3.0,
        network=row["network"], engine=row["engine"], condition=row["condition"], seed=1)
    kept.append(row)
    if number == {stop}:
        word = heard()
        if word == "pause":
            assert heard() == "go on"
        elif word == "cancel":
            (out / "results.json").write_text(json.dumps(kept))
            sys.exit(130)
for name in ("results.csv", "results.json", "results.txt", "accuracy_against_snr.png"):
    (out / name).write_text(json.dumps(kept))
"""


def a_row(network: str, engine: str, noise: str | None, snr: float | None, accuracy: float) -> dict[str, Any]:
    return {
        "network": network, "engine": engine, "noise": noise, "snr_db": snr, "clips": 40, "accuracy": accuracy,
        "condition": f"{noise} {snr:g} dB" if noise else "clean", "low": accuracy - 5, "high": accuracy + 3,
        "hop_us": 11.0, "classes": {"yes": {"accuracy": 90.0}, "no": {"accuracy": None}},
        "detections": {"words": 30, "hits": 28, "false_accepts": 2, "median_latency_ms": None},
    }  # fmt: skip


ROWS = [
    a_row("NanoMamba-Tiny", engine, noise, snr, 90.0 - 5 * number)
    for engine in ("float", "integer")
    for number, (noise, snr) in enumerate(
        ((None, None), ("white", 0.0), ("white", 10.0), ("pink", 0.0), ("pink", 10.0))
    )
]


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., ExperimentProcess]:
    """A process that reports ``rows`` and waits for a word after row ``stop``."""

    def make(rows: list[dict[str, Any]] = ROWS, stop: int = 0, code: str = "") -> ExperimentProcess:
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        script = code or STAND_IN.replace("{rows!r}", repr(str(tmp_path / "rows.json"))).replace("{stop}", str(stop))
        return ExperimentProcess(command=[sys.executable, "-S", "-c", script])

    return make


@pytest.fixture
def experiment(qapp, qtbot):
    """Opens a window of experiments by itself."""
    opened: list[ExperimentWindow] = []

    def make(process: ExperimentProcess | None = None, networks: tuple[str, ...] = NETWORKS) -> ExperimentWindow:
        window = ExperimentWindow(themes.LIGHT, networks, DetectionSettings, process)
        opened.append(window)
        window.resize(1280, 720)
        window.show()
        return window

    yield make
    for window in opened:
        window.dispose()
        window.deleteLater()


def check(window: ExperimentWindow, kind: str, value: str) -> None:
    widget = getattr(window.editor, kind)
    for i in range(widget.count()):
        item = widget.item(i)
        if item.data(Qt.ItemDataRole.UserRole) == value:
            on = item.checkState() == Qt.CheckState.Checked
            item.setCheckState(Qt.CheckState.Unchecked if on else Qt.CheckState.Checked)
            return
    raise AssertionError(value)


def until_ended(qtbot, window: ExperimentWindow) -> None:
    qtbot.waitUntil(lambda: not window.process.running, timeout=240_000)

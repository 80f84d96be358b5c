"""Plots of results as PNG, without a screen. Networks differ by colour, marker and dash, never by colour alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kwscore.constants import LABELS
from kwscore.errors import KWScopeError
from kwscore.evaluation.events import EventScore
from kwscore.evaluation.grid import Result, slug
from kwscore.evaluation.noisy import RECORDED
from kwscore.evaluation.report import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito: told apart with any colour vision."""
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.", ":")
_INK, _GRID = "#333333", "#DDDDDD"


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise KWScopeError("Plots need matplotlib: install it with pip install 'kwscope[plots]'.") from None
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _style(number: int) -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
        "markersize": 4.5,
        "linewidth": 1.4,
    }


def _quiet(axes: Axes) -> None:
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)


def _save(figure: Figure, path: Path) -> Path:
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(partial, format="png")
        os.replace(partial, path)
    except OSError as error:
        raise KWScopeError(f"The plot {path} cannot be written ({error.strerror or error}).") from None
    return path


def _floor(value: float) -> float:
    """Where an axis of per cents begins: at a multiple of ten."""
    return max(0.0, 10.0 * np.floor(value / 10.0))


def _title(noise: str) -> str:
    return noise.removeprefix(RECORDED) + " (recorded)" if noise.startswith(RECORDED) else noise


def plot_snr(
    results: Sequence[Result],
    path: Path,
    note: str,
    chance: float | None = None,
    axis: str = "SNR over the clip's second, dB",
) -> Path | None:
    """Accuracy against SNR: a panel a noise, one for the mean of the synthetic and one for that of the recorded noises.

    A line a network and start; 95 % intervals shaded (of a mean: the mean of the intervals, as the clips are the
    same). The clean figure stands at the right end of each panel. ``chance``: the share of a constant answer, drawn as
    a line. ``axis``: what the SNR refers to. None where no noise has two SNRs.
    """
    found = [r for r in results if r.unit.condition.noise]
    noises = list(dict.fromkeys(r.unit.condition.noise for r in found))
    snrs = sorted({r.unit.condition.snr_db for r in found})
    if len(snrs) < 2:
        return None
    lines = list(dict.fromkeys((r.unit.network.name, r.unit.condition.mid_stream) for r in results))
    panels = [(_title(noise), [noise]) for noise in noises]
    for kind, recorded in (("synthetic", False), ("recorded", True)):
        group = [noise for noise in noises if noise.startswith(RECORDED) == recorded]
        if len(group) > 1:
            panels.append((f"mean of the {len(group)} {kind} noises", group))
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure = _figure(3.5 * across + 0.6, 2.9 * down + 0.9)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    counts = {
        (r.unit.network.name, r.unit.condition.mid_stream, r.unit.condition.noise, r.unit.condition.snr_db): r.confusion
        for r in results
        if not r.unit.condition.special
    }
    step = float(min(np.diff(snrs)))
    aside = step * np.linspace(-0.3, 0.3, len(lines)) if len(lines) > 1 else np.zeros(1)  # clean marks side by side
    for axes, (title, group) in zip(grid, panels, strict=False):
        for number, line in enumerate(lines):
            _curve(axes, counts, line, group, snrs, step, number, aside[number])
        if chance is not None:
            axes.axhline(chance, color="#888888", linewidth=0.8, linestyle=(0, (1, 2)))
        _quiet(axes)
        axes.set_title(title, fontsize=9, color=_INK, loc="left")
        axes.set_xticks([*snrs, snrs[-1] + 1.4 * step], [*(f"{s:g}" for s in snrs), "clean"])
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    shares = [100 * np.trace(r.confusion) / max(r.confusion.sum(), 1) for r in results if not r.unit.condition.special]
    grid[0].set_ylim(_floor(min(shares) - 3), 100.5)
    figure.supxlabel(f"{axis}\n{note}".rstrip(), fontsize=9, color=_INK)
    figure.supylabel("accuracy, %", fontsize=9, color=_INK)
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(3, len(names)), fontsize=8, frameon=False)
    return _save(figure, path)


def _curve(
    axes: Axes,
    counts: dict[Any, Any],
    line: tuple[str, bool],
    noises: list[str],
    snrs: list[float],
    step: float,
    number: int,
    aside: float,
) -> None:
    x, y, low, high = [], [], [], []
    for snr in snrs:
        found = [counts[(*line, noise, snr)] for noise in noises if (*line, noise, snr) in counts]
        if len(found) != len(noises):
            continue
        shares = [100 * np.trace(c) / c.sum() for c in found]
        bounds = [wilson(round(np.trace(c)), round(c.sum())) for c in found]
        x.append(snr)
        y.append(float(np.mean(shares)))
        low.append(float(np.mean([b[0] for b in bounds])))
        high.append(float(np.mean([b[1] for b in bounds])))
    style = _style(number)
    name = line[0] + (", mid-stream" if line[1] else "")
    if x:
        axes.plot(x, y, label=name, **style)
        axes.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
    clean = counts.get((*line, "", 0.0))
    if clean is not None:
        share = 100 * np.trace(clean) / clean.sum()
        ends = wilson(round(np.trace(clean)), round(clean.sum()))
        at = snrs[-1] + 1.4 * step + aside
        axes.errorbar(
            [at], [share], [[share - ends[0]], [ends[1] - share]], label=None if x else name,
            color=style["color"], marker=style["marker"], markersize=style["markersize"], linewidth=1.2,
        )  # fmt: skip


def plot_confusion(result: Result, path: Path) -> Path:
    """The confusion matrix in per cent of each true class, dark to bright, the shares written in."""
    confusion = result.confusion
    share = 100 * confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    figure = _figure(6.8, 5.9)
    axes = figure.subplots()
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=100)
    for i in range(len(LABELS)):
        for j in range(len(LABELS)):
            if share[i, j] >= 0.5:
                axes.text(
                    j, i, f"{share[i, j]:.0f}", ha="center", va="center", fontsize=7,
                    color="black" if share[i, j] > 55 else "white",
                )  # fmt: skip
    ticks = range(len(LABELS))
    axes.set_xticks(ticks, LABELS, rotation=45, ha="right", fontsize=8, color=_INK)
    names = [f"{label} ({n})" for label, n in zip(LABELS, confusion.sum(1), strict=True)]
    axes.set_yticks(ticks, names, fontsize=8, color=_INK)
    axes.set_xlabel("answer", fontsize=9, color=_INK)
    axes.set_ylabel("true class (clips)", fontsize=9, color=_INK)
    accuracy = 100 * np.trace(confusion) / max(confusion.sum(), 1)
    unit = result.unit
    axes.set_title(f"{unit.network.name}, {unit.condition.name}: {accuracy:.1f} %", fontsize=9, color=_INK)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("% of the true class", fontsize=8, color=_INK)
    bar.ax.tick_params(labelsize=8, colors=_INK)
    return _save(figure, path)


def plot_classes(results: Sequence[Result], path: Path, title: str) -> Path:
    """Recall of every class with its 95 % interval, one mark a network."""
    figure = _figure(8.4, 3.6)
    axes = figure.subplots()
    spread = np.linspace(-0.28, 0.28, len(results)) if len(results) > 1 else np.zeros(1)
    lowest = 100.0
    for number, result in enumerate(results):
        confusion = result.confusion
        total, correct = confusion.sum(1), np.diag(confusion)
        share = 100 * correct / np.maximum(total, 1)
        bounds = np.array([wilson(int(c), int(t)) for c, t in zip(correct, total, strict=True)])
        lowest = min(lowest, bounds[:, 0].min())
        style = _style(number)
        axes.errorbar(
            np.arange(len(LABELS)) + spread[number], share, [share - bounds[:, 0], bounds[:, 1] - share],
            linestyle="none", marker=style["marker"], color=style["color"], markersize=4.5, linewidth=1,
            label=result.unit.network.name,
        )  # fmt: skip
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_ylabel("recall, %", fontsize=9, color=_INK)
    axes.set_ylim(_floor(lowest), 101)
    axes.set_title(title, fontsize=9, color=_INK, loc="left")
    _quiet(axes)
    axes.grid(visible=False, axis="x")
    if len(results) > 1:
        figure.legend(loc="outside lower center", ncols=min(4, len(results)), fontsize=8, frameon=False)
    return _save(figure, path)


def plot_det(curves: dict[str, list[tuple[float, EventScore]]], path: Path, marked: float, note: str) -> Path:
    """Misses against false accepts per hour over the thresholds; the default threshold is ringed."""
    figure = _figure(5.6, 4.2)
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        x = [score.false_accepts_per_hour for _, score in curve]
        y = [100 * score.miss_rate for _, score in curve]
        axes.plot(x, y, label=name, **_style(number))
        for threshold, score in curve:
            if threshold == marked:
                axes.plot(
                    score.false_accepts_per_hour, 100 * score.miss_rate, "o", markersize=11, fillstyle="none",
                    color=_style(number)["color"],
                )  # fmt: skip
        for threshold, score in (curve[0], curve[-1]):
            axes.annotate(
                f"{threshold:g}", (score.false_accepts_per_hour, 100 * score.miss_rate), xytext=(5, 5),
                textcoords="offset points", fontsize=7, color=_INK,
            )  # fmt: skip
    axes.set_xlabel("false accepts per hour", fontsize=9, color=_INK)
    axes.set_ylabel("missed words, %", fontsize=9, color=_INK)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_title(f"{note}; ringed: threshold {marked:g}", fontsize=8, color=_INK, loc="left")
    axes.legend(fontsize=8, frameon=False)
    _quiet(axes)
    return _save(figure, path)


def write_plots(folder: Path, results: Sequence[Result], note: str, chance: float | None = None) -> list[Path]:
    """Every plot that the results allow; returns the paths. Raises KWScopeError without matplotlib."""
    made: list[Path] = []
    snr = plot_snr(results, folder / "accuracy_against_snr.png", note, chance)
    made += [snr] if snr else []
    first = results[0].unit.condition
    same = [r for r in results if r.unit.condition == first]
    made.append(plot_classes(same, folder / "recall_by_class.png", f"{first.name}; {note}"))
    made += [plot_confusion(r, folder / f"confusion_{slug(r.unit.network.name)}.png") for r in same]
    return made

"""Accuracy against SNR: a panel a noise for a few networks, a panel a size of network for many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kwscore.evaluation.grid import Result
from kwscore.evaluation.noisy import RECORDED
from kwscore.evaluation.plot_style import INK, floor_of, new_figure, quiet, save, style_of
from kwscore.evaluation.report import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 5
"""Curves that one panel shows legibly; more are put into panels by size."""
GROUP = 4
"""Networks of different size that share a panel where each size alone would fill less."""
ALIKE = 1.25
"""Networks within this factor of the smallest are of one size."""
AXIS = "SNR over the clip's second, dB"
_BEHIND = {"color": "#C4C4C4", "linewidth": 0.8, "zorder": 1}


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: a network from reset or mid-stream."""

    network: str
    mid_stream: bool
    parameters: int | None
    schedule: str

    @property
    def name(self) -> str:
        return self.network + (", mid-stream" if self.mid_stream else "")


@dataclass(frozen=True, slots=True)
class Curves:
    """Every curve's counts by noise and SNR, and the axes they share."""

    lines: list[Line]
    snrs: list[float]
    panels: list[tuple[str, list[str]]]
    counts: dict[tuple[str, bool, str, float], NDArray[Any]]

    @property
    def step(self) -> float:
        """The least distance between two SNRs in dB."""
        return float(min(np.diff(self.snrs)))

    @property
    def clean(self) -> float:
        """Where on the axis of SNRs the clean figures stand."""
        return self.snrs[-1] + 1.4 * self.step

    @property
    def extent(self) -> tuple[float, float]:
        """The lowest and the highest bound of all intervals, in per cent."""
        bounds = [_share(counts)[1:] for counts in self.counts.values()]
        return min(low for low, _ in bounds), max(high for _, high in bounds)

    def means(self, line: Line, noises: list[str]) -> NDArray[np.float64]:
        """Rows of SNR, mean accuracy over ``noises``, and the bounds of its 95 % interval.

        The interval of a mean is the mean of the intervals, as the clips are the same.
        """
        rows = []
        for snr in self.snrs:
            keys = [(line.network, line.mid_stream, noise, snr) for noise in noises]
            found = [self.counts[key] for key in keys if key in self.counts]
            if len(found) == len(noises):
                rows.append([snr, *np.mean([_share(counts) for counts in found], axis=0)])
        return np.array(rows).reshape(-1, 4)


def plot_snr(
    results: Sequence[Result], path: Path, note: str, chance: float | None = None, axis: str = AXIS
) -> list[Path]:
    """Accuracy against SNR, with 95 % intervals; returns the paths, none where no noise has two SNRs.

    Up to five curves: a panel a noise, and one each for the mean of the synthetic and of the recorded noises. More:
    ``path`` shows the means, a panel for each size of network with the others in grey behind, and a second file, with
    "_by_noise" in its name, the single noises. The clean figure stands at the right end of each panel. ``chance``: the
    share of a constant answer, drawn as a line. ``axis``: what the SNR refers to.
    """
    curves = _gather(results)
    if len(curves.snrs) < 2:
        return []
    if len(curves.lines) <= FEW:
        return [_by_noise(curves, path, note, chance, axis)]
    single = [panel for panel in curves.panels if len(panel[1]) == 1]
    means = [panel for panel in curves.panels if len(panel[1]) > 1]
    other = path.with_name(f"{path.stem}_by_noise{path.suffix}")
    plots = [(path, means), (other, single)] if means else [(path, single)]
    return [_by_size(curves, panels, to, note, chance, axis) for to, panels in plots]


def by_size(lines: Sequence[Line]) -> list[list[Line]]:
    """Curves in groups of networks of like size, smallest first; neighbours of few curves are put together.

    Networks whose size is not known make groups in their order.
    """
    ordered = sorted(lines, key=lambda line: line.parameters or 0)
    groups: list[list[Line]] = []
    for line in ordered:
        first = groups[-1][0].parameters if groups else None
        alike = first == line.parameters or (first and line.parameters and line.parameters <= ALIKE * first)
        if groups and alike and len(groups[-1]) < FEW:
            groups[-1].append(line)
        else:
            groups.append([line])
    while True:
        near = [
            ((b[0].parameters or 1) / (a[-1].parameters or 1), i)
            for i, (a, b) in enumerate(pairwise(groups))
            if len(a) + len(b) <= GROUP
        ]
        if not near:
            return groups
        _, i = min(near)
        groups[i : i + 2] = [groups[i] + groups[i + 1]]


def _gather(results: Sequence[Result]) -> Curves:
    plain = [r for r in results if not r.unit.condition.special]
    noisy = [r.unit.condition for r in plain if r.unit.condition.noise]
    noises = list(dict.fromkeys(condition.noise for condition in noisy))
    panels = []
    for kind, recorded in (("synthetic", False), ("recorded", True)):
        group = [noise for noise in noises if noise.startswith(RECORDED) == recorded]
        panels += [(_title(noise), [noise]) for noise in group]
        panels += [(f"mean of the {len(group)} {kind} noises", group)] if len(group) > 1 else []
    lines: dict[tuple[str, bool], Line] = {}
    for unit in (r.unit for r in plain):
        network = unit.network
        schedule = str(json.loads(network.config).get("schedule"))
        key = (network.name, unit.condition.mid_stream)
        lines.setdefault(key, Line(*key, network.parameters, schedule))
    counts = {
        (r.unit.network.name, r.unit.condition.mid_stream, r.unit.condition.noise, r.unit.condition.snr_db): r.confusion
        for r in plain
    }
    return Curves(list(lines.values()), sorted({condition.snr_db for condition in noisy}), panels, counts)


def _title(noise: str) -> str:
    return noise.removeprefix(RECORDED) + " (recorded)" if noise.startswith(RECORDED) else noise


def _share(counts: NDArray[Any]) -> tuple[float, float, float]:
    """Accuracy in per cent and the bounds of its interval."""
    right, total = float(np.trace(counts)), float(counts.sum())
    return 100 * right / max(total, 1), *wilson(round(right), round(total))


def _by_noise(curves: Curves, path: Path, note: str, chance: float | None, axis: str) -> Path:
    across = min(3, len(curves.panels))
    down = -(-len(curves.panels) // across)
    figure = new_figure(3.5 * across + 0.6, 2.9 * down + 0.9)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (title, noises) in zip(grid, curves.panels, strict=False):
        for number, line in enumerate(curves.lines):
            _draw(axes, curves, line, noises, style_of(number), _aside(curves, number, len(curves.lines)))
        _frame(axes, curves, title, chance)
    for axes in grid[len(curves.panels) :]:
        axes.set_visible(False)
    grid[0].set_ylim(floor_of(curves.extent[0]), 100.5)
    figure.supxlabel(f"{axis}\n{note}".rstrip(), fontsize=9, color=INK)
    figure.supylabel("accuracy, %", fontsize=9, color=INK)
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(3, len(names)), fontsize=8, frameon=False)
    return save(figure, path)


def _by_size(
    curves: Curves, panels: list[tuple[str, list[str]]], path: Path, note: str, chance: float | None, axis: str
) -> Path:
    """A column for each size of network, a row for each of ``panels``."""
    groups = by_size(curves.lines)
    figure = new_figure(3.7 * len(groups) + 0.4, 3.3 * len(panels) + 0.9)
    grid = figure.subplots(len(panels), len(groups), sharex=True, sharey=True, squeeze=False)
    for number, (row, (title, noises)) in enumerate(zip(grid, panels, strict=True)):
        for axes, group in zip(row, groups, strict=True):
            for other in (line for line in curves.lines if line not in group):
                means = curves.means(other, noises)
                axes.plot(means[:, 0], means[:, 1], **_BEHIND)
            for place, line in enumerate(group):
                style = style_of(place) | {"linestyle": "--" if line.schedule == "clip" else "-"}
                _draw(axes, curves, line, noises, style, _aside(curves, place, len(group)))
            _frame(axes, curves, _size(group) if number == 0 else "", chance)
            if number == 0:
                axes.legend(loc="lower right", fontsize=7, frameon=False)
        row[0].set_ylabel(f"{title}\naccuracy, %", fontsize=9, color=INK)
    _stretch(grid[0][0], curves)
    clips = "dashed: clip schedule; " * any(line.schedule == "clip" for line in curves.lines)
    grey = "grey: the networks of the other panels" * (len(groups) > 1)
    figure.supxlabel(f"{axis}\n{note}\n{clips}{grey}".rstrip("; \n"), fontsize=9, color=INK)
    return save(figure, path)


def _stretch(axes: Axes, curves: Curves) -> None:
    """Per cents on a logistic scale: 90 to 95 takes as much room as 80 to 90, so that like networks stay apart."""
    low, high = max(1.0, curves.extent[0] - 1), min(99.9, max(99.0, curves.extent[1]))
    axes.set_yscale(
        "function", functions=(lambda y: np.log((y + 0.1) / (100.1 - y)), lambda z: 100.2 / (1 + np.exp(-z)) - 0.1)
    )
    axes.set_ylim(low, high)
    axes.set_yticks([tick for tick in (2, 5, 10, 20, 40, 60, 70, 80, 90, 95, 98, 99.5) if low < tick < high])
    axes.minorticks_off()


def _size(group: Sequence[Line]) -> str:
    sizes = [line.parameters for line in group if line.parameters]
    if not sizes:
        return "networks"
    low, high = (f"{size / 1000:.1f}" for size in (min(sizes), max(sizes)))
    return f"{low} to {high} k parameters" if low != high else f"{low} k parameters"


def _aside(curves: Curves, number: int, count: int) -> float:
    """By how much a curve's clean mark stands beside the others'."""
    return curves.step * float(np.linspace(-0.3, 0.3, count)[number]) if count > 1 else 0.0


def _draw(axes: Axes, curves: Curves, line: Line, noises: list[str], style: dict[str, Any], aside: float) -> None:
    means = curves.means(line, noises)
    if len(means):
        axes.plot(means[:, 0], means[:, 1], label=line.name, **style)
        axes.fill_between(means[:, 0], means[:, 2], means[:, 3], color=style["color"], alpha=0.15, linewidth=0)
    clean = curves.counts.get((line.network, line.mid_stream, "", 0.0))
    if clean is not None:
        share, low, high = _share(clean)
        axes.errorbar(
            [curves.clean + aside], [share], [[share - low], [high - share]], label=None if len(means) else line.name,
            color=style["color"], marker=style["marker"], markersize=style["markersize"], linewidth=1.2,
        )  # fmt: skip


def _frame(axes: Axes, curves: Curves, title: str, chance: float | None) -> None:
    if chance is not None:
        axes.axhline(chance, color="#888888", linewidth=0.8, linestyle=(0, (1, 2)))
    quiet(axes)
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    axes.set_xticks([*curves.snrs, curves.clean], [*(f"{s:g}" for s in curves.snrs), "clean"])

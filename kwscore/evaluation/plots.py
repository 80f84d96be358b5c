"""Plots of results as PNG, without a screen. Networks differ by colour, marker and dash, never by colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kwscore.constants import LABELS, WORDS
from kwscore.evaluation.events import EventScore
from kwscore.evaluation.grid import Result, slug
from kwscore.evaluation.plot_style import INK, floor_of, new_figure, quiet, save, style_of
from kwscore.evaluation.report import wilson
from kwscore.evaluation.snr_plot import FEW, plot_snr


def plot_confusion(result: Result, path: Path) -> Path:
    """The confusion matrix in per cent of each true class, dark to bright, the shares written in."""
    confusion = result.confusion
    share = 100 * confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    figure = new_figure(6.8, 5.9)
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
    axes.set_xticks(ticks, LABELS, rotation=45, ha="right", fontsize=8, color=INK)
    names = [f"{label} ({n})" for label, n in zip(LABELS, confusion.sum(1), strict=True)]
    axes.set_yticks(ticks, names, fontsize=8, color=INK)
    axes.set_xlabel("answer", fontsize=9, color=INK)
    axes.set_ylabel("true class (clips)", fontsize=9, color=INK)
    accuracy = 100 * np.trace(confusion) / max(confusion.sum(), 1)
    unit = result.unit
    axes.set_title(f"{unit.network.name}, {unit.condition.name}: {accuracy:.1f} %", fontsize=9, color=INK)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("% of the true class", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)
    return save(figure, path)


def plot_classes(results: Sequence[Result], path: Path, title: str) -> Path:
    """Recall of every class with its 95 % interval, one mark a network; of more than five networks a map of figures."""
    if len(results) > FEW:
        return _class_map(results, path, title)
    figure = new_figure(8.4, 3.6)
    axes = figure.subplots()
    spread = np.linspace(-0.28, 0.28, len(results)) if len(results) > 1 else np.zeros(1)
    lowest = 100.0
    for number, result in enumerate(results):
        confusion = result.confusion
        total, correct = confusion.sum(1), np.diag(confusion)
        share = 100 * correct / np.maximum(total, 1)
        bounds = np.array([wilson(int(c), int(t)) for c, t in zip(correct, total, strict=True)])
        lowest = min(lowest, bounds[:, 0].min())
        style = style_of(number)
        axes.errorbar(
            np.arange(len(LABELS)) + spread[number], share, [share - bounds[:, 0], bounds[:, 1] - share],
            linestyle="none", marker=style["marker"], color=style["color"], markersize=4.5, linewidth=1,
            label=result.unit.network.name,
        )  # fmt: skip
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_ylabel("recall, %", fontsize=9, color=INK)
    axes.set_ylim(floor_of(lowest), 101)
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    quiet(axes)
    axes.grid(visible=False, axis="x")
    if len(results) > 1:
        figure.legend(loc="outside lower center", ncols=min(4, len(results)), fontsize=8, frameon=False)
    return save(figure, path)


def _class_map(results: Sequence[Result], path: Path, title: str) -> Path:
    """A row a network, smallest first, a column a class, the recall written in; the last column is the whole."""
    ordered = sorted(results, key=lambda r: r.unit.network.parameters or 0)
    counts = [r.confusion for r in ordered]
    share = [[*np.diag(c) / np.maximum(c.sum(1), 1), np.trace(c) / max(c.sum(), 1)] for c in counts]
    image = 100 * np.array(share)
    figure = new_figure(9.2, 0.3 * len(ordered) + 1.5)
    axes = figure.subplots()
    low = floor_of(image.min())
    axes.imshow(image, cmap="cividis", vmin=low, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(image):
        colour = "black" if value > low + 0.55 * (100 - low) else "white"
        axes.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=7, color=colour)
    axes.axvline(len(LABELS) - 0.5, color="white", linewidth=3)
    axes.set_xticks(range(len(LABELS) + 1), [*LABELS, "all"], fontsize=8, color=INK)
    axes.set_yticks(range(len(ordered)), [r.unit.network.name for r in ordered], fontsize=8, color=INK)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bounds = [wilson(int(c[i, i]), int(c[i].sum())) for c in counts for i in range(len(WORDS))]
    widest = max(high - low for low, high in bounds)
    axes.set_title(f"recall, %: {title}", fontsize=9, color=INK, loc="left")
    axes.set_xlabel(f"95 % intervals of a word: up to {widest / 2:.1f} points to either side", fontsize=8, color=INK)
    return save(figure, path)


def plot_det(curves: dict[str, list[tuple[float, EventScore]]], path: Path, marked: float, note: str) -> Path:
    """Misses against false accepts per hour over the thresholds; the default threshold is ringed."""
    figure = new_figure(5.6, 4.2)
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        x = [score.false_accepts_per_hour for _, score in curve]
        y = [100 * score.miss_rate for _, score in curve]
        axes.plot(x, y, label=name, **style_of(number))
        for threshold, score in curve:
            if threshold == marked:
                axes.plot(
                    score.false_accepts_per_hour, 100 * score.miss_rate, "o", markersize=11, fillstyle="none",
                    color=style_of(number)["color"],
                )  # fmt: skip
        for threshold, score in (curve[0], curve[-1]):
            axes.annotate(
                f"{threshold:g}", (score.false_accepts_per_hour, 100 * score.miss_rate), xytext=(5, 5),
                textcoords="offset points", fontsize=7, color=INK,
            )  # fmt: skip
    axes.set_xlabel("false accepts per hour", fontsize=9, color=INK)
    axes.set_ylabel("missed words, %", fontsize=9, color=INK)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_title(f"{note}; ringed: threshold {marked:g}", fontsize=8, color=INK, loc="left")
    axes.legend(fontsize=8, frameon=False)
    quiet(axes)
    return save(figure, path)


def write_plots(folder: Path, results: Sequence[Result], note: str, chance: float | None = None) -> list[Path]:
    """Every plot that the results allow; returns the paths. Raises KWScopeError without matplotlib."""
    made: list[Path] = []
    made += plot_snr(results, folder / "accuracy_against_snr.png", note, chance)
    first = results[0].unit.condition
    same = [r for r in results if r.unit.condition == first]
    made.append(plot_classes(same, folder / "recall_by_class.png", f"{first.name}; {note}"))
    made += [plot_confusion(r, folder / f"confusion_{slug(r.unit.network.name)}.png") for r in same]
    return made

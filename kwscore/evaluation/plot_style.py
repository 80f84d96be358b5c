"""What the plots have in common: colours, marks, a figure that needs no screen, a file that is whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kwscore.errors import KWScopeError
from kwscore.files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito: told apart with any colour vision."""
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.", ":")
INK, GRID = "#333333", "#DDDDDD"


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches, without a screen. Raises KWScopeError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise KWScopeError("Plots need matplotlib: install it with pip install 'kwscope[plots]'.") from None
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def style_of(number: int) -> dict[str, Any]:
    """Colour, marker and dash of a curve by its number: no two of 28 are the same."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
        "markersize": 4.5,
        "linewidth": 1.4,
    }


def quiet(axes: Axes) -> None:
    """A light grid behind, no frame above and at the right, small figures."""
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK)


def save(figure: Figure, path: Path) -> Path:
    """Write beside and rename. Raises KWScopeError naming the file."""
    with writing(path, parents=True) as part:
        figure.savefig(part, format="png")
    return path


def floor_of(value: float) -> float:
    """Where an axis of per cents begins: at a multiple of ten."""
    return max(0.0, 10.0 * np.floor(value / 10.0))

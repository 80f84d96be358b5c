"""Compares measured figures with those recorded in the checkpoints' cards and with the published ones.

A row is *comparable* where the figure beside it was made with the same weights on the same kind of set: the recorded
figure of a card always is (same split, same mix), the published figure only for published weights on the published
split and mix. Other published figures are shown with their difference, as orientation; they do not decide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kwscore.data.speech_commands import find_corpus
from kwscore.errors import KWScopeError
from kwscore.evaluation.grid import Result
from kwscore.evaluation.noisy import Condition
from kwscore.evaluation.packed import PackedNetwork, load_all
from kwscore.evaluation.report import wilson
from kwscore.evaluation.sets import EvaluationSet
from kwscore.models.checkpoint import shipped_checkpoints
from kwscore.models.config import ALIASES

TOLERANCE = 2.0
"""Points of accuracy, as in the published script."""
QUICK_CLIPS = 600
STANDARD_ERRORS = 3.0
"""By how many standard errors of its draw a subset may be farther off."""


class UnknownModel(KWScopeError):
    """A network is asked for that does not come with KWScope or cannot be loaded."""

    exit_code = 3


class NoData(KWScopeError):
    """Speech Commands is nowhere."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Published:
    """A published figure in per cent, where it is from, and whether split and mix are those measured."""

    accuracy: float
    split: str
    mix: str
    same_set: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One network in one condition. Figures in per cent; ``margin`` what the draw of a subset may add to the tolerance.

    ``comparable``: differences that decide. ``other_clips``: of how many the recorded figure is, where of others.
    """

    network: str
    condition: str
    clips: int
    measured: float
    low: float
    high: float
    recorded: float | None
    published: Published | None
    comparable: tuple[float, ...]
    margin: float
    other_clips: int = 0

    def within(self, tolerance: float) -> bool:
        """Whether every comparable difference is within tolerance (and the margin of a subset)."""
        return all(abs(d) <= tolerance + self.margin + 1e-9 for d in self.comparable)

    def to_dict(self, tolerance: float) -> dict[str, Any]:
        """Plain values."""
        published = self.published
        return {
            "network": self.network,
            "condition": self.condition,
            "clips": self.clips,
            "measured": round(self.measured, 2),
            "low": round(self.low, 2),
            "high": round(self.high, 2),
            "recorded": self.recorded,
            "minus_recorded": None if self.recorded is None else round(self.measured - self.recorded, 2),
            "published": published and published.accuracy,
            "minus_published": published and round(self.measured - published.accuracy, 2),
            "published_on": published and f"{published.mix} mix, {published.split} split",
            "comparable": bool(self.comparable),
            "margin": round(self.margin, 2),
            "within": self.within(tolerance) if self.comparable else None,
        }


def load_networks(names: Iterable[str] | None) -> list[PackedNetwork]:
    """Shipped networks by name (None: all), checkpoints by path, or NAME=FILE.pt.

    Raises UnknownModel for a name that does not come with KWScope, a file that cannot be loaded, or where none is.
    """
    shipped = list(shipped_checkpoints())
    specs = list(dict.fromkeys(names)) if names is not None else shipped
    if not specs:
        raise UnknownModel("No network comes with this copy of KWScope: train one, or give a path with --models.")
    for spec in specs:
        name = ALIASES.get(spec, spec)
        if name not in shipped and "=" not in spec and not Path(spec).is_file():
            raise UnknownModel(
                f"--models {spec} does not come with KWScope; there are: {', '.join(shipped) or 'none'}."
            )
    try:
        return load_all(specs)
    except KWScopeError as error:
        raise UnknownModel(str(error)) from None


def find_data(given: Path | None) -> Path:
    """The folder of Speech Commands: the one given, or data/ in the checkout, here or at home.

    Raises NoData saying how to get it.
    """
    checkout = Path(__file__).resolve().parents[2]
    places = [given] if given is not None else [checkout / "data", Path.cwd() / "data", Path.home() / "data"]
    for place in places:
        try:
            return find_corpus(place).root
        except (KWScopeError, OSError) as error:
            reason = str(error)
    looked = ", ".join(dict.fromkeys(map(str, places)))
    raise NoData(
        f"Speech Commands was not found in {looked}: 'kwscope data fetch' downloads it into ./data "
        f"(2.4 GB, CC BY 4.0), or give its folder with --data-dir." + (f" ({reason})" if given is not None else "")
    )


@cache
def _published_sets() -> list[dict[str, Any]]:
    content = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))
    snrs = [float(s) for s in content["snr_db"]]
    for one in content["sets"]:
        for figures in one["networks"].values():
            for noise in [n for n in figures if n != "clean"]:
                figures[noise] = dict(zip(snrs, figures[noise], strict=True))
    return list(content["sets"])


def published_figure(network: str, condition: Condition, split: str, mix: str) -> Published | None:
    """The published weights' figure: on this split and mix, else this mix, else balanced, else any; or None."""
    if condition.special or condition.mid_stream or condition.noise.startswith("recorded"):
        return None
    name = ALIASES.get(network, network)
    found = []
    for one in _published_sets():
        figures = one["networks"].get(name, {})
        value = figures.get(condition.noise, {}).get(condition.snr_db) if condition.noise else figures.get("clean")
        if value is not None:
            same = (one["split"], one["mix"]) == (split, mix)
            rank = (not same, one["mix"] != mix, one["mix"] != "balanced", one["split"] != split)
            found.append((rank, Published(float(value), one["split"], one["mix"], same)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def recorded_figure(network: PackedNetwork, condition: Condition, data: EvaluationSet) -> tuple[float, int] | None:
    """What the card says for this split, in the balanced mix: per cent, and of how many clips (0: not said)."""
    if data.mix != "balanced":
        return None
    for figure in network.card.get(data.split) or []:
        if isinstance(figure, dict) and figure.get("condition") == condition.name:
            value = figure.get("accuracy")
            return (float(value), int(figure.get("clips") or 0)) if isinstance(value, int | float) else None
    return None


def draw_error(share: float, clips: int, whole: int, recorded: int) -> float:
    """Standard error, in points, of the difference that the choice of clips makes.

    ``clips`` of ``whole`` were measured; the figure to compare with is of ``recorded`` clips (0: the same ``whole``).
    """
    other = recorded not in (0, whole)
    variance = 1 / max(clips, 1) + 1 / recorded if other else max(0.0, 1 / max(clips, 1) - 1 / max(whole, 1))
    return 100 * math.sqrt(share * (1 - share) * variance)


def compare(results: Sequence[Result], data: EvaluationSet, whole_clips: int) -> list[Row]:
    """A row for each result on ``data``, which was drawn from a set of ``whole_clips`` clips."""
    rows = []
    for result in results:
        network, condition = result.unit.network, result.unit.condition
        clips, right = int(result.confusion.sum()), int(np.trace(result.confusion))
        share = right / max(clips, 1)
        measured = 100 * share
        recorded, of_clips = recorded_figure(network, condition, data) or (None, 0)
        own = network.card.get("published") is True
        published = published_figure(network.card.get("network", network.name), condition, data.split, data.mix)
        differences = [measured - recorded] if recorded is not None else []
        if own and published is not None and published.same_set:
            differences.append(measured - published.accuracy)
        margin = STANDARD_ERRORS * draw_error(share, clips, whole_clips, of_clips)
        low, high = wilson(right, clips)
        rows.append(
            Row(
                network.name,
                condition.name,
                clips,
                measured,
                low,
                high,
                recorded,
                published,
                tuple(differences),
                margin,
                of_clips if of_clips != whole_clips else 0,
            )
        )
    return rows


def table(rows: Sequence[Row], tolerance: float) -> list[tuple[str, ...]]:
    """Rows of text, heading first; "!" marks what is out of tolerance, "b" and "p" the mix of a published figure."""
    out: list[tuple[str, ...]] = [
        ("network", "condition", "clips", "measured", "95 % interval", "recorded", "diff", "", "published", "diff", "")
    ]
    for r in rows:
        published = r.published
        out.append(
            (
                r.network,
                r.condition,
                str(r.clips),
                f"{r.measured:.1f}",
                f"{r.low:.1f} - {r.high:.1f}",
                "n/a" if r.recorded is None else f"{r.recorded:.1f}",
                "" if r.recorded is None else f"{r.measured - r.recorded:+.1f}",
                "!" if r.comparable and not r.within(tolerance) else "",
                "n/a" if published is None else f"{published.accuracy:.1f}",
                "" if published is None else f"{r.measured - published.accuracy:+.1f}",
                "" if published is None else ("p" if published.mix == "published" else "b"),
            )
        )
    return out


def verdict(rows: Sequence[Row], tolerance: float) -> tuple[bool, str]:
    """Whether every comparable row is within tolerance, and the closing lines."""
    comparable = [r for r in rows if r.comparable]
    if not comparable:
        return True, "No row is comparable with a recorded figure: nothing to judge."
    largest = max(abs(d) for r in comparable for d in r.comparable)
    passed = all(r.within(tolerance) for r in comparable)
    margin = max(r.margin for r in comparable)
    allowed = f"tolerance {tolerance:g}" + (
        f" and {STANDARD_ERRORS:g} standard errors of the clips' draw (at most {margin:.1f})" if margin > 0 else ""
    )
    other = next((r.other_clips for r in comparable if r.other_clips), 0)
    return passed, (
        (f"The cards' figures are of other clips ({other:,}): other recordings were in the folders.\n" if other else "")
        + f"{len(comparable)} comparable rows, largest difference {largest:.1f} points, {allowed}: "
        f"{'PASS' if passed else 'FAIL'}"
    )


LEGEND = (
    "recorded: our weights' figure in the checkpoint's card. published: the authors' weights, not ours; "
    "b on the official balanced test set, p on the paper's mix, of which about 60 % is unknown."
)

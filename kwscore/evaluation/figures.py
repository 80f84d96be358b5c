"""The figures that a card's rows come down to: one definition for tables, the queue and training's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEAN_NOISES = ("white 0 dB", "pink 0 dB", "factory 0 dB", "street 0 dB")
"""Conditions whose mean accuracy is called "noise"."""


def card_figures(card: Mapping[str, Any]) -> dict[str, float]:
    """Per cent of right answers on validation, as the card has it; what it does not have is left out.

    ``clean``, of these ``words``, ``silence`` and ``unknown``; ``noise``, the mean of ``MEAN_NOISES``; ``babble`` at
    0 dB; and the number of ``clips``.
    """
    rows = card.get("validation")
    found = {row.get("condition"): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    clean, babble = found.get("clean", {}), found.get("babble 0 dB", {})
    each = [found.get(name, {}).get("accuracy") for name in MEAN_NOISES]
    noisy = [float(value) for value in each if isinstance(value, int | float)]
    figures = {
        "clean": clean.get("accuracy"),
        **{name: clean.get(name) for name in ("words", "silence", "unknown")},
        "noise": round(sum(noisy) / len(noisy), 2) if len(noisy) == len(MEAN_NOISES) else None,
        "babble": babble.get("accuracy"),
        "clips": clean.get("clips"),
    }
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}

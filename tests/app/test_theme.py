"""Legible in every theme, also to colour-blind eyes (contrast by WCAG 2)."""

from __future__ import annotations

import itertools
import math

import pytest
from PySide6.QtGui import QColor

from app import theme as themes
from app.settings import PREFERENCES
from kwscore.cli.window import Theme as Choices

ALL = [themes.LIGHT, themes.DARK, themes.CONTRAST]


def luminance(colour: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    c = QColor(colour)
    return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF())


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ALL, ids=lambda theme: theme.name)
def test_text_stands_out(theme: themes.Theme) -> None:
    wanted = 7.0 if theme is themes.CONTRAST else 4.5
    for name, ground in itertools.product(
        ("text", "muted", "accent", "good", "warn", "bad"), ("surface", "plot", "raised")
    ):
        assert contrast(getattr(theme, name), getattr(theme, ground)) >= wanted, f"{name} on {ground}"
    assert contrast(theme.on_accent, theme.accent) >= wanted


@pytest.mark.parametrize("theme", ALL, ids=lambda theme: theme.name)
def test_lines_of_plots_stand_out(theme: themes.Theme) -> None:
    for colour in (*theme.series, *theme.experts, *theme.blocks, theme.wave, theme.truth):
        assert contrast(colour, theme.plot) >= (5.0 if theme is themes.CONTRAST else 2.0), colour


def test_high_contrast_draws_its_controls() -> None:
    assert contrast(themes.CONTRAST.line, themes.CONTRAST.surface) >= 3


def simulate(colour: str, kind: str) -> tuple[float, float, float]:
    """What protan and deutan eyes see (Vienot, Brettel and Mollon 1999), as linear RGB."""
    c = QColor(colour)
    r, g, b = (value**2.2 for value in (c.redF(), c.greenF(), c.blueF()))
    if kind == "protan":
        return 0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b
    return 0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b


@pytest.mark.parametrize("theme", ALL, ids=lambda theme: theme.name)
@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_lines_that_share_a_plot_differ_to_colour_blind_eyes(theme: themes.Theme, kind: str) -> None:
    for group in (theme.experts, theme.blocks):
        for one, other in itertools.combinations(group, 2):
            assert math.dist(simulate(one, kind), simulate(other, kind)) > 0.08, f"{one} and {other}"


def test_the_choices_are_the_same_everywhere() -> None:
    row = next(row for row in PREFERENCES if row.name == "theme")
    assert tuple(value for value, _ in row.choices) == themes.CHOICES == tuple(choice.value for choice in Choices)
    for choice in themes.CHOICES:
        assert themes.resolve(choice).name in {theme.name for theme in ALL}


def test_text_size_scales_fonts_and_lengths(qapp) -> None:
    before = themes.font(12).pixelSize()
    try:
        assert themes.set_text_scale(130)
        assert not themes.set_text_scale(130)
        assert themes.font(12).pixelSize() == round(before * 1.3)
        assert themes.scaled(100) == 130
    finally:
        themes.set_text_scale(100)

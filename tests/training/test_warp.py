"""Vocal tract length perturbation: bands move as frequencies do, and nothing moves where it is off."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.errors import KWScopeError
from kwscore.models.melbank import mel_edges
from kwscore.training.reads import warp_bands
from kwscore.training.recipe import TrainingRecipe

RECIPE = TrainingRecipe(warp=0.15)


class _Fixed:
    """Draws the one factor it was made with."""

    def __init__(self, factor: float):
        self.factor = factor

    def uniform(self, _low: float, _high: float, n: int) -> np.ndarray:
        return np.full(n, self.factor - 1)


def test_without_warp_nothing_is_drawn() -> None:
    rng = np.random.default_rng(1)
    assert warp_bands(replace(RECIPE, warp=0.0), 3, rng) is None
    assert rng.random() == np.random.default_rng(1).random()


def test_a_factor_of_one_changes_nothing() -> None:
    matrix = warp_bands(RECIPE, 2, _Fixed(1.0))  # type: ignore[arg-type]
    assert matrix is not None
    np.testing.assert_allclose(matrix, np.broadcast_to(np.eye(40), (2, 40, 40)), atol=1e-6)


@given(st.floats(0.85, 1.15), st.integers(4, 33))
def test_a_tone_moves_to_the_band_of_its_frequency(factor: float, band: int) -> None:
    matrix = warp_bands(RECIPE, 1, _Fixed(factor))  # type: ignore[arg-type]
    assert matrix is not None
    centres = mel_edges()[1:-1]
    peak = int((np.eye(40)[band] @ matrix[0]).argmax())
    # what a band hears is taken from factor times its frequency: a tone is heard at its frequency over the factor
    assert abs(np.log(centres[peak] * factor / centres[band])) <= np.log(centres[band] / centres[band - 1])


@given(st.integers(0, 1000))
def test_levels_are_kept(seed: int) -> None:
    matrix = warp_bands(RECIPE, 8, np.random.default_rng(seed))
    assert matrix is not None
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(np.ones(40) @ matrix, 1.0, atol=1e-5)  # a flat spectrum stays flat
    assert len(np.unique(matrix, axis=0)) == 8  # every row its own factor


def test_a_warp_that_turns_the_spectrum_round_is_refused() -> None:
    with pytest.raises(KWScopeError, match="warp"):
        TrainingRecipe(warp=1.0)
    with pytest.raises(KWScopeError, match="warp"):
        TrainingRecipe(warp=-0.1)

from __future__ import annotations

from typing import Any

import pytest

from kwscore.evaluation.figures import MEAN_NOISES, card_figures


def _row(condition: str, accuracy: Any, **more: float) -> dict[str, Any]:
    return {"condition": condition, "accuracy": accuracy, **more}


def test_the_mean_is_of_all_four_noises_or_there_is_none() -> None:
    rows = [_row(name, 80.0 + i) for i, name in enumerate(MEAN_NOISES)]
    assert card_figures({"validation": rows}) == {"noise": 81.5}
    assert card_figures({"validation": rows[1:]}) == {}
    assert card_figures({"validation": [*rows[1:], _row(MEAN_NOISES[0], None)]}) == {}


def test_clean_has_its_parts_and_clips() -> None:
    clean = _row("clean", 92.5, clips=3104, words=93.0, silence=98.0, unknown=75.0)
    found = card_figures({"validation": [clean, _row("babble 0 dB", 70.0)]})
    assert found == {
        "clean": 92.5, "words": 93.0, "silence": 98.0, "unknown": 75.0, "babble": 70.0, "clips": 3104,
    }  # fmt: skip


@pytest.mark.parametrize("card", [{}, {"validation": None}, {"validation": "good"}, {"validation": [3, {}]}])
def test_a_card_without_figures_has_none(card: dict[str, Any]) -> None:
    assert card_figures(card) == {}

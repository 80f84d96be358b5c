"""The comparison with and without calibration: paired, and true to what the engine answers."""

from __future__ import annotations

import numpy as np
import pytest

from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.evaluation.calibrated import OWN, Comparison, Outcome, compare_ways, noise_then_clip
from kwscore.evaluation.noisy import Condition
from kwscore.evaluation.sets import load_set
from kwscore.stream import StreamEngine
from tests.data.corpus import make_corpus
from tests.stream.nets import DUAL, random_net


def test_mcnemar_and_gain() -> None:
    """10 of 12 changes for the better: p = 2 (1 + 12 + 66) / 4096."""
    row = Comparison("white 0 dB", "heard SNR", 100, 60, 68, 10, 2)
    assert row.gain == pytest.approx(8.0)
    assert row.p == pytest.approx(2 * 79 / 4096)
    assert Comparison("white 0 dB", "heard SNR", 100, 60, 60, 0, 0).p == 1.0


def test_totals_are_over_the_noises_at_0_db() -> None:
    yes, no = np.ones(3, np.bool_), np.zeros(3, np.bool_)
    conditions = ("white 0 dB", "pink 0 dB", "pink 30 dB")
    right = {OWN: dict.fromkeys(conditions, no), "true SNR": dict.fromkeys(conditions, yes)}
    (total,) = [row for row in Outcome("net", right, []).comparisons() if row.condition == "all at 0 dB"]
    assert (total.clips, total.mended, total.broke) == (6, 6, 0)


def test_answers_are_the_engines_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = load_set(make_corpus(tmp_path_factory.mktemp("corpus")), "validation")
    engine = StreamEngine(random_net(DUAL))
    own = engine.calibration
    condition = Condition("white", 0.0)
    outcome = compare_ways(engine, data, -25.0, [condition], 7, ["always default", "always extreme"])
    np.testing.assert_array_equal(engine.calibration, own)
    np.testing.assert_array_equal(outcome.right[OWN]["white 0 dB"], outcome.right["always default"]["white 0 dB"])
    fresh = StreamEngine(random_net(DUAL))
    for row in (0, len(data.labels) - 1):
        before, second = noise_then_clip(data, row, condition, 7)
        assert len(before) == len(second) == SAMPLE_RATE
        fresh.reset()
        fresh.process(before)
        right = fresh.process(second)[-1].logits.argmax() == data.labels[row]
        assert right == outcome.right[OWN]["white 0 dB"][row]
    with pytest.raises(KWScopeError, match="in noise at an SNR"):
        compare_ways(engine, data, -25.0, [Condition()])

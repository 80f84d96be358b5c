"""The compiled datapath equals the oracle bit for bit, on audio and at the limits of every field."""

from __future__ import annotations

import numpy as np
import pytest

from kwscore.constants import HOP
from kwscore.fixed import layout as at
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from tests.fixed.images import NAMES, extreme_image, extreme_state, image
from tests.fixed.oracle import Frame, Oracle
from tests.stream.signals import PCM, named_signals, varied


def assert_equal(trace: at.Trace, expected: Frame, where: str) -> None:
    """Every tensor of a frame, bit for bit."""
    for field, array in zip(at.Trace._fields, trace, strict=True):
        wanted = np.array(expected[field], np.int64).reshape(array.shape)
        assert np.array_equal(array, wanted), f"{where}: {field} differs"


def run_both(made: Image, samples: PCM) -> int:
    engine = FixedEngine(made)
    oracle = Oracle(made, engine.state)
    traces = engine.trace(samples)
    for t, trace in enumerate(traces):
        pcm = samples[HOP * t : HOP * t + 512].tolist()
        assert_equal(trace, oracle.frame(pcm), f"{made.name}, frame {t}")
    state = engine.state
    for field in ("ring", "minimum", "floor", "envelope", "mean", "var", "conv", "hidden", "pool", "pool_sum"):
        assert np.array_equal(getattr(state, field).ravel(), np.array(oracle.s[field], np.int64).ravel()), field
    return len(traces)


@pytest.mark.parametrize("name", NAMES)
def test_audio(name: str) -> None:
    assert run_both(image(name), varied(0.3, seed=3)) == 27


@pytest.mark.parametrize("signal", sorted(named_signals(0.1)))
def test_signals_that_stress_one_thing(signal: str) -> None:
    assert run_both(image(NAMES[0]), named_signals(0.1)[signal]) == 7


def test_across_two_blocks_of_minima_and_the_pooling_ring() -> None:
    """Frames around 75, 97 and 150: the oracle starts from the engine's state just before them."""
    made = image(NAMES[0])
    samples = varied(2.0, seed=5)
    engine = FixedEngine(made)
    done = 0
    for start, count in ((73, 4), (95, 4), (148, 4)):
        engine.process(samples[done * HOP + (352 if done else 0) : start * HOP + 352])
        oracle = Oracle(made, engine.state)
        for t in range(start, start + count):
            trace = engine.trace(samples[t * HOP + 352 : (t + 1) * HOP + 352])[0]
            assert_equal(trace, oracle.frame(samples[t * HOP : t * HOP + 512].tolist()), f"frame {t}")
        done = start + count


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", NAMES)
def test_limits_of_every_field(name: str, seed: int) -> None:
    """Random constants and memories up to their limits: equal, and no operand leaves its width (asserted inside)."""
    rng = np.random.default_rng([seed, NAMES.index(name)])
    made = extreme_image(name, rng, share=(0.5, 0.05)[seed % 2])
    engine = FixedEngine(made)
    frame = (0, 3, 4, 75, 96, 150)[seed]
    state = extreme_state(made, rng, frame)
    engine.state = state
    fresh = rng.choice(np.array([-32768, 32767, 0, 1], np.int16), HOP)
    pcm = np.concatenate([state.pcm[: 512 - HOP], fresh]).tolist()
    oracle = Oracle(made, state)
    assert_equal(engine.trace(fresh)[0], oracle.frame(pcm), f"{name}, frame {frame}")

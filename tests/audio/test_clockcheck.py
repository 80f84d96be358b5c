"""Losses that nobody reports: found by the clock, and not seen where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.clockcheck import ClockCheck


def observe(seconds, *, lost=(), rate=16_000, ppm=0.0, jitter=0.0, held=(), burst=0.0):
    """Blocks of 10 ms from a device; ``lost``: (time, seconds) gaps; ``held``: (from, to) in which blocks wait."""
    rng = np.random.default_rng(0)
    check = ClockCheck(rate)
    frames = 0
    for k in range(int(seconds * 100)):
        t = (k + 1) * 0.01
        if any(a <= t < a + n for a, n in lost):
            continue
        frames += rate // 100
        arrives = max(t * (1 - ppm * 1e-6) - burst, 0.01) + rng.uniform(0, jitter)
        arrives = max([arrives, *(b for a, b in held if a <= t < b)])
        check.observe(frames, 500.0 + arrives)
    return check.missing


@given(st.floats(-2_000, 2_000), st.floats(0, 0.03), st.floats(0, 0.03))
def test_nothing_is_missing_from_a_device_with_drift_jitter_and_a_first_burst(ppm, jitter, burst):
    assert observe(20, ppm=ppm, jitter=jitter, burst=burst) == 0


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("gap", [0.1, 0.5, 2.5])
def test_a_gap_is_measured(gap, rate):
    assert observe(20, lost=[(7.0, gap)], rate=rate) == pytest.approx(gap * rate, abs=0.03 * rate)


def test_gaps_add_up():
    assert observe(30, lost=[(5.0, 0.2), (15.0, 0.3)]) == pytest.approx(0.5 * 16_000, abs=800)


@pytest.mark.parametrize("length", [0.3, 1.5, 6.0])
def test_blocks_that_only_come_late_are_not_missing(length):
    assert observe(30, held=[(7.0, 7.0 + length)]) == 0

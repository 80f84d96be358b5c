"""Images for the tests: quantised random networks, and random constants up to the limits of their fields."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kwscore.fixed import image as im
from kwscore.fixed import layout as at
from kwscore.fixed.calibrate import quantise, synthetic_calibration
from kwscore.models.config import NetworkConfig
from kwscore.stream.engine import network_arrays
from kwscore.stream.weights import Arrays
from tests.stream.nets import random_net

DUAL = "NanoMamba-Tiny-DualPCEN"
NAMES = (DUAL, "NanoMamba-Tiny", "NanoMamba-Matched-DualPCEN")


@cache
def arrays(name: str, seed: int = 0) -> tuple[NetworkConfig, Arrays]:
    """Configuration and weights of a random network."""
    return network_arrays(random_net(name, seed))


@cache
def image(name: str, seed: int = 0) -> im.Image:
    """A random network, quantised on a few seconds."""
    return quantise(*arrays(name, seed), [s[:20000] for s in synthetic_calibration(8.0)])


def extreme_image(name: str, rng: np.random.Generator, share: float = 0.5) -> im.Image:
    """Sizes of a network with random weights, shifts and constants over the whole range of their fields.

    ``share`` of the constants are at a limit of their field, the rest anywhere in between. Only what a quantiser never
    changes (norm prior and horizon, model width, epsilon) keeps its meaning.
    """
    base = image(name)

    def within(shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
        values = rng.integers(low, high + 1, shape)
        pick = rng.random(shape)
        return np.where(pick < share / 2, low, np.where(pick < share, high, values))

    const = {}
    for field, array in base.const._asdict().items():
        out = array.copy()
        for index, low, high in im.field_ranges(field, out):
            if low < 0 or high >= 64:
                out[index] = within(out[index].shape, low, high)
            else:  # shifts: around the real ones, so that not everything becomes 0
                out[index] = np.clip(array[index] + rng.integers(-6, 4, out[index].shape), low, high)
        const[field] = out
    kept = [at.NORM_PRIOR, at.NORM_HORIZON, at.XN_SHIFT, at.WIDTH_MANTISSA, at.WIDTH_SHIFT, at.WIDTH_LOG2, at.LN_EPS]
    const["scalar"][kept] = base.const.scalar[kept]
    const["decay_shift"] = np.maximum(const["decay_shift"], 0)
    weight = at.Matrices(*(within(w.shape, -127, 127) for w in base.weight))
    shift = at.Shifts(*(np.clip(s + rng.integers(-6, 4, s.shape), 0, im.MAX_SHIFT) for s in base.shift))
    made = replace(base, const=at.Constants(**const), weight=weight, shift=shift)
    im.check_ranges(made, "the test image")
    return made


def extreme_state(made: im.Image, rng: np.random.Generator, frame: int) -> at.State:
    """A state with every memory anywhere in its range, its limits included."""
    state = at.new_state(made.sizes, made.const)

    def within(array: NDArray[np.int64], low: int, high: int) -> None:
        pick = rng.random(array.shape)
        values = rng.integers(low, high + 1, array.shape)
        array[...] = np.where(pick < 0.2, low, np.where(pick < 0.4, high, values))

    within(state.ring, 0, 2**24 - 1)
    within(state.minimum, 0, at.NO_MINIMUM)
    within(state.floor, 84, 2**32 - 1)
    within(state.envelope, 0, 2**32 - 1)
    within(state.mean, -(2**31), 2**31 - 1)
    within(state.var, 0, 2**31 - 1)
    within(state.conv, -(2**15), 2**15 - 1)
    within(state.hidden, -(2**23), 2**23 - 1)
    within(state.pool, -(2**15), 2**15 - 1)
    state.pool_sum[:] = state.pool.sum(0)
    state.pcm[:] = rng.choice([-32768, 32767, 0], 512) if frame % 2 else rng.integers(-32768, 32768, 512)
    state.counter[:] = (512 - 160, frame)
    return state

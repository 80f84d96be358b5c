"""Recordings of runners that hear sound of our own making."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kwscore.session.recorder import Recorder
from kwscore.session.tap import PreRoll
from kwscore.stream import StreamEngine
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.runner import Runner
from tests.stream.fakes import Blocks
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied

SETTINGS = DetectionSettings(smoothing_ms=30, threshold=0.12, minimum_ms=10, refractory_ms=200, release=0.99)
"""Random weights are unsure of everything: at this threshold they report words."""
Hook = Callable[[int, Runner, Recorder], object]


@pytest.fixture(scope="session")
def float_net():
    return random_net(DUAL, seed=4)


@pytest.fixture(scope="session")
def float_engine(float_net) -> StreamEngine:
    return StreamEngine(float_net)


@pytest.fixture(scope="session")
def speech() -> NDArray[np.int16]:
    """Twelve seconds of noise, tones and pauses."""
    return np.concatenate([varied(2.0, seed=seed) for seed in range(6)])


def record(
    path: Path,
    engine: Any,
    samples: NDArray[np.int16],
    *,
    blocks: int = 70,
    begin: int | None = None,
    pre_roll: float | None = None,
    hook: Hook | None = None,
    settings: DetectionSettings = SETTINGS,
    **options: Any,
) -> Path:
    """Record ``samples`` in ``blocks`` steps. ``begin``: the step before which recording begins (None: at once).
    ``hook`` is called before every step."""
    source = Blocks(np.array_split(samples, blocks))
    runner = Runner(source, engine, Detector(settings))
    before = PreRoll(pre_roll) if pre_roll is not None else None
    recorder = Recorder(path, patient=True, reserve=0, **options)
    begun = False
    step = 0
    while not runner.finished:
        if not begun and (begin is None or step >= begin):
            recorder.start(before)
            begun = True
        if hook is not None:
            hook(step, runner, recorder)
        batch = runner.step()
        if begun:
            recorder.feed(batch, runner)
        elif before is not None:
            before.feed(batch, runner)
        step += 1
    recorder.stop()
    return path

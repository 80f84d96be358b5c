"""Records for ever, telling on stdout how much is on the disk; whoever started it kills it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from kwscore.session.recorder import Recorder
from kwscore.stream import StreamEngine
from kwscore.stream.detection import Detector
from kwscore.stream.runner import Runner
from tests.session.conftest import SETTINGS
from tests.stream.fakes import Blocks
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied

if __name__ == "__main__":
    engine = StreamEngine(random_net(DUAL, seed=4))
    sound = np.concatenate([varied(2.0, seed=seed) for seed in range(6)])
    source = Blocks([])
    runner = Runner(source, engine, Detector(SETTINGS))
    recorder = Recorder(Path(sys.argv[1]), reserve=0)
    recorder.start()
    for _ in range(100_000):
        source.blocks += np.array_split(sound, 1200)
        for _ in range(1200):
            recorder.feed(runner.step(), runner)
            time.sleep(0.001)
            print(recorder.progress().written, flush=True)

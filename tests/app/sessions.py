"""Sessions made for tests, and windows that replay them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.session_replay import Replay
from app.sources import Choice
from kwscore.audio.source import SourceState
from kwscore.constants import SAMPLE_RATE
from kwscore.session.notes import Note
from kwscore.session.recorder import Recorder
from kwscore.stream.detection import DetectionSettings, Detector
from kwscore.stream.runner import Runner
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, LoudnessEngine, tone
from tests.app.handling import LEFT, microphone_or_file, part


def make_session(path: Path, seconds: float = 9.0, every: int = 3, notes: tuple[Note, ...] = ()) -> Path:
    """A session of silence with a loud half second ``every`` so many seconds."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.int16)
    for second in range(every, int(seconds), every):
        samples[second * SAMPLE_RATE : second * SAMPLE_RATE + 8000] = tone(8000)

    class Once(Device):
        """Delivers the samples once."""

        def read(self, timeout: float = 0.0):
            block = samples[self._position : self._position + 1600]
            self._position += len(block)
            self.state = SourceState.RUNNING if self._position < len(samples) else SourceState.FINISHED
            return block

    source = Once()
    source.state = SourceState.RUNNING
    runner = Runner(source, LoudnessEngine(), Detector(DetectionSettings()))
    path.parent.mkdir(exist_ok=True)
    recorder = Recorder(path, reserve=0, patient=True)
    recorder.start()
    for note in notes:
        recorder.put_note(note)
    while not runner.finished:
        recorder.feed(runner.step(), runner)
    recorder.stop()
    return path


def replaying(open_window: OpenWindow, qtbot, path: Path, **parts: object):
    window = open_window(Choice("file", str(path)), **{"build_source": microphone_or_file(Device()), **parts})
    qtbot.mouseClick(window.toolbar.run_button, LEFT)
    qtbot.waitUntil(lambda: part(window, Replay).session is not None)
    return window, part(window, Replay)

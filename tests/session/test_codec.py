"""Frames as they are stored: everything that an engine told comes back, also where another one stood in for a board."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.fixed.engine import FixedEngine
from kwscore.session.codec import Frames, pack_frames, unpack_frames
from kwscore.session.export import telemetry_csv
from kwscore.session.reader import Session
from kwscore.stream import StreamEngine
from kwscore.stream.telemetry import Telemetry
from tests.session.conftest import record

PCM = NDArray[np.int16]


def same(one: Telemetry, other: Telemetry) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Telemetry.__slots__)


def test_a_full_recording_holds_gain_control_and_gate_of_every_frame(
    tmp_path: Path, float_engine: StreamEngine, speech: PCM
) -> None:
    record(tmp_path / "a.kwsession", float_engine, speech)
    float_engine.reset()
    told = float_engine.process(speech)
    with Session(tmp_path / "a.kwsession") as session:
        kept = [block.telemetry(row, 0) for block in session.frames() for row in range(len(block))]
        assert kept[0].pcen.shape == (40,)
        assert kept[0].gate.shape == told[0].gate.shape
        assert len(kept) == len(told)
        for one, other in zip(kept, told, strict=True):
            assert same(one, replace(other, elapsed_us=one.elapsed_us))
        lines = list(csv.DictReader(telemetry_csv(session, tmp_path / "a.csv").open()))
    assert np.float32(lines[7]["pcen_39"]) == told[7].pcen[39]
    blocks, states = told[0].gate.shape
    assert np.float32(lines[7][f"gate_{blocks - 1}_{states - 1:02}"]) == told[7].gate[-1, -1]


def test_frames_that_stood_in_for_a_board_are_stored_with_its_own(float_net, speech: PCM) -> None:
    """A board tells nothing of gain control and gate, the integer engine in its place does."""
    told = FixedEngine(float_net).process(speech[:16_000])
    stood_in = {row for row in range(len(told)) if row % 3}
    mixed = [
        full if row in stood_in else replace(full, pcen=np.zeros(0, np.float32), gate=np.zeros((0, 0), np.float32))
        for row, full in enumerate(told)
    ]
    frames = Frames.of(mixed, np.zeros((len(told), 12), np.float32), 0, stood_in)
    back = unpack_frames(pack_frames(frames))
    for row, full in enumerate(told):
        found = back.telemetry(row, 0)
        assert found.pcen.size == found.gate.size == 0
        assert same(found, replace(full, pcen=found.pcen, gate=found.gate)), row
    assert back.columns["stood_in"].tolist() == [row in stood_in for row in range(len(told))]

"""The shipped float engine behind a virtual board: what crosses the link is the engine's telemetry, rounded."""

from __future__ import annotations

import numpy as np

from kwscore.board.core import model_id_of
from kwscore.board.engine import BoardModel
from kwscore.board.handshake import Weights
from kwscore.board.protocol import Sizes
from kwscore.stream.engine import StreamEngine
from tests.board.conftest import Bench
from tests.board.toy import speech_like
from tests.stream.nets import DUAL, random_net


def test_the_float_engine_on_a_virtual_board(bench: Bench) -> None:
    net = random_net(DUAL)
    expected_engine = StreamEngine(net)
    expected_engine.process(speech_like(10))  # compiles or loads, which would look like a lost board
    expected_engine.reset()
    names = tuple(expected_engine.expert_names)
    sizes = Sizes(12, len(names), expected_engine.blocks, expected_engine.channels)
    weights = Weights(b"any image", model_id_of(expected_engine), sizes)
    model = BoardModel(expected_engine.name, expected_engine.model_hash, names, weights)
    board = bench.board(StreamEngine(net), loaded=False)
    engine = bench.engine(board.port, model)
    for attribute in ("name", "model_hash", "expert_names", "blocks", "channels"):
        assert getattr(engine, attribute) == getattr(expected_engine, attribute)
    audio = speech_like(120)
    got, expected = engine.process(audio), expected_engine.process(audio)[:117]
    assert [r.sample for r in got] == [r.sample for r in expected]
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine.logits, np.clip(theirs.logits, -64, 64), atol=2**-9)
        np.testing.assert_allclose(mine.snr, theirs.snr, atol=2**-16 + 1e-7)
        np.testing.assert_allclose(mine.routing, theirs.routing, atol=2**-16 + 1e-7)
        np.testing.assert_allclose(mine.delta, np.clip(theirs.delta, 0, 31.9997), atol=2**-12 + 1e-6)
        np.testing.assert_allclose(mine.mel, theirs.mel, rtol=4e-4)
        assert abs(mine.level_dbfs - theirs.level_dbfs) < 1e-3
        assert mine.elapsed_us > 0
        assert (mine.pcen.size, mine.gate.size) == (0, 0)  # not on the line

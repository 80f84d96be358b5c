"""The golden board: the integer engine behind the link equals the integer engine, weights sent over the line."""

from __future__ import annotations

import numpy as np
import pytest

from kwscore.board.client import Timing
from kwscore.board.device import Device
from kwscore.board.fields import encode_telemetry, encode_words, integer_words
from kwscore.board.golden import GoldenCore, board_model
from kwscore.board.protocol import Flag, Mask, Result, Sizes
from kwscore.fixed.engine import FixedEngine
from tests.board.conftest import Bench
from tests.board.toy import speech_like
from tests.fixed.images import image

DUAL = "NanoMamba-Tiny-DualPCEN"


@pytest.mark.timeout(900)  # a cold cache on a slow machine
def test_the_golden_board_equals_the_integer_engine(bench: Bench) -> None:
    mine, others = image(DUAL, 1), image(DUAL, 2)
    assert mine.model_id != others.model_id
    board = bench.board(Device(GoldenCore(others)))  # it has other weights of the same sizes, none committed
    # Compiled code that is loaded or made meanwhile holds everything up: patience is all that this test needs.
    engine = bench.engine(board.port, board_model(mine), timing=Timing(answer=5.0, silence=60.0, hop=300.0))
    expected_engine = FixedEngine(mine)
    for attribute in ("name", "model_hash", "expert_names", "blocks", "channels"):
        assert getattr(engine, attribute) == getattr(expected_engine, attribute)
    assert engine.client.info.model_id == mine.model_id
    audio = speech_like(60)
    got, expected = engine.process(audio), expected_engine.process(audio)[:57]
    assert [r.frame for r in got] == [r.frame for r in expected]
    for ours, theirs in zip(got, expected, strict=True):
        for field in ("logits", "snr", "delta"):
            np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field), err_msg=field)
        np.testing.assert_allclose(ours.routing, theirs.routing, atol=2**-16)
        np.testing.assert_allclose(ours.mel, theirs.mel, rtol=1e-3)


def test_words_of_the_integers_are_those_of_the_telemetry() -> None:
    """Sent exactly; the mel field comes from the table unit, within a step of the logarithm of a float."""
    engine, mask = FixedEngine(image(DUAL, 1)), Mask(0x7F)
    audio = np.concatenate([np.zeros(2000, np.int16), speech_like(30), np.full(1000, 32767, np.int16)])
    records = engine.process(audio)
    engine.reset()
    out = engine.outputs(audio)
    assert len(out.logits) == len(records)
    for row, record in enumerate(records):
        exact = Result(0, 0, Flag.FULL, encode_words(integer_words(out, row), mask, (3, 65537))).fields(mask, Sizes())
        float_ = Result(0, 0, Flag.FULL, encode_telemetry(record, mask, (3, 65537))).fields(mask, Sizes())
        for field in mask:
            difference = np.abs(exact[field].astype(int) - float_[field].astype(int)).max()
            assert difference <= (1 if field in (Mask.MEL, Mask.DELTA_MEAN) else 0), field
    assert exact[Mask.COUNTERS].tolist() == [3, 1]
    assert (out.log_mel[0] == -32768).all()  # digital silence

"""FEAT_FRAME: the network alone, on features from elsewhere. Engine, board sim and RTL give the same bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from kwscore.board import verilated
from kwscore.board.client import BoardClient
from kwscore.board.device import Device
from kwscore.board.golden import GoldenCore, board_model
from kwscore.board.protocol import Flag, Mask, Mode, Result
from kwscore.board.verilated import VerilatedBoard
from kwscore.board.virtual import VirtualBoard
from kwscore.constants import HOP
from kwscore.errors import KWScopeError
from kwscore.fixed.engine import FixedEngine
from tests.board.conftest import CALM
from tests.board.toy import speech_like
from tests.fixed.images import image

DUAL = "NanoMamba-Tiny-DualPCEN"
pytestmark = pytest.mark.timeout(1200)  # a cold cache on a slow machine, or a simulator to be built


def front_end(engine: FixedEngine, samples: NDArray[np.int16]) -> NDArray[np.int64]:
    """What the front end hands to the network, (T, 2, 40)."""
    return np.array([np.stack([trace.normed, trace.snr]) for trace in engine.trace(samples)])


def test_the_network_alone_is_the_network_of_the_engine() -> None:
    """Past the ring of 97 frames that the classifier averages."""
    made = image(DUAL, 1)
    audio = speech_like(110)
    expected = FixedEngine(made).outputs(audio)
    alone = FixedEngine(made)
    got = alone.features(front_end(FixedEngine(made), audio))
    for name in ("logits", "delta", "snr", "factor"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    alone.reset()
    np.testing.assert_array_equal(alone.outputs(audio).logits, expected.logits)


def test_features_leave_the_front_end_alone() -> None:
    """Frames in between change the network's memory, not what is heard."""
    made = image(DUAL, 1)
    engine, audio = FixedEngine(made), speech_like(20)
    heard = engine.outputs(audio[: 10 * HOP])
    given = engine.features(front_end(FixedEngine(made), speech_like(7, seed=3)))
    assert (given.mel == heard.mel[-1]).all()
    later = engine.outputs(audio[10 * HOP :])
    expected = FixedEngine(made).outputs(audio)
    np.testing.assert_array_equal(np.concatenate([heard.snr, later.snr]), expected.snr)
    assert (later.logits != expected.logits[len(heard.logits) :]).any()


def test_features_of_another_shape_are_refused() -> None:
    with pytest.raises(KWScopeError, match=r"\(3, 40\).*give \(frames, 2, 40\)"):
        FixedEngine(image(DUAL, 1)).features(np.zeros((3, 40), np.int64))


def conversation(client: BoardClient) -> Iterator[Result]:
    """Features before any sound, between hops, at once after a reset: every answer."""
    made = image(DUAL, 1)
    client.set_mode(1, client.info.mask)
    index = 0

    def features(count: int, seed: int) -> Iterator[Result]:
        nonlocal index
        for frame in front_end(FixedEngine(made), speech_like(count + 3, seed)):
            yield client.features(index, frame.astype("<i2").tobytes())
            index += 1

    for number in range(2):
        client.start_stream()
        yield from features(3, 10 + number)
        for hop in speech_like(6, 20 + number).reshape(-1, HOP):
            client.send(hop)
        yield from features(5, 30 + number)  # the hops are computed first
        for hop in speech_like(6, 40 + number).reshape(-1, HOP):
            client.send(hop)
            answers = client.results(wait=True)
        yield from (answer.result for answer in answers if answer.result is not None)


def test_the_board_sim_takes_features() -> None:
    made = image(DUAL, 1)
    with (
        VirtualBoard(Device(GoldenCore(made), made.model_id)) as board,
        BoardClient(board.port, weights=board_model(made).weights, timing=CALM) as client,
    ):
        assert client.info.mode & Mode.FEATURES
        client.set_mode(1, Mask.LOGITS)
        client.start_stream()
        expected = FixedEngine(made).outputs(speech_like(8))
        for number, frame in enumerate(front_end(FixedEngine(made), speech_like(8))):
            answer = client.features(number, frame.astype("<i2").tobytes())
            assert (answer.index, answer.flags) == (number, Flag.FULL | Flag.FEATURES)
            assert answer.body == expected.logits[number].astype("<i2").tobytes()


@pytest.mark.skipif(bool(verilated.missing_tools()), reason="needs verilator, g++ and make")
def test_the_board_sim_answers_as_the_hardware_does() -> None:
    """Every byte of every field, whatever came before."""
    made = image(DUAL, 1)
    said = []
    for board in (VirtualBoard(Device(GoldenCore(made))), VerilatedBoard()):
        with board, BoardClient(board.port, weights=board_model(made).weights, timing=CALM) as client:
            said.append([(r.index, r.flags, r.body) for r in conversation(client)])
    assert len(said[0]) == 2 * (3 + 5 + 1)
    assert said[0] == said[1]

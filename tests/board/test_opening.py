"""Boards by name: served, loaded, closed, and refused with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kwscore.board.client import BoardClient, State, Timing
from kwscore.board.device import Device
from kwscore.board.errors import BoardError
from kwscore.board.golden import GoldenCore
from kwscore.board.opening import VIRTUAL, open_board, serve
from kwscore.board.ports import board_name
from kwscore.board.virtual import VirtualBoard
from kwscore.constants import HOP
from kwscore.errors import KWScopeError
from kwscore.fixed.engine import FixedEngine
from kwscore.stream.telemetry import Engine
from tests.board.toy import speech_like
from tests.fixed.images import image

DUAL = "NanoMamba-Tiny-DualPCEN"
pytestmark = pytest.mark.timeout(900)  # a cold cache on a slow machine


@pytest.mark.parametrize("kind", ["pty", "socket"])
def test_sim_runs_the_network_and_ends_with_its_engine(kind: str) -> None:
    states: list[State] = []
    engine = open_board("sim", image(DUAL, 1), kind=kind, on_state=states.append)  # type: ignore[arg-type]
    with engine:
        assert isinstance(engine, Engine)
        assert engine.client.info.model_id == image(DUAL, 1).model_id
        port = engine.client.port
        assert (kind == "pty") == os.path.exists(port)
        records = engine.process(speech_like(10))
    expected = FixedEngine(image(DUAL, 1)).process(speech_like(10))
    assert [r.logits.tolist() for r in records] == [r.logits.tolist() for r in expected[:7]]
    assert states == [State.READY, State.STREAMING, State.CLOSED]
    assert not os.path.exists(port)


def test_the_standby_is_of_the_same_network() -> None:
    made: list[FixedEngine] = []

    def standby(image_: object) -> FixedEngine:
        made.append(FixedEngine(image_))
        return made[0]

    with open_board("sim", image(DUAL, 1), standby=standby) as engine:
        engine.process(speech_like(5))
        assert engine.on_board
    assert made[0].image is image(DUAL, 1)
    assert made[0].state.counter[1] == 2  # it heard everything too: 800 samples are two frames


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "empty"), ("nowhere", "no port nowhere"), ("socket://127.0.0.1:1", "No virtual board listens")],
)
def test_names_that_are_no_board(name: str, words: str) -> None:
    with pytest.raises(KWScopeError, match=words):
        open_board(name, image(DUAL, 1))


def test_a_board_that_is_not_there_yet_is_taken_when_it_comes(tmp_path: Path) -> None:
    """Software from the first sample, then the board, without a seam."""
    made = image(DUAL, 1)
    link = tmp_path / "board"
    timing = Timing(answer=5.0, silence=30.0, retry=0.05, hop=120.0)
    audio = speech_like(40)
    with open_board(str(link), made, standby=FixedEngine, may_wait=True, timing=timing) as engine:
        assert engine.client.state is State.LOST
        assert "There is no port" in engine.client.reason
        assert (engine.name, engine.blocks, engine.channels) == (made.name, 2, 24)
        assert engine.expert_names == made.expert_names
        records = engine.process(audio[: 10 * HOP])
        assert not engine.on_board
        with VirtualBoard(Device(GoldenCore(made)), link=link):
            assert engine.client.wait_for(State.READY, timeout=60)
            records += engine.process(audio[10 * HOP :])
            assert engine.on_board
            assert engine.client.reason == ""
    assert [r.frame for r in records] == list(range(37))
    expected = FixedEngine(made).process(audio)
    assert [r.logits.tolist() for r in records[:7]] == [r.logits.tolist() for r in expected[:7]]


def test_closing_a_board_that_never_came_is_final(tmp_path: Path) -> None:
    engine = open_board(str(tmp_path / "nowhere"), image(DUAL, 1), standby=FixedEngine, may_wait=True)
    engine.close()
    assert engine.client.state is State.CLOSED


def test_names_of_virtual_boards_are_taken_in_any_case() -> None:
    assert [board_name(name) for name in ("SIM", " Rtl ", "/dev/ttyUSB1", "COM5 ")] == [
        *("sim", "rtl", "/dev/ttyUSB1", "COM5")
    ]


def test_a_slow_line_is_refused_before_anything_is_started() -> None:
    with pytest.raises(BoardError, match=r"115,200 baud.*334,000 bit/s"):
        open_board("sim", "no such network", baud=115_200)


def test_what_was_started_ends_when_connecting_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from kwscore.board import opening

    ended: list[str] = []

    class Dead:
        port = "nowhere"

        def held_up(self) -> bool:
            return False

        def close(self) -> None:
            ended.append("closed")

    monkeypatch.setattr(opening, "serve", lambda *_, **__: Dead())
    with pytest.raises(BoardError, match="no port nowhere"):
        open_board("sim", image(DUAL, 1))
    assert ended == ["closed"]


def test_sim_starts_without_weights() -> None:
    served = serve("sim", image(DUAL, 1))
    try:
        client = BoardClient(served.port)
        with pytest.raises(BoardError, match="kwscope board load"):
            client.connect()
    finally:
        served.close()
    assert set(VIRTUAL) == {"sim", "rtl"}


def test_the_default_is_the_shipped_network(repository: Path) -> None:
    with open_board("sim") as engine:
        shipped = FixedEngine.load(DUAL)
        assert (engine.name, engine.model_hash) == (shipped.name, shipped.model_hash)
        assert engine.client.info.model_id == shipped.model_id
        assert np.isfinite(engine.process(speech_like(4))[0].logits).all()

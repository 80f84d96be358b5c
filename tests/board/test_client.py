"""The client against a virtual board: finding, loading, streaming, statistics, rates."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from kwscore.board import protocol as p
from kwscore.board.client import BoardClient, State
from kwscore.board.core import EngineCore
from kwscore.board.device import Device
from kwscore.board.engine import BoardEngine, BoardModel
from kwscore.board.errors import BoardError
from kwscore.board.handshake import Weights
from kwscore.constants import HOP
from kwscore.errors import KWScopeError
from kwscore.stream.telemetry import Engine
from tests.board.conftest import PATIENT, Bench
from tests.board.faults import FrameFault, corrupt_byte, drop_frame
from tests.board.toy import CountingCore, ToyEngine, assert_same, speech_like

IMAGE = np.random.default_rng(3).bytes(5900)
WEIGHTS = Weights(IMAGE, int(ToyEngine.model_hash[:8], 16), p.Sizes())
MODEL = BoardModel("Toy", ToyEngine.model_hash, ToyEngine.expert_names, WEIGHTS)


def refusing(image: bytes) -> ToyEngine:
    raise KWScopeError("no image")


@pytest.mark.parametrize("kind", ["pty", "socket"])
def test_the_engine_on_a_board_equals_the_engine(bench: Bench, kind: str) -> None:
    audio = speech_like(40)
    engine = bench.engine(bench.board(kind=kind).port, MODEL)
    assert isinstance(engine, Engine)
    assert (engine.name, engine.model_hash, engine.blocks, engine.channels) == ("Toy", ToyEngine.model_hash, 2, 24)
    assert_same(engine.process(audio), ToyEngine().process(audio)[: 40 - 3])
    assert engine.client.lost_results == 0
    assert engine.client.stats().frames > 40


@pytest.mark.parametrize("chunk", [1, 159, 160, 161, 1000, 6400])
def test_any_chunking_gives_the_same_records(bench: Bench, chunk: int) -> None:
    audio = speech_like(40)[: 2000 if chunk == 1 else None]
    engine = bench.engine(bench.board().port)
    records = [r for start in range(0, len(audio), chunk) for r in engine.process(audio[start : start + chunk])]
    assert_same(records, ToyEngine().process(audio)[: len(audio) // HOP - 3])


def test_reset_equals_a_new_engine(bench: Bench) -> None:
    engine = bench.engine(bench.board().port)
    engine.process(speech_like(9, seed=5)[:-77])
    engine.reset()
    audio = speech_like(12)
    assert_same(engine.process(audio), ToyEngine().process(audio)[:9])


def test_link_and_compute_time_are_apart(bench: Bench) -> None:
    core = CountingCore(ToyEngine())
    engine = bench.engine(bench.board(Device(core, core.model_id)).port)
    assert engine.client.info.counts_cycles
    records = engine.process(speech_like(10))
    assert [t.frame for t in engine.timings] == [r.frame for r in records]
    assert all(t.compute_us == r.elapsed_us == 123.0 for t, r in zip(engine.timings, records, strict=True))
    assert all(t.link_us > 0 and t.trip_us == t.link_us + 123.0 for t in engine.timings)
    assert engine.client.stats().as_dict(engine.client.info)["max_cycles"] == core.CYCLES


def test_a_board_without_cycle_counter_has_only_the_round_trip(bench: Bench) -> None:
    """This machine's time is never shown as a board's."""
    engine = bench.engine(bench.board().port)
    assert not engine.client.info.counts_cycles
    records = engine.process(speech_like(10))
    assert all(np.isnan(t.compute_us) and t.trip_us == t.link_us > 0 for t in engine.timings)
    assert [r.elapsed_us for r in records] == [t.trip_us for t in engine.timings]
    stats = engine.client.stats()
    assert stats.max_cycles == 0
    assert stats.as_dict(engine.client.info)["max_cycles"] is None


def test_a_real_line_is_paced(bench: Bench) -> None:
    audio = speech_like(40)
    engine = bench.engine(bench.board(paced=True).port)
    begin = time.monotonic()
    assert_same(engine.process(audio), ToyEngine().process(audio)[:37])
    assert time.monotonic() - begin >= 40 * 330 * 10 / 1e6  # a lower bound: it never fails for a slow machine


def test_credit_is_never_exceeded(bench: Bench) -> None:
    board = bench.board()
    client = bench.client(board.port)
    client.start_stream()
    most = 0
    for hop in range(30):
        client.send(np.full(HOP, hop, np.int16))
        most = max(most, client.under_way)
    assert most <= client.info.credit == 6
    assert [r.hop for r in client.results(wait=True)] == list(range(30))


def test_every_hop_is_answered_and_the_first_three_warm_up(bench: Bench) -> None:
    client = bench.client(bench.board().port, stride=2)
    client.start_stream()
    for _ in range(8):
        client.send(np.zeros(HOP, np.int16))
    flags = [r.result.flags for r in client.results(wait=True) if r.result]
    warm, full, brief = p.Flag.WARMUP, p.Flag.FULL, p.Flag(0)
    assert flags == [warm, warm, warm, full, brief, full, brief, full]


def test_weights_are_loaded_where_others_are(bench: Bench) -> None:
    seen = []

    def loader(image: bytes) -> ToyEngine:
        seen.append(image)
        return ToyEngine()

    core = EngineCore(ToyEngine(), loader)
    client = bench.client(bench.board(Device(core)).port, weights=WEIGHTS)
    assert seen == [IMAGE]
    assert client.info.model_id == WEIGHTS.model_id
    assert client.info.mode & p.Mode.LOADED


def test_loading_the_weights_tells_how_far_it_is(bench: Bench) -> None:
    said: list[str] = []
    core = EngineCore(ToyEngine(), lambda image: ToyEngine())
    bench.client(bench.board(Device(core)).port, weights=WEIGHTS, progress=said.append)
    assert said[-1] == f"Loading the weights: 100% of {len(IMAGE):,} bytes"
    assert len(said) == -(-len(IMAGE) // p.WEIGHT_BLOCK)


def test_the_weights_are_complete_once(bench: Bench) -> None:
    """The last block of the shipped image is 8 bytes: 99.9 % is not yet 100."""
    said: list[str] = []
    weights = Weights(bytes(9224), WEIGHTS.model_id, p.Sizes())
    core = EngineCore(ToyEngine(), lambda image: ToyEngine())
    bench.client(bench.board(Device(core)).port, weights=weights, progress=said.append)
    assert [line for line in said if "100%" in line] == said[-1:]


def test_weights_that_are_there_are_not_loaded_again(bench: Bench) -> None:
    bench.client(bench.board(Device(EngineCore(ToyEngine(), refusing), WEIGHTS.model_id)).port, weights=WEIGHTS)


def test_an_image_that_cannot_be_read_is_refused(bench: Bench) -> None:
    with pytest.raises(BoardError, match="another network"):
        bench.client(bench.board(Device(EngineCore(ToyEngine(), refusing))).port, weights=WEIGHTS)


@pytest.mark.parametrize("kind", [p.Type.LOAD_WEIGHTS, p.Type.COMMIT, p.Type.RESET, p.Type.SET_MODE, p.Type.HELLO])
@pytest.mark.parametrize("damage", [drop_frame, corrupt_byte])
def test_requests_lost_on_the_way_are_repeated(bench: Bench, kind: p.Type, damage: object) -> None:
    board = bench.board(loaded=False)
    board.to_board = fault = FrameFault(kind, 0, damage)  # type: ignore[arg-type]
    client = bench.client(board.port, weights=WEIGHTS)
    assert client.info.model_id == WEIGHTS.model_id
    assert fault.hits == 1


@pytest.mark.parametrize("kind", [p.Type.ACK, p.Type.INFO])
@pytest.mark.parametrize("nth", [0, 1, 5])
def test_answers_lost_on_the_way_are_asked_for_again(bench: Bench, kind: p.Type, nth: int) -> None:
    board = bench.board(loaded=False)
    board.to_host = FrameFault(kind, nth, drop_frame)
    assert bench.client(board.port, weights=WEIGHTS).info.model_id == WEIGHTS.model_id


def test_an_image_of_another_network_is_refused(bench: Bench) -> None:
    board = bench.board(loaded=False)
    with pytest.raises(BoardError, match="another network"):
        bench.client(board.port, weights=Weights(IMAGE, 77, p.Sizes()))
    with pytest.raises(BoardError, match="24 channels, 2 experts, not 3, 24, 2"):
        bench.client(board.port, weights=Weights(IMAGE, 77, p.Sizes(blocks=3)))
    with pytest.raises(BoardError, match="room for 16384"):
        bench.client(board.port, weights=Weights(bytes(17000), 77, p.Sizes()))


def test_a_board_without_weights_says_how_to_load_them(bench: Bench) -> None:
    with pytest.raises(BoardError, match="kwscope board load"):
        bench.client(bench.board(loaded=False).port)


@pytest.mark.parametrize("baud", [1_000_000, 2_000_000, 921_600])
def test_rates(bench: Bench, baud: int) -> None:
    board = bench.board()
    engine = bench.engine(board.port, baud=baud)
    assert abs(board.device.baud / baud - 1) < 0.01
    audio = speech_like(8)
    assert_same(engine.process(audio), ToyEngine().process(audio)[:5])


def test_rates_that_cannot_carry_audio_are_refused_with_the_reason() -> None:
    with pytest.raises(BoardError, match=r"115,200 baud.*334,000 bit/s.*1,000,000"):
        BoardClient("nowhere", baud=115_200)
    with pytest.raises(BoardError, match="clock"):
        BoardClient("nowhere", baud=3_000_000)


def test_a_board_at_another_rate_is_found(bench: Bench) -> None:
    board = bench.board()
    with BoardClient(board.port, baud=2_000_000, timing=PATIENT):
        assert board.device.baud == 2_000_000
    client = bench.client(board.port)
    assert client.state is State.READY
    assert board.device.baud == 1_000_000


def test_modes_statistics_and_features(bench: Bench) -> None:
    board = bench.board()
    client = bench.client(board.port)
    client.set_mode(3, p.Mask.LOGITS)
    assert client.mode == p.SetMode(3, p.Mask.LOGITS)
    with pytest.raises(BoardError, match="bad argument"):
        client.set_mode(1, p.Mask(512))
    with pytest.raises(BoardError, match="unsupported"):
        client.features(0, bytes(160))
    assert client.stats().crc_errors == 0


def test_features_are_answered_by_a_core_that_can(bench: Bench) -> None:
    record = ToyEngine().process(speech_like(4))[0]
    core = EngineCore(ToyEngine(), features=lambda data: record)
    client = bench.client(bench.board(Device(core, core.model_id)).port)
    result = client.features(7, bytes(160))
    assert result.index == 7
    assert result.flags == p.Flag.FEATURES | p.Flag.FULL
    np.testing.assert_array_equal(result.fields(p.FULL_MASK, p.Sizes())[p.Mask.LOGITS], record.logits * 512)


def test_the_port_can_be_closed_and_opened_again(bench: Bench) -> None:
    board = bench.board()
    audio = speech_like(5)
    for _ in range(3):
        with BoardEngine(board.port) as engine:
            assert_same(engine.process(audio), ToyEngine().process(audio)[:2])
        assert engine.client.state is State.CLOSED


def test_ports_that_cannot_be_opened_are_named_with_what_to_do(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"no port .*missing.*kwscope board list"):
        bench.client(str(tmp_path / "missing"))
    (tmp_path / "text").write_text("")
    with pytest.raises(BoardError, match="no usable serial port"):
        bench.client(str(tmp_path / "text"))
    board = bench.board()
    bench.client(board.port)
    with pytest.raises(BoardError, match="in use"):
        bench.client(board.port)
    with pytest.raises(BoardError, match=r"socket://127\.0\.0\.1:1"):
        bench.client("socket://127.0.0.1:1")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may open everything")
def test_a_port_without_permission_names_the_group(bench: Bench) -> None:
    board = bench.board()
    Path(os.path.realpath(board.port)).chmod(0)
    with pytest.raises(BoardError, match="join the group"):
        bench.client(board.port)


def test_the_advice_on_permission(tmp_path: Path) -> None:
    from kwscore.board.connection import _why

    assert "join the group dialout (sudo usermod -aG dialout $USER)" in _why(
        str(tmp_path / "gone"), PermissionError(13, "denied")
    )

"""Every fault of the line and of the board, injected, and what comes of it."""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kwscore.board import protocol as p
from kwscore.board.client import State
from kwscore.board.core import EngineCore
from kwscore.board.device import Device
from kwscore.board.engine import BoardEngine
from kwscore.board.errors import BoardError, BoardLostError
from kwscore.constants import HOP
from kwscore.stream.telemetry import Telemetry
from tests.board import faults
from tests.board.conftest import IMPATIENT, QUICK, SHARP, Bench, Looks
from tests.board.faults import FrameFault
from tests.board.test_client import MODEL, WEIGHTS
from tests.board.toy import ToyEngine, assert_same, speech_like

HOPS = 60
GENEROUS = 30.0


def zeroed(audio: np.ndarray, *hops: int) -> np.ndarray:
    out = audio.copy()
    for hop in hops:
        out[hop * HOP : (hop + 1) * HOP] = 0
    return out


def live(engine: BoardEngine, audio: np.ndarray) -> list[Telemetry]:
    """As a microphone feeds it: several hops in a call, so that frames are in flight."""
    return [r for start in range(0, len(audio), 5 * HOP) for r in engine.process(audio[start : start + 5 * HOP])]


def until_lost(engine: BoardEngine) -> None:
    for _ in range(1000):
        engine.process(speech_like(1))


# ---- rules 1 and 2: lost, doubled and corrupted bytes, gaps ------------------------------------------------------
@pytest.mark.parametrize(
    "damage",
    [faults.drop_byte, faults.double_byte, faults.corrupt_byte, faults.early_delimiter, faults.drop_frame],
)
def test_a_damaged_audio_frame_becomes_a_hop_of_zeros(bench: Bench, damage: Callable[[bytes], bytes]) -> None:
    board = bench.board()
    board.to_board = fault = FrameFault(p.Type.PCM_FRAME, 21, damage)
    engine = bench.engine(board.port)
    audio = speech_like(HOPS)
    records = live(engine, audio)
    assert fault.hits == 1
    expected = ToyEngine().process(zeroed(audio, 21))[: HOPS - 3]
    assert [r.frame for r in records] == [e.frame for e in expected]
    for field in ("logits", "snr", "mel"):
        for mine, theirs in zip(records, expected, strict=True):
            np.testing.assert_array_equal(getattr(mine, field), getattr(theirs, field))
    stats = engine.client.stats()
    assert stats.gaps == 1
    assert (stats.crc_errors > 0) == (damage is not faults.drop_frame)
    assert engine.filled == 1
    assert engine.client.reconnections == 0


def test_a_lost_delimiter_costs_two_frames(bench: Bench) -> None:
    board = bench.board()
    board.to_board = FrameFault(p.Type.PCM_FRAME, 21, faults.drop_delimiter)
    engine = bench.engine(board.port)
    audio = speech_like(HOPS)
    records = live(engine, audio)
    expected = ToyEngine().process(zeroed(audio, 21, 22))
    np.testing.assert_array_equal(records[-1].logits, expected[HOPS - 4].logits)
    assert engine.filled == 2


def test_a_gap_too_long_starts_the_stream_anew(bench: Bench) -> None:
    board = bench.board()
    board.to_board = FrameFault(p.Type.PCM_FRAME, 20, faults.drop_frame, count=4)
    engine = bench.engine(board.port)
    audio = speech_like(HOPS)
    records = live(engine, audio)
    before = ToyEngine().process(audio[: 20 * HOP])[:17]
    assert_same(records[:17], before)
    # Afterwards the board is a new engine whose frames keep their places on the sample clock.
    restart = records[17].frame
    assert restart > 20
    after = ToyEngine().process(audio[restart * HOP :])
    got = [replace(r, frame=r.frame - restart, sample=r.sample - restart * HOP) for r in records[17:]]
    assert_same(got, after[: len(got)])
    assert got[-1].frame == HOPS - 4 - restart
    assert engine.client.reconnections == 0


def test_an_audio_frame_that_comes_twice_starts_the_stream_anew(bench: Bench) -> None:
    board = bench.board()
    board.to_board = FrameFault(p.Type.PCM_FRAME, 20, faults.double_frame)
    engine = bench.engine(board.port)
    audio = speech_like(HOPS)
    live(engine, audio)
    assert engine.process(speech_like(5))[-1].frame == HOPS + 1
    assert board.device.stats.gaps >= 1


@pytest.mark.parametrize("damage", [faults.drop_byte, faults.double_byte, faults.corrupt_byte, faults.drop_frame])
def test_a_damaged_result_is_missing_and_nothing_else(bench: Bench, damage: Callable[[bytes], bytes]) -> None:
    board = bench.board()
    board.to_host = FrameFault(p.Type.RESULT, 21, damage)
    engine = bench.engine(board.port)
    audio = speech_like(HOPS)
    expected = ToyEngine().process(audio)[: HOPS - 3]
    del expected[21 - 3]
    assert_same(live(engine, audio), expected)
    assert engine.client.lost_results == 1
    assert (engine.client.link_errors > 0) == (damage is not faults.drop_frame)


def test_a_result_that_comes_twice_counts_once(bench: Bench) -> None:
    board = bench.board()
    board.to_host = FrameFault(p.Type.RESULT, 10, faults.double_frame, count=20)
    audio = speech_like(HOPS)
    assert_same(live(bench.engine(board.port), audio), ToyEngine().process(audio)[: HOPS - 3])


def test_a_single_lost_hop_is_given_up_after_asking(bench: Bench) -> None:
    board = bench.board()
    board.to_board = FrameFault(p.Type.PCM_FRAME, 10, faults.drop_frame)
    engine = bench.engine(board.port, timing=SHARP)
    audio = speech_like(20)
    records = [r for hop in range(20) for r in engine.process(audio[hop * HOP : (hop + 1) * HOP])]
    assert [r.frame for r in records] == [f for f in range(17) if f != 10 - 3]
    assert engine.client.lost_results == 1


# ---- rule 4: silence ---------------------------------------------------------------------------------------------
def test_a_stalled_board_is_lost_and_comes_back(bench: Bench) -> None:
    board = bench.board()
    engine = bench.engine(board.port, timing=SHARP)
    engine.process(speech_like(10))
    board.stall()
    with pytest.raises(BoardLostError, match="stopped answering"):
        engine.process(speech_like(2))
    assert engine.client.wait_for(State.LOST, timeout=GENEROUS)
    assert not engine.on_board
    board.stall(False)
    assert engine.client.wait_for(State.READY, timeout=GENEROUS)
    audio = speech_like(8)
    records = engine.process(audio)
    assert records[0].frame == 12, "the lost hops count, the warm-up is spent anew"
    got = [replace(r, frame=r.frame - 12, sample=r.sample - 12 * HOP) for r in records]
    assert_same(got, ToyEngine().process(audio)[:5])


def test_a_board_without_a_processor_is_not_lost(bench: Bench) -> None:
    """Its silence counts only while it could have answered: the thread that serves it waits here."""
    board = bench.board()
    looks = Looks(board.held_up)
    engine = bench.engine(board.port, timing=IMPATIENT, held_up=looks)
    audio = speech_like(20)
    records = engine.process(audio[: 10 * HOP])
    waits = threading.Event()

    def hold() -> None:
        with board._lock:
            waits.set()
            looks.wait(30)  # of 0.05 s: seven times as long as it would be waited for

    thread = threading.Thread(target=hold)
    thread.start()
    assert waits.wait(GENEROUS)
    records += engine.process(audio[10 * HOP :])
    thread.join()
    assert_same(records, ToyEngine().process(audio)[:17])
    assert engine.client.reconnections == engine.client.lost_results == 0


def test_a_board_that_has_a_processor_and_is_silent_is_lost(bench: Bench) -> None:
    board = bench.board()
    engine = bench.engine(board.port, timing=IMPATIENT, held_up=board.held_up)
    engine.process(speech_like(10))
    board.stall()
    with pytest.raises(BoardLostError, match="stopped answering"):
        engine.process(speech_like(2))


def test_a_board_that_answers_but_computes_nothing_is_lost(bench: Bench) -> None:
    board = bench.board()
    engine = bench.engine(board.port, timing=SHARP)
    board.to_host = FrameFault(p.Type.RESULT, 0, faults.drop_frame, count=1_000_000)
    with pytest.raises(BoardLostError, match="sends no results"):
        until_lost(engine)


# ---- rule 5: unplugged -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["pty", "socket"])
def test_an_unplugged_board_is_lost_and_comes_back(bench: Bench, kind: str) -> None:
    board = bench.board(kind=kind, loaded=False)
    engine = bench.engine(board.port, MODEL)
    engine.process(speech_like(10))
    board.unplug()
    with pytest.raises(BoardLostError, match=r"plug|virtual board"):
        until_lost(engine)
    assert engine.client.wait_for(State.LOST, timeout=GENEROUS)
    board.plug()
    assert engine.client.wait_for(State.READY, timeout=GENEROUS)
    engine.reset()
    audio = speech_like(8)
    assert_same(engine.process(audio), ToyEngine().process(audio)[:5])
    assert engine.client.reconnections == 1


def test_a_board_unplugged_while_idle_is_noticed(bench: Bench) -> None:
    board = bench.board()
    client = bench.client(board.port)
    states: list[State] = []
    client._on_state = states.append
    board.unplug()
    assert client.wait_for(State.LOST, timeout=GENEROUS)
    assert client.reason
    board.plug()
    assert client.wait_for(State.READY, timeout=GENEROUS)
    assert states[0] is State.LOST
    assert states[-1] is State.READY


def test_closing_while_lost_is_quick_and_final(bench: Bench) -> None:
    board = bench.board()
    client = bench.client(board.port)
    board.unplug()
    assert client.wait_for(State.LOST, timeout=GENEROUS)
    client.close()
    assert client.state is State.CLOSED
    assert all(t.name != "board-supervisor" for t in threading.enumerate())


def test_software_takes_over_without_a_seam(bench: Bench) -> None:
    board = bench.board()
    engine = bench.engine(board.port, standby=ToyEngine())
    audio = speech_like(40)
    records = live(engine, audio[: 10 * HOP])
    assert engine.on_board
    board.unplug()
    assert engine.client.wait_for(State.LOST, timeout=GENEROUS)
    records += live(engine, audio[10 * HOP : 20 * HOP])
    assert not engine.on_board
    board.plug()
    assert engine.client.wait_for(State.READY, timeout=GENEROUS)
    records += live(engine, audio[20 * HOP : 23 * HOP])
    assert engine.on_board
    assert_same(records, ToyEngine().process(audio)[:20])
    assert engine.stood_in == 10 + 3  # while it was away, and while it warmed up anew


# ---- rule 6: baud mismatch ---------------------------------------------------------------------------------------
def test_a_board_that_falls_back_to_its_rate_is_found_again(bench: Bench) -> None:
    board = bench.board()
    engine = bench.engine(board.port, baud=2_000_000, timing=SHARP)
    engine.process(speech_like(5))
    board.press_reset()
    assert board.device.baud == 1_000_000
    with pytest.raises(BoardLostError):
        engine.process(speech_like(5))
    assert board.device.stats.framing_errors >= p.MAX_FRAMING_ERRORS
    assert engine.client.wait_for(State.READY, timeout=GENEROUS)
    assert board.device.baud == 2_000_000
    engine.reset()
    audio = speech_like(6)
    assert_same(engine.process(audio), ToyEngine().process(audio)[:3])


def test_a_change_of_rate_that_is_not_confirmed_is_undone_by_both(bench: Bench) -> None:
    board = bench.board()

    def deaf_at_two_million(data: bytes) -> bytes:
        return b"" if board.device.baud == 2_000_000 else data

    board.to_board = deaf_at_two_million
    client = bench.client(board.port, baud=2_000_000)
    assert client.state is State.READY
    assert board.device.baud == 1_000_000
    assert client.stats().frames > 0


def test_an_unconfirmed_rate_is_undone_on_time() -> None:
    device = Device(EngineCore(ToyEngine()), 1)
    device.receive(p.to_wire(p.SetBaud(25), 1), 10.0)
    assert device.baud == 2_000_000
    device.tick(10.49)
    assert device.baud == 2_000_000
    device.tick(10.5)
    assert device.baud == 1_000_000


def test_framing_errors_in_a_row_return_a_board_to_its_rate() -> None:
    device = Device(EngineCore(ToyEngine()), 1)
    device.receive(p.to_wire(p.SetBaud(25), 1), 0.0)
    device.framing_errors(7, 0.1)
    device.receive(b"x", 0.1)  # one good byte: not in a row
    device.framing_errors(7, 0.1)
    assert device.baud == 2_000_000
    device.framing_errors(1, 0.1)
    assert device.baud == 1_000_000


# ---- rule 7: versions and foreign devices ------------------------------------------------------------------------
@pytest.mark.parametrize(("version", "what"), [(2, "KWScope"), (0, "the board's bitstream")])
def test_another_protocol_version_is_refused(bench: Bench, version: int, what: str) -> None:
    board = bench.board()
    board.device.version = version
    with pytest.raises(BoardError, match=rf"protocol version {version}.*update {what}"):
        bench.client(board.port)
    assert board.device.stats.frames <= 3, "nothing but HELLO is ever sent to an unknown board"


@pytest.mark.parametrize("reply", [b"OK\r\nlogin: ", b"\0\0\0\0", bytes(range(256)) * 20])
def test_a_device_that_talks_nonsense_is_refused(bench: Bench, reply: bytes) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    bench.defer(lambda: os.close(master))
    bench.defer(lambda: os.close(slave))

    def talk() -> None:
        try:
            while os.read(master, 4096):
                os.write(master, reply)
        except OSError:
            return

    threading.Thread(target=talk, daemon=True).start()
    with pytest.raises(BoardError, match="no KWScope board"):
        bench.client(os.ttyname(slave), timing=QUICK)


def test_a_loop_back_is_refused(bench: Bench) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    bench.defer(lambda: os.close(master))
    bench.defer(lambda: os.close(slave))

    def echo() -> None:
        try:
            while data := os.read(master, 4096):
                os.write(master, data)
        except OSError:
            return

    threading.Thread(target=echo, daemon=True).start()
    with pytest.raises(BoardError, match="no KWScope board"):
        bench.client(os.ttyname(slave), timing=QUICK)


def test_a_silent_device_is_refused(bench: Bench) -> None:
    board = bench.board()
    board.stall()
    with pytest.raises(BoardError, match="Nothing answers"):
        bench.client(board.port, timing=QUICK)


def test_a_board_for_other_sizes_is_refused(bench: Bench) -> None:
    board = bench.board()
    core = board.device._core
    core.info = replace(core.info, hop=320)
    with pytest.raises(BoardError, match="built for 12 classes, 40 bands and hops of 320"):
        bench.client(board.port)


# ---- rule 8: weights ---------------------------------------------------------------------------------------------
def test_a_board_reset_in_the_middle_is_loaded_again(bench: Bench) -> None:
    board = bench.board(loaded=False)
    engine = bench.engine(board.port, MODEL)
    engine.process(speech_like(10))
    board.press_reset()
    with pytest.raises(BoardLostError, match="reset"):
        engine.process(speech_like(3))
    assert engine.client.wait_for(State.READY, timeout=GENEROUS)
    assert engine.client.info.model_id == WEIGHTS.model_id
    engine.reset()
    audio = speech_like(6)
    assert_same(engine.process(audio), ToyEngine().process(audio)[:3])


def test_a_board_reset_with_weights_in_its_bitstream_goes_on(bench: Bench) -> None:
    board = bench.board()
    engine = bench.engine(board.port, MODEL)
    engine.process(speech_like(10))
    board.press_reset()
    records = engine.process(speech_like(12))
    assert records[-1].frame == 10 + 12 - 4
    assert engine.on_board


# ---- flow control ------------------------------------------------------------------------------------------------
def test_no_stream_without_a_board(bench: Bench) -> None:
    board = bench.board()
    client = bench.client(board.port)
    client.start_stream()
    board.unplug()
    assert client.wait_for(State.LOST, timeout=GENEROUS)
    with pytest.raises(BoardLostError):
        client.send(np.zeros(HOP, np.int16))
    with pytest.raises(BoardLostError):
        client.start_stream()
    assert client.results(wait=True) == []

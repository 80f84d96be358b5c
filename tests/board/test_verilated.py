"""The Verilated device behind its port: equal to the integer engine, and as hard to confuse as a board has to be."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import serial

from kwscore.board import protocol as p
from kwscore.board import signals, sources, verilated
from kwscore.board.client import BoardClient, State
from kwscore.board.engine import BoardEngine
from kwscore.board.errors import BoardError
from kwscore.board.framing import Frame, FrameDecoder
from kwscore.board.golden import board_model
from kwscore.board.handshake import Weights
from kwscore.board.selftest import run
from kwscore.board.verilated import VerilatedBoard
from kwscore.constants import HOP
from kwscore.fixed.engine import FixedEngine
from tests.board.conftest import CALM, IMPATIENT, Looks
from tests.board.toy import speech_like
from tests.fixed.images import image

DUAL = "NanoMamba-Tiny-DualPCEN"
pytestmark = [
    pytest.mark.timeout(1200),  # it may have to be built
    pytest.mark.skipif(bool(verilated.missing_tools()), reason="needs verilator, g++ and make"),
]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VerilatedBoard]:
    with VerilatedBoard(link=tmp_path / "board") as served:
        yield served


def test_every_field_of_every_result(board: VerilatedBoard) -> None:
    """Speech, noise, silence, clipping, extremes, each from reset (60 s: kwscope board selftest rtl --seconds 60)."""
    made = image(DUAL, 1)
    with BoardClient(board.port, weights=board_model(made).weights, timing=CALM) as client:
        assert client.info.tag == "RTL"
        assert client.info.build == sources.build_id()
        assert client.info.model_id == made.model_id
        report = run(client, made, signals.streams(2.0))
    assert report.equal, report.first
    assert (report.results, report.given) == (250, 27)
    assert report.stats is not None
    assert (report.stats.crc_errors, report.stats.overruns, report.stats.gaps) == (0, 0, 0)
    assert client.info.counts_cycles
    assert report.compute is not None
    assert 30_000 < report.stats.max_cycles <= 60_000
    assert board.cpu_seconds() is None or board.cpu_seconds() > 0  # type: ignore[operator]


def test_over_tcp_and_at_twice_the_rate() -> None:
    made = image(DUAL, 1)
    with (
        VerilatedBoard(kind="socket") as served,
        BoardEngine(served.port, board_model(made), baud=2_000_000, timing=CALM) as engine,
    ):
        assert served.port.startswith("socket://127.0.0.1:")
        records = engine.process(speech_like(6))
        assert [r.logits.tolist() for r in records] == [
            r.logits.tolist() for r in FixedEngine(made).process(speech_like(6))[:3]
        ]


def test_a_paced_line_takes_its_time(tmp_path: Path) -> None:
    made = image(DUAL, 1)
    with (
        VerilatedBoard(link=tmp_path / "board", paced=True) as served,
        BoardEngine(served.port, board_model(made), timing=CALM) as engine,
    ):
        begin = time.monotonic()
        assert len(engine.process(speech_like(20))) == 17
        assert time.monotonic() - begin >= 20 * 330 * 10 / 1e6  # a lower bound: it never fails for a slow machine


def test_the_port_can_be_closed_and_opened_again(board: VerilatedBoard) -> None:
    weights = board_model(image(DUAL, 1)).weights
    for _ in range(2):
        with BoardClient(board.port, weights=weights, timing=CALM) as client:
            assert client.state is State.READY
    with BoardClient(board.port, timing=CALM) as client:  # it still has them
        assert client.info.model_id == weights.model_id


def test_images_it_cannot_run_are_refused(board: VerilatedBoard) -> None:
    other = image("NanoMamba-Matched-DualPCEN")
    with pytest.raises(BoardError, match="built for another network"):
        BoardClient(board.port, weights=board_model(other).weights, timing=CALM).connect()
    disguised = Weights(other.to_bytes()[:9000], other.model_id, p.Sizes())
    with pytest.raises(BoardError, match="image is of another network"):
        BoardClient(board.port, weights=disguised, timing=CALM).connect()
    with pytest.raises(BoardError, match="kwscope board load"):
        BoardClient(board.port, timing=CALM).connect()


def exchange(port: serial.Serial, message: p.Request, decoder: FrameDecoder) -> list[Frame]:
    """Send, and read what comes within a second of silence."""
    port.write(b"\0" + p.to_wire(message, 1))
    frames: list[Frame] = []
    while data := port.read(64):
        frames += decoder.feed(data)
    return frames


def test_another_rate_is_noise_to_it_and_is_counted(board: VerilatedBoard) -> None:
    decoder = FrameDecoder()
    with serial.Serial(board.port, 115_200, timeout=0.5) as port:
        assert exchange(port, p.Hello(), decoder) == []
        port.baudrate = p.DEFAULT_BAUD
        (info,) = exchange(port, p.Hello(), decoder)
        assert info.type == p.Type.INFO
        (stats,) = exchange(port, p.GetStats(), decoder)
    assert p.Stats.unpack(stats.payload).framing_errors >= len(p.to_wire(p.Hello(), 1))


def test_an_unconfirmed_rate_is_given_up(board: VerilatedBoard) -> None:
    """Though the simulated clock stands while nothing happens."""
    decoder = FrameDecoder()
    with serial.Serial(board.port, p.DEFAULT_BAUD, timeout=0.5) as port:
        (ack,) = exchange(port, p.SetBaud(25), decoder)
        assert ack.type == p.Type.ACK
        answers: list[Frame] = []
        deadline = time.monotonic() + 60
        while not answers and time.monotonic() < deadline:
            answers = exchange(port, p.Hello(), decoder)
        assert [frame.type for frame in answers] == [p.Type.INFO]


def test_garbage_does_not_disturb_it(board: VerilatedBoard) -> None:
    decoder = FrameDecoder()
    with serial.Serial(board.port, p.DEFAULT_BAUD, timeout=0.5) as port:
        port.write(np.random.default_rng(1).bytes(3000))
        assert any(frame.type == p.Type.INFO for frame in exchange(port, p.Hello(), decoder))


def test_ending_the_simulator_is_like_pulling_the_cable(board: VerilatedBoard) -> None:
    made = image(DUAL, 1)
    audio = speech_like(20)
    with BoardEngine(board.port, board_model(made), standby=FixedEngine(made), timing=CALM) as engine:
        records = engine.process(audio[: 10 * HOP])
        os.kill(board.process_id, signal.SIGKILL)
        assert engine.client.wait_for(State.LOST, timeout=60)
        records += engine.process(audio[10 * HOP :])
        assert not engine.on_board
        assert "plugged in" in engine.client.reason or "no port" in engine.client.reason
    expected = FixedEngine(made).process(audio)
    assert [r.frame for r in records] == list(range(17))
    assert [r.logits.tolist() for r in records] == [r.logits.tolist() for r in expected[:17]]


def test_a_simulator_without_a_processor_is_not_lost(board: VerilatedBoard) -> None:
    """Stopped in the middle of a stream for longer than anybody would wait; then it goes on where it was."""
    made = image(DUAL, 1)
    audio = speech_like(30)
    looks = Looks(board.held_up)
    with BoardEngine(board.port, board_model(made), timing=IMPATIENT, held_up=looks) as engine:
        records = engine.process(audio[: 15 * HOP])
        os.kill(board.process_id, signal.SIGSTOP)

        def go_on() -> None:
            looks.wait(30)
            os.kill(board.process_id, signal.SIGCONT)

        thread = threading.Thread(target=go_on)
        thread.start()
        records += engine.process(audio[15 * HOP :])
        thread.join()
        assert engine.client.reconnections == engine.client.lost_results == 0
    expected = FixedEngine(made).process(audio)
    assert [r.logits.tolist() for r in records] == [r.logits.tolist() for r in expected[:27]]


def test_an_idle_simulator_is_not_held_up(board: VerilatedBoard) -> None:
    """It has nothing to do and pauses: were it asked something, its silence would count."""
    board.held_up()
    deadline = time.monotonic() + 60
    while (held := board.held_up()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not held
    board.close()
    assert not board.held_up()


def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    served = VerilatedBoard(link=tmp_path / "board")
    assert (tmp_path / "board").exists()
    served.close()
    assert not os.path.lexists(tmp_path / "board")
    with pytest.raises(ProcessLookupError):
        os.kill(served.process_id, 0)


def test_it_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = verilated.board_program()
    program.build()
    told: list[str] = []
    monkeypatch.setattr(verilated.Program, "_compile", lambda *_: told.append("again"))
    assert program.build(told.append) == program.path()
    assert verilated.is_built()
    assert told == []
    other = replace(program, parameters=("TAG=32'h0",))
    assert other.path() != program.path()


def test_sources_that_do_not_compile_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nm_device.v").write_text("module nm_device; nonsense endmodule\n")
    monkeypatch.setattr(verilated, "user_cache_path", lambda _: tmp_path / "cache")
    broken = replace(verilated.board_program(), sources=(tmp_path / "nm_device.v",), parameters=())
    with pytest.raises(BoardError, match=r"cannot build the board rtl \(%Error.*use the board sim"):
        broken.build()
    assert list((tmp_path / "cache" / "verilated").iterdir()) == []


@pytest.mark.parametrize(("mode", "content"), [(0o600, b""), (0o700, b""), (0o700, b"#!/bin/false\n")])
def test_a_damaged_program_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, content: bytes
) -> None:
    """Not executable, of no known format, ending at once: it says which file to delete."""
    monkeypatch.setattr(verilated, "user_cache_path", lambda _: tmp_path)
    program = verilated.board_program().path()
    program.parent.mkdir(parents=True)
    program.write_bytes(content)
    program.chmod(mode)
    with pytest.raises(BoardError, match=f"does not start.*: delete {program}, to build it anew, or use the board sim"):
        VerilatedBoard(link=tmp_path / "board")


def test_a_cache_that_cannot_be_used_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the folder should be."""
    (tmp_path / "cache").write_bytes(b"")
    monkeypatch.setattr(verilated, "user_cache_path", lambda _: tmp_path / "cache")
    assert not verilated.is_built()
    with pytest.raises(BoardError, match=r"cannot be built in .*cache"):
        VerilatedBoard(link=tmp_path / "board")


def test_without_tools_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BoardError, match=r"needs verilator and g\+\+ and make.*apt-get install.*board sim"):
        verilated.board_program().build()


def test_without_sources_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(BoardError, match=r"folder rtl.*board sim"):
        sources.rtl_folder()


def test_elsewhere_than_on_linux_it_offers_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilated.sys, "platform", "win32")
    with pytest.raises(BoardError, match=r"needs Linux.*use the board sim"):
        verilated.board_program()

"""Boards as the window opens them: the rate, and what is said."""

from __future__ import annotations

from typing import Any

import pytest

from app import board_words, boards, main
from kwscore.board.protocol import DEFAULT_BAUD, Info, Mode, Stats
from kwscore.board.selftest import Report, Spread
from kwscore.errors import KWScopeError


@pytest.mark.parametrize("given", [{}, {"baud": 2_000_000}])
def test_a_board_is_opened_at_the_rate_asked_for(given: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("kwscore.board.opening.open_board", lambda port, image, **how: seen.update(how, port=port))
    monkeypatch.setattr("app.networks.load_image", lambda network, progress: None)
    boards.open_board("/dev/ttyUSB1", "", print, **given)
    assert (seen["port"], seen["baud"]) == ("/dev/ttyUSB1", given.get("baud", DEFAULT_BAUD))


def test_the_window_does_not_open_for_a_rate_that_cannot_carry_audio() -> None:
    with pytest.raises(KWScopeError, match=r"115,200 baud cannot be used \(audio takes 334,000 bit/s\)"):
        main.run(source="demo", board="sim", baud=115_200)


def test_a_program_is_not_given_a_clock() -> None:
    counting, program = Info(mode=Mode(0)), Info(mode=Mode.UNTIMED)
    assert "50 MHz" in board_words.board(counting)
    assert "MHz" not in board_words.board(program)
    stats = Stats(frames=1200, max_cycles=42_285)
    assert board_words.counters(stats.as_dict(counting)).startswith("frames 1,200 · CRC errors 0")
    assert "max cycles 42,285" in board_words.counters(stats.as_dict(counting))
    assert "cycles" not in board_words.counters(stats.as_dict(program))


def test_a_selftest_in_a_few_sentences() -> None:
    report = Report(Info(), hops=10, results=10, rate=230.0, round_trip=Spread(900.0, 950.0, 990.0))
    assert board_words.selftest(report) == (
        "✓ Passed: all 10 answers equal the integer engine's. 230 hops a second, 2.3 times live audio. "
        "One hop alone: round trip 900 µs (p99 950 µs)."
    )
    report.differences["snr"] += 2
    report.first = "hop 7 of speech: snr [2] 5 instead of 6"
    assert board_words.selftest(report).startswith(
        "✗ Failed: 2 differences, 0 answers lost; the first: hop 7 of speech"
    )

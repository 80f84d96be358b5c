"""The self-test finds what is wrong with a board, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from kwscore.board import signals
from kwscore.board.client import BoardClient
from kwscore.board.device import Device
from kwscore.board.golden import GoldenCore, board_model
from kwscore.board.protocol import Mask, Type
from kwscore.board.selftest import Report, run
from kwscore.constants import HOP, SAMPLE_RATE
from kwscore.errors import KWScopeError
from tests.board.conftest import Bench
from tests.board.faults import FrameFault, drop_frame
from tests.board.toy import speech_like
from tests.fixed.images import image

DUAL = "NanoMamba-Tiny-DualPCEN"
AUDIO = {"first": speech_like(60), "second": speech_like(12, seed=4)}
pytestmark = pytest.mark.timeout(900)  # a cold cache on a slow machine


class Broken(GoldenCore):
    """A board with one wrong bit, in one word of one hop."""

    def __init__(self, at: int, hop: int) -> None:
        super().__init__(image(DUAL, 1))
        self._at, self._left = at, hop

    def hop(self, samples: NDArray[np.int16], mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes | None]:
        cycles, body = super().hop(samples, mask, counters)
        if body:
            self._left -= 1
            if not self._left:
                body = body[: self._at] + bytes([body[self._at] ^ 1]) + body[self._at + 1 :]
        return cycles, body


def report_on(bench: Bench, core: GoldenCore, damage: Callable[[bytes], bytes] | None = None) -> Report:
    board = bench.board(Device(core))
    client: BoardClient = bench.client(board.port, weights=board_model(image(DUAL, 1)).weights)
    if damage is not None:
        board.to_host = damage
    return run(client, image(DUAL, 1), AUDIO)


def test_a_good_board_passes(bench: Bench) -> None:
    report = report_on(bench, GoldenCore(image(DUAL, 1)))
    assert report.equal
    assert (report.hops, report.results, report.given, report.lost, report.first) == (50 + 72, 122, 27, 0, "")
    assert report.stats is not None
    assert report.stats.crc_errors == report.stats.gaps == 0
    assert report.rate > 0
    spread = report.round_trip
    assert spread is not None
    assert 0 < spread.median <= spread.p99 <= spread.longest
    assert (report.link, report.compute) == (None, None), "a program has no cycle counter"
    told = report.as_dict()
    assert told["compute_us"] is told["stats"]["max_cycles"] is None
    assert told["equal"] is True
    assert told["keep_up"] == pytest.approx(report.rate / 100, abs=0.01)


@pytest.mark.parametrize(("at", "field"), [(5, "logits"), (29, "routing"), (40, "snr"), (120, "mel"), (250, "delta")])
def test_one_wrong_bit_anywhere_is_found(bench: Bench, at: int, field: str) -> None:
    report = report_on(bench, Broken(at, 70))
    assert not report.equal
    assert dict(report.differences) == {field: 1}
    assert field in report.first
    assert "instead of" in report.first


def test_a_wrong_network_behind_a_right_front_end_is_told_apart(bench: Bench) -> None:
    class Wrong(GoldenCore):
        def features(self, features: bytes, mask: Mask, counters: tuple[int, int]) -> tuple[int, bytes]:
            return super().features(bytes(len(features)), mask, counters)

    report = report_on(bench, Wrong(image(DUAL, 1)))
    assert not report.equal
    assert set(report.differences) == {f"{part} of the network alone" for part in ("logits", "snr", "delta")}
    assert report.first == "features 0: logits of the network alone"


def test_a_lost_answer_of_the_network_alone_is_no_pass(bench: Bench) -> None:
    report = report_on(bench, GoldenCore(image(DUAL, 1)), FrameFault(Type.RESULT, 122 + 10, drop_frame))
    assert not report.equal
    assert (report.given, report.lost, dict(report.differences)) == (10, 1, {})


def test_a_lost_result_is_no_pass(bench: Bench) -> None:
    report = report_on(bench, GoldenCore(image(DUAL, 1)), FrameFault(Type.RESULT, 80, drop_frame))
    assert not report.equal
    assert (report.lost, dict(report.differences)) == (1, {})


def test_other_weights_are_found(bench: Bench) -> None:
    class Stubborn(GoldenCore):
        def load(self, data: bytes, model_id: int) -> bool:
            return True

    assert report_on(bench, Stubborn(image(DUAL, 2))).differences["logits"] > 50


def test_signals_are_whole_hops_of_everything() -> None:
    made = signals.streams(5.0)
    assert made.keys() == {"speech", "noise", "silence", "clipping", "extremes"}
    assert sum(map(len, made.values())) == 5 * SAMPLE_RATE
    assert all(s.dtype == np.int16 and len(s) % HOP == 0 for s in made.values())
    assert all(np.array_equal(a, b) for a, b in zip(made.values(), signals.streams(5.0).values(), strict=True))
    assert not made["silence"][: len(made["silence"]) // 2].any()
    assert (np.abs(made["clipping"].astype(int)) >= 32767).mean() > 0.05
    assert {-32768, 32767} <= set(made["extremes"].tolist())
    assert 500 < np.abs(made["speech"].astype(int)).max() <= 32767
    with pytest.raises(KWScopeError, match="too short"):
        signals.streams(0.5)

"""Hops under way: any pattern of answers keeps every hop accounted for, once, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kwscore.board.flight import Flight
from kwscore.board.protocol import Flag, Result
from kwscore.constants import HOP


def result(hop: int) -> Result:
    return Result(hop * HOP % (1 << 32), 1, Flag(0))


@given(st.lists(st.sampled_from(["send", "answer", "skip", "double", "write off"]), max_size=60))
def test_every_hop_comes_back_once_and_in_order(events: list[str]) -> None:
    flight = Flight()
    sent = answered = lost = 0
    collected = []
    for now, event in enumerate(events):
        if event == "send":
            assert flight.send(now).hop == sent
            sent += 1
        elif event == "write off":
            lost += flight.under_way
            flight.write_off()
        elif event == "double":
            assert not flight.answer(result(sent + 5), now)  # of nothing that is under way
        elif oldest := flight.oldest:
            skipped = min(1, flight.under_way - 1) if event == "skip" else 0
            assert flight.answer(result(oldest.hop + skipped), now)
            answered += 1
            lost += skipped
        collected += flight.collect()
    assert [answer.hop for answer in collected] == list(range(sent - flight.under_way))
    assert sum(answer.result is not None for answer in collected) == answered
    assert flight.lost == lost == sum(answer.result is None for answer in collected)


def test_a_new_stream_forgets_the_old_one() -> None:
    flight = Flight()
    old = flight.send(0.0)
    flight.send(0.0)
    assert flight.answer(result(0), 1.5)
    flight.start()
    assert flight.collect() == []
    assert flight.under_way == flight.lost == 0
    assert flight.send(2.0) == old.__class__(0, 0, 2.0)
    (answer,) = (flight.answer(result(0), 2.25), flight.collect())[1]
    assert (answer.hop, answer.round_trip) == (0, 0.25)

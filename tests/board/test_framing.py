"""Frames survive any payload, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.board.errors import ProtocolError
from kwscore.board.framing import MAX_ENCODED, MAX_PAYLOAD, Frame, FrameDecoder, crc16, decode, encode

frames = st.builds(
    Frame,
    type=st.integers(0, 255),
    seq=st.integers(0, 65535),
    payload=st.one_of(st.binary(max_size=MAX_PAYLOAD), st.integers(0, MAX_PAYLOAD).map(bytes)),
    version=st.integers(0, 255),
)


def test_crc_is_ccitt_false() -> None:
    assert crc16(b"123456789") == 0x29B1
    assert crc16(b"") == 0xFFFF


@given(frames)
def test_round_trip(frame: Frame) -> None:
    wire = encode(frame)
    assert wire.count(0) == 1
    assert wire.endswith(b"\0")
    assert len(wire) <= MAX_ENCODED + 1
    assert decode(wire[:-1]) == frame


@given(st.lists(frames, max_size=4), st.integers(1, 700))
def test_any_chunking_gives_the_same_frames(sent: list[Frame], chunk: int) -> None:
    wire = b"".join(map(encode, sent))
    decoder = FrameDecoder()
    got = [f for start in range(0, len(wire), chunk) for f in decoder.feed(wire[start : start + chunk])]
    assert got == sent
    assert decoder.errors == 0


@given(st.binary(max_size=3000), frames)
def test_after_any_garbage_the_next_delimiter_brings_it_in_step(garbage: bytes, frame: Frame) -> None:
    decoder = FrameDecoder()
    decoder.feed(garbage)
    decoder.feed(b"\0")
    assert decoder.feed(encode(frame)) == [frame]
    assert len(decoder._buffer) <= MAX_ENCODED


@given(frames, st.data())
def test_a_damaged_byte_is_never_taken_for_the_frame(frame: Frame, data: st.DataObject) -> None:
    wire = encode(frame)
    at = data.draw(st.integers(0, len(wire) - 2))
    flip = data.draw(st.integers(1, 255))
    damaged = wire[:at] + bytes([wire[at] ^ flip]) + wire[at + 1 :]
    decoder = FrameDecoder()
    assert frame not in decoder.feed(damaged)
    assert decoder.errors >= 1


@given(frames, st.data())
def test_a_lost_or_doubled_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    wire = encode(frame)
    at = data.draw(st.integers(0, len(wire) - 2))
    for damaged in (wire[:at] + wire[at + 1 :], wire[: at + 1] + wire[at:]):
        decoder = FrameDecoder()
        assert frame not in decoder.feed(damaged)
        assert decoder.errors >= 1


def test_endless_garbage_needs_bounded_memory_and_counts_once() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        assert decoder.feed(b"\xff" * 1000) == []
        assert len(decoder._buffer) <= MAX_ENCODED
    decoder.feed(b"\0")
    assert decoder.errors == 1


def test_a_length_that_lies_is_refused() -> None:
    from cobs import cobs

    raw = bytes([1, 2, 0, 0, 5, 0]) + b"abc"
    wire = cobs.encode(raw + crc16(raw).to_bytes(2, "little"))
    with pytest.raises(ProtocolError, match="length"):
        decode(wire)


def test_too_long_a_payload_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="1024"):
        encode(Frame(1, 0, bytes(MAX_PAYLOAD + 1)))

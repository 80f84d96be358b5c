"""Every message survives the wire; what does not fit is refused; the published byte counts hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.board import protocol as p
from kwscore.board.errors import ArgumentError, ProtocolError
from kwscore.board.fields import decode_telemetry, encode_result, frame_of_hop
from kwscore.board.framing import Frame, decode, encode
from kwscore.constants import HOP
from tests.board.toy import ToyEngine, assert_same, speech_like

u8, u16, u32 = st.integers(0, 255), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
sizes = st.builds(p.Sizes, u8, u8, u8, u8, u8)
tags = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=4)
infos = st.builds(
    p.Info,
    protocol=st.just(1),
    mode=st.integers(0, 7).map(p.Mode),
    build=st.binary(min_size=8, max_size=8),
    model_id=u32,
    clock_hz=st.integers(1, 2**32 - 1),
    hop=st.integers(1, 2**16 - 1),
    max_payload=u16,
    rx_fifo=u16,
    weight_bytes=u16,
    mask=st.integers(0, 127).map(p.Mask),
    sizes=sizes,
    max_fill=u8,
    tag=tags,
)
requests = st.one_of(
    st.builds(p.Hello, u8, u8),
    st.builds(p.Reset, st.sampled_from(p.Level)),
    st.builds(p.LoadWeights, u32, st.binary(min_size=1, max_size=p.WEIGHT_BLOCK)),
    st.builds(p.Commit, u32, u32, u32),
    st.builds(p.SetBaud, st.integers(p.MIN_DIVISOR, p.MAX_DIVISOR)),
    st.builds(p.SetMode, st.integers(1, 255), st.integers(0, 127).map(p.Mask)),
    st.builds(p.PcmFrame, u32, st.binary(min_size=320, max_size=320)),
    st.builds(p.FeatFrame, u32, st.binary(min_size=160, max_size=160)),
    st.builds(p.GetStats),
)
answers = st.one_of(
    infos,
    st.builds(p.Ack, u16, u16, u32),
    st.builds(p.Error, u16, u16, u32),
    st.builds(p.Stats, *[u32] * 7),
    st.builds(p.Result, u32, u32, st.just(p.Flag.FULL), st.binary(max_size=1000)),
    st.builds(p.Result, u32, u32, st.sampled_from([p.Flag.WARMUP, p.Flag.FILLED, p.Flag(0)])),
)


@given(requests, u16)
def test_requests_round_trip(message: p.Request, seq: int) -> None:
    frame = decode(p.to_wire(message, seq)[:-1])
    assert (frame.type, frame.seq, frame.version) == (message.TYPE, seq, 1)
    assert p.REQUESTS[frame.type].unpack(frame.payload) == message


@given(answers, u16)
def test_answers_round_trip(message: p.Answer, seq: int) -> None:
    frame = decode(p.to_wire(message, seq)[:-1])
    assert p.parse_answer(frame) == message


@given(st.sampled_from(sorted(p.REQUESTS)), st.binary(max_size=600))
def test_any_payload_is_a_message_or_a_protocol_error(kind: int, payload: bytes) -> None:
    try:
        message = p.REQUESTS[kind].unpack(payload)
    except ProtocolError:
        return
    assert message.pack() == payload or kind == p.Type.SET_MODE  # its padding byte is free


@given(st.integers(0, 255), st.binary(max_size=600), u8)
def test_any_answer_is_a_message_or_a_protocol_error(kind: int, payload: bytes, version: int) -> None:
    try:
        p.parse_answer(Frame(kind, 0, payload, version))
    except ProtocolError:
        return
    assert kind in p.ANSWERS


def test_info_of_another_version_is_recognised_whatever_follows() -> None:
    info = p.parse_answer(Frame(p.Type.INFO, 0, p.INFO_MAGIC + bytes([7]) + b"anything", 7))
    assert isinstance(info, p.Info)
    assert info.protocol == 7


def test_requests_echoed_by_a_loop_back_are_no_answers() -> None:
    with pytest.raises(ProtocolError):
        p.parse_answer(decode(p.to_wire(p.Hello(), 1)[:-1]))


def test_wire_sizes_are_those_of_the_link_budget() -> None:
    loudest = b"\x01\x02" * HOP  # without zeros COBS adds most
    assert len(p.to_wire(p.PcmFrame(0x01010101, loudest), 0x0101)) - 1 <= p.PCM_WIRE_BYTES
    assert p.Info().credit == 6
    assert len(p.Info().pack()) == 42
    record = ToyEngine().process(speech_like(4))[0]
    full = encode_result(480, 1, p.Flag(0), record, p.FULL_MASK, (0, 0))
    assert p.wire_size(len(full.pack())) * 100 * 10 < 0.4 * p.DEFAULT_BAUD
    assert len(encode(Frame(p.Type.RESULT, 0, full.pack()))) <= p.wire_size(len(full.pack()))


@given(st.integers(0, 127).map(p.Mask), st.integers(0, 5))
def test_telemetry_crosses_the_link_unchanged(mask: p.Mask, seed: int) -> None:
    records = ToyEngine().process(speech_like(6, seed))
    for record in records:
        result = encode_result(0, 5, p.Flag(0), record, mask, (70000, 3))
        back = decode_telemetry(
            result,
            mask,
            p.Sizes(),
            frame=record.frame,
            sample=record.sample,
            level_dbfs=record.level_dbfs,
            elapsed_us=1.0,
        )
        shapes = [getattr(back, name).shape for name in ("mel", "snr", "routing", "delta", "logits")]
        assert shapes == [(40,), (40,), (2,), (2, 24), (12,)]
        if mask == mask | p.FULL_MASK:
            assert_same([back], [record])
        for name, part in (("mel", p.Mask.MEL), ("snr", p.Mask.SNR), ("logits", p.Mask.LOGITS)):
            assert np.isnan(getattr(back, name)).all() == (part not in mask)
        if p.Mask.COUNTERS in mask:
            assert result.fields(mask, p.Sizes())[p.Mask.COUNTERS].tolist() == [70000 & 0xFFFF, 3]


def test_a_result_of_another_mask_is_refused() -> None:
    record = ToyEngine().process(speech_like(4))[0]
    result = encode_result(0, 5, p.Flag(0), record, p.FULL_MASK, (0, 0))
    for mask in (p.Mask.LOGITS, p.FULL_MASK | p.Mask.DELTA_MEAN):
        with pytest.raises(ProtocolError):
            result.fields(mask, p.Sizes())


def test_frames_of_hops() -> None:
    assert [frame_of_hop(hop) for hop in range(6)] == [-3, -2, -1, 0, 1, 2]


def test_zero_and_tiny_magnitudes_keep_their_meaning() -> None:
    record = ToyEngine().process(speech_like(4))[0]
    record.mel[:3] = (0.0, 1e-30, 1.0)
    result = encode_result(0, 5, p.Flag(0), record, p.Mask.MEL, (0, 0))
    words = result.fields(p.Mask.MEL, p.Sizes())[p.Mask.MEL]
    assert words[:3].tolist() == [-32768, -32767, 0]


@pytest.mark.parametrize(
    ("kind", "payload", "detail"),
    [(p.Type.RESET, b"\3", 3), (p.Type.SET_BAUD, b"\3\0", 3), (p.Type.SET_MODE, b"\0\0\1\0", 0)],
)
def test_arguments_out_of_range_are_named(kind: p.Type, payload: bytes, detail: int) -> None:
    with pytest.raises(ArgumentError) as caught:
        p.REQUESTS[kind].unpack(payload)
    assert caught.value.detail == detail

"""link_tx: header, payload and CRC as the protocol packs them."""

import random

import cocotb
from bench import Sink, cycles, feed, payload, start, strobe
from cobs import cobs

from kwscore.board.framing import Frame, encode


@cocotb.test()
async def frames(dut):
    await start(dut, start=0, s_valid=0, s_data=0, m_ready=0, frame_type=0, frame_seq=0, frame_len=0)
    sink = Sink(dut, lambda: (dut.m_data.value.integer, dut.m_last.value.integer))
    lengths = [0, 1, 2, 255, 1024, *(random.randint(0, 80) for _ in range(15))]
    for length in lengths:
        frame = Frame(random.randrange(256), random.randrange(65536), payload(length))
        sink.got.clear()
        assert dut.idle.value == 1
        fields = {"frame_type": frame.type, "frame_seq": frame.seq, "frame_len": length}
        await strobe(dut, "start", [(fields, 0)])
        await feed(dut, [{"data": byte} for byte in frame.payload], pause=random.choice((0.0, 0.5)))
        got = await sink.wait(length + 8)
        await cycles(dut, 2)
        assert len(sink.got) == length + 8
        assert cobs.encode(bytes(byte for byte, _ in got)) + b"\0" == encode(frame)
        assert [last for _, last in got] == [0] * (length + 7) + [1]

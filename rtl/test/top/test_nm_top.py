"""nm_top through its two wires: bits in, bits out, rates changed and lost."""

from dataclasses import replace

import cocotb
from bench import PERIOD, cycles, start
from cocotb.triggers import FallingEdge, Timer
from core_model import ReferenceCore

from kwscore.board import protocol as p
from kwscore.board.device import Device
from kwscore.board.framing import FrameDecoder
from rtl.tools import isa

DEFAULT = 8
CONFIRM = 60_000


class Wires:
    """The host's UART."""

    def __init__(self, dut, divisor=DEFAULT):
        self.dut, self.divisor = dut, divisor
        self.frames = []
        self._decoder = FrameDecoder()
        cocotb.start_soon(self._listen())

    async def send(self, data):
        for byte in data:
            for bit in (0, *((byte >> i) & 1 for i in range(8)), 1):
                self.dut.rxd.value = bit
                await cycles(self.dut, self.divisor)

    async def _listen(self):
        while True:
            await FallingEdge(self.dut.txd)
            await Timer(self.divisor * PERIOD * 3 // 2, "ns")
            byte = 0
            for bit in range(8):
                byte |= int(self.dut.txd.value) << bit
                await Timer(self.divisor * PERIOD, "ns")
            assert self.dut.txd.value == 1, "no stop bit: another rate"
            self.frames += self._decoder.feed(bytes([byte]))

    async def ask(self, message, seq):
        """Send and return what comes; None after 10,000 cycles of nothing."""
        self.frames.clear()
        await self.send(p.to_wire(message, seq))
        for _ in range(200):
            await cycles(self.dut, 50)
            if self.frames:
                return self.frames.pop()
        return None


@cocotb.test()
async def conversation_at_several_rates(dut):
    await start(dut, rxd=1)
    core = ReferenceCore()
    core.info = replace(core.info, weight_bytes=isa.LITERAL_BYTE)
    device = Device(core)

    def expected(message, seq):
        (frame,) = FrameDecoder().feed(device.receive(p.to_wire(message, seq), 0.0))
        return frame

    wires = Wires(dut)
    for seq, divisor in enumerate((DEFAULT, 4, 13)):
        if divisor != wires.divisor:
            assert await wires.ask(p.SetBaud(divisor), seq) == expected(p.SetBaud(divisor), seq)
            await cycles(dut, 2 * DEFAULT * 10)
            wires.divisor = divisor
        for message in (p.Hello(), p.SetMode(2, p.Mask.LOGITS), p.GetStats()):
            assert await wires.ask(message, seq) == expected(message, seq)


@cocotb.test()
async def an_unconfirmed_rate_is_undone(dut):
    await start(dut, rxd=1)
    wires = Wires(dut)
    assert (await wires.ask(p.SetBaud(16), 1)).type == p.Type.ACK
    await cycles(dut, CONFIRM + 200)
    assert (await wires.ask(p.Hello(), 2)).type == p.Type.INFO


@cocotb.test()
async def a_wrong_rate_and_a_break_bring_the_default_back(dut):
    await start(dut, rxd=1)
    wires = Wires(dut)
    for trouble in ("slow", "break"):
        wires.divisor = DEFAULT
        assert (await wires.ask(p.SetBaud(4), 1)).type == p.Type.ACK
        await cycles(dut, 100)
        wires.divisor = 4
        assert (await wires.ask(p.Hello(), 2)).type == p.Type.INFO
        wires.divisor = DEFAULT
        if trouble == "slow":  # the host fell back alone: its first HELLO is noise to the board, a later one is heard
            answers = [await wires.ask(p.Hello(), seq) for seq in range(3, 6)]
            assert answers[-1] is not None
            assert answers[-1].type == p.Type.INFO
        else:
            dut.rxd.value = 0
            await cycles(dut, 40 * DEFAULT)
            dut.rxd.value = 1
            await cycles(dut, 2 * DEFAULT)
            assert (await wires.ask(p.Hello(), 6)).type == p.Type.INFO

"""The host's end of the two wires, bit by bit."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import cocotb
from bench import PERIOD, cycles
from cocotb.triggers import FallingEdge, Timer

from kwscore.board import protocol as p
from kwscore.board.framing import Frame, FrameDecoder


class Wires:
    """A UART of ``divisor`` clocks per bit. ``frames`` collects what the device has sent."""

    def __init__(self, dut: Any, divisor: int) -> None:
        self.dut, self.divisor = dut, divisor
        self.frames: list[Frame] = []
        self._decoder = FrameDecoder()
        cocotb.start_soon(self._listen())

    async def send(self, data: bytes) -> None:
        """Put these bytes on the line, without gaps."""
        bits = [bit for byte in data for bit in (0, *((byte >> i) & 1 for i in range(8)), 1)]
        for level, same in groupby(bits):
            self.dut.rxd.value = level
            await cycles(self.dut, self.divisor * len(list(same)))

    async def _listen(self) -> None:
        while True:
            await FallingEdge(self.dut.txd)
            await Timer(self.divisor * PERIOD * 3 // 2, "ns")
            byte = 0
            for bit in range(8):
                byte |= int(self.dut.txd.value) << bit
                await Timer(self.divisor * PERIOD, "ns")
            assert self.dut.txd.value == 1, "no stop bit: another rate"
            self.frames += self._decoder.feed(bytes([byte]))

    async def ask(self, message: Any, seq: int) -> Frame | None:
        """Send and return what comes; None after 10,000 cycles of nothing."""
        self.frames.clear()
        await self.send(p.to_wire(message, seq))
        for _ in range(200):
            await cycles(self.dut, 50)
            if self.frames:
                return self.frames.pop()
        return None

    async def frame(self) -> Frame:
        """The next frame; fails after 200,000 cycles of nothing."""
        for _ in range(2000):
            if self.frames:
                return self.frames.pop(0)
            await cycles(self.dut, 100)
        raise AssertionError("no answer within 200,000 cycles")

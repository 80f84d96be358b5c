"""Drivers and monitors that the tests share. One transfer per rising edge; nothing depends on the simulator."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer

PERIOD = 20  # ns


async def start(dut: Any, **initial: int) -> None:
    """Clock and reset; the inputs named in ``initial`` get their values first."""
    for name, value in initial.items():
        getattr(dut, name).value = value
    if not dut._name.startswith("tb_"):  # those have a clock of their own
        cocotb.start_soon(Clock(dut.clk, PERIOD, "ns").start())
    if hasattr(dut, "rst"):
        dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
    await FallingEdge(dut.clk)


async def cycles(dut: Any, count: int) -> None:
    """Let time pass from one falling edge to another, where inputs may change."""
    if count > 0:
        # Half a cycle short: at the edge itself it would be open which of timer and clock comes first.
        await Timer(count * PERIOD - PERIOD // 2, "ns")
        await FallingEdge(dut.clk)


async def strobe(dut: Any, signal: str, data: Iterable[tuple[dict[str, int], int]]) -> None:
    """For each (values, gap): drive the values with ``signal`` high for one cycle, then ``gap`` idle cycles."""
    for values, gap in data:
        for name, value in values.items():
            getattr(dut, name).value = value
        getattr(dut, signal).value = 1
        await FallingEdge(dut.clk)
        getattr(dut, signal).value = 0
        await cycles(dut, gap)


async def feed(dut: Any, items: Iterable[dict[str, int]], prefix: str = "s_", pause: float = 0.3) -> None:
    """Valid/ready source of the given fields, with random pauses."""
    valid, ready = getattr(dut, f"{prefix}valid"), getattr(dut, f"{prefix}ready")
    for item in items:
        while random.random() < pause:
            valid.value = 0
            await FallingEdge(dut.clk)
        for name, value in item.items():
            getattr(dut, f"{prefix}{name}").value = value
        valid.value = 1
        while True:
            await ReadOnly()
            taken = ready.value == 1
            await RisingEdge(dut.clk)
            await FallingEdge(dut.clk)
            if taken:
                break
    valid.value = 0


class Sink:
    """Valid/ready sink with random back-pressure; ``got`` collects what ``read`` returns at each transfer."""

    def __init__(self, dut: Any, read: Callable[[], Any], prefix: str = "m_", pause: float = 0.3) -> None:
        self.got: list[Any] = []
        self.pause = pause
        self._dut, self._read = dut, read
        self._valid, self._ready = getattr(dut, f"{prefix}valid"), getattr(dut, f"{prefix}ready")
        self._ready.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            if self._valid.value != 1:  # cheap while nothing comes
                self._ready.value = 0
                await RisingEdge(self._valid)
                await FallingEdge(self._dut.clk)
                continue
            self._ready.value = int(random.random() >= self.pause)
            await ReadOnly()
            if self._valid.value == 1 and self._ready.value == 1:
                self.got.append(self._read())
            await RisingEdge(self._dut.clk)
            await FallingEdge(self._dut.clk)

    async def wait(self, count: int, limit: int = 200_000) -> list[Any]:
        """The first ``count`` items; fails when they do not come within ``limit`` cycles."""
        for _ in range(limit // 10):
            if len(self.got) >= count:
                return self.got[:count]
            await cycles(self._dut, 10)
        raise AssertionError(f"{len(self.got)} of {count} items after {limit} cycles")


class Watch:
    """Records ``read()`` in every cycle where a strobe is high."""

    def __init__(self, dut: Any, signal: str, read: Callable[[], Any] = lambda: 1) -> None:
        self.got: list[Any] = []
        cocotb.start_soon(self._run(dut, getattr(dut, signal), read))

    async def _run(self, dut: Any, signal: Any, read: Callable[[], Any]) -> None:
        while True:
            if signal.value != 1:
                await RisingEdge(signal)
            await FallingEdge(dut.clk)
            if signal.value == 1:
                self.got.append(read())
                await RisingEdge(dut.clk)
                await Timer(1, "ns")


def payload(length: int) -> bytes:
    """Random bytes with many zeros, or none, or few: what COBS cares about."""
    kind = random.choice(("any", "zeros", "none", "ones"))
    if kind == "any":
        return random.randbytes(length)
    if kind == "zeros":
        return bytes(random.choice((0, 0, 1, 255)) for _ in range(length))
    return bytes(random.randint(1, 255) if kind == "none" else 255 for _ in range(length))

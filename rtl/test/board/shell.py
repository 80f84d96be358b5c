"""What every board's shell must do, through the pins of its constraints."""

from __future__ import annotations

import re
from typing import Any

import cocotb
from bench import PERIOD, cycles
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from session import Session
from wires import Wires

from rtl.test.images import test_image
from rtl.test.run import RTL

DIVISOR = 50


class Pins:
    """A shell's pins by the names that the benches use."""

    _name = "pins"

    def __init__(self, dut: Any, clk: str, rxd: str, txd: str) -> None:
        self.dut = dut
        self.clk, self.rxd, self.txd = (getattr(dut, name) for name in (clk, rxd, txd))


def constrained(board: str) -> set[str]:
    """Ports that the constraints give a pin."""
    text = (RTL / "board" / board / f"{board}.xdc").read_text(encoding="utf-8")
    pins = re.findall(r"PACKAGE_PIN (\w+) +IOSTANDARD LVCMOS33 \} \[get_ports \{ (\S+) \}\]", text)
    assert len({pin for pin, _ in pins}) == len(pins), "a pin is used twice"
    return {port for _, port in pins}


def ports(board: str) -> set[str]:
    """Every bit of every port of the shell."""
    text = (RTL / "board" / board / f"nm_{board}.v").read_text(encoding="utf-8")
    found = re.findall(r"^ +(?:input|output) +wire +(?:\[(\d+):0\])? *(\w+)", text, re.MULTILINE)
    return {f"{name}[{i}]" if high else name for high, name in found for i in range(int(high or 0) + 1)}


async def check(dut: Any, board: str, tag: str, clk: str, button: str, rxd: str, txd: str) -> None:
    """HELLO after power-on, the reset button; every pin constrained, none unknown."""
    assert constrained(board) == ports(board)
    pins = Pins(dut, clk, rxd, txd)
    getattr(dut, button).value = 0
    pins.rxd.value = 1
    cocotb.start_soon(Clock(pins.clk, PERIOD, "ns").start())
    await FallingEdge(pins.clk)
    await cycles(pins, 20)
    session = Session(Wires(pins, DIVISOR), test_image())
    info = await session.hello()
    assert info.tag == tag
    assert info.clock_hz == 50_000_000
    for name in {port.split("[")[0] for port in ports(board)}:
        assert getattr(dut, name).value.is_resolvable, name
    assert dut.top.rst.value == 0
    getattr(dut, button).value = 1
    await cycles(pins, 10)
    assert dut.top.rst.value == 1
    getattr(dut, button).value = 0
    await cycles(pins, 20)
    assert dut.top.rst.value == 0

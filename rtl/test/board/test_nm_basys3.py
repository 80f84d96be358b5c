"""The shell of a board, through its pins."""

import cocotb
from shell import check


@cocotb.test()
async def answers_through_its_pins(dut):
    await check(dut, board="basys3", tag="BAS3", clk="clk", button="btnC", rxd="RsRx", txd="RsTx")

"""The shell of a board, through its pins."""

import cocotb
from shell import check


@cocotb.test()
async def answers_through_its_pins(dut):
    await check(dut, board="arty", tag="ARTY", clk="CLK100MHZ", button="btn", rxd="uart_txd_in", txd="uart_rxd_out")

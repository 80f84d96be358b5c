"""nm_wing: every butterfly of every stage."""

import cocotb
import numpy as np
from cocotb.triggers import Timer

from rtl.tools.model import wing


@cocotb.test()
async def every_butterfly(dut):
    seen = 0
    for stage in range(9):
        covered = set()
        for lower in (0, 1):
            for number in range(256):
                dut.number.value, dut.stage.value, dut.lower.value = number, stage, lower
                await Timer(1, "ns")
                got = dut.addr.value.integer
                assert got == wing(np.int64(number), stage, bool(lower))
                covered.add(got)
                seen += 1
        assert covered == set(range(512))
    assert seen == 9 * 512

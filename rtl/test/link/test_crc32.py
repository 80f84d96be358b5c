"""crc32 against zlib."""

import random
import zlib

import cocotb
from bench import payload, start, strobe


@cocotb.test()
async def matches_zlib(dut):
    await start(dut, clear=0, en=0, data=0)
    for data in (b"", b"123456789", *(payload(random.randint(1, 60)) for _ in range(30))):
        await strobe(dut, "clear", [({}, 0)])
        await strobe(dut, "en", [({"data": byte}, random.choice((0, 0, 2))) for byte in data])
        assert dut.crc.value.integer == zlib.crc32(data), data

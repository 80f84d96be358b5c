"""nm_top through its two wires: bits in, bits out, rates changed and lost."""

from dataclasses import replace

import cocotb
from bench import cycles, start
from core_model import ReferenceCore
from wires import Wires

from kwscore.board import protocol as p
from kwscore.board.device import Device
from kwscore.board.framing import FrameDecoder
from rtl.tools import isa

DEFAULT = 8
CONFIRM = 60_000


@cocotb.test()
async def conversation_at_several_rates(dut):
    await start(dut, rxd=1)
    core = ReferenceCore()
    core.info = replace(core.info, weight_bytes=isa.LITERAL_BYTE, mode=p.Mode.FEATURES)
    device = Device(core)

    def expected(message, seq):
        (frame,) = FrameDecoder().feed(device.receive(p.to_wire(message, seq), 0.0))
        return frame

    wires = Wires(dut, DEFAULT)
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
    wires = Wires(dut, DEFAULT)
    assert (await wires.ask(p.SetBaud(16), 1)).type == p.Type.ACK
    await cycles(dut, CONFIRM + 200)
    assert (await wires.ask(p.Hello(), 2)).type == p.Type.INFO


@cocotb.test()
async def a_wrong_rate_and_a_break_bring_the_default_back(dut):
    await start(dut, rxd=1)
    wires = Wires(dut, DEFAULT)
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

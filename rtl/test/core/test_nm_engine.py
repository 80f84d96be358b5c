"""nm_engine against the machine's model and the integer engine: every write of every instruction of whole frames."""

import os

import cocotb
import numpy as np
from bench import start
from cocotb.triggers import FallingEdge, RisingEdge

from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from rtl.test.images import test_image
from rtl.tools.compare import compare
from rtl.tools.model import Machine
from rtl.tools.program import Builder

FRAMES = int(os.environ.get("NM_FRAMES", "2"))


async def load_image(dut, image: Image) -> None:
    dut.w_en.value = 1
    for at, byte in enumerate(image.to_bytes()):
        dut.w_addr.value, dut.w_data.value = at, byte
        await FallingEdge(dut.clk)
    dut.w_en.value = 0


async def push(dut, at: int, samples) -> int:
    for sample in samples:
        dut.pcm_we.value, dut.pcm_at.value, dut.pcm_data.value = 1, at, int(sample) & 0xFFFF
        await FallingEdge(dut.clk)
        at = (at + 1) % 512
    dut.pcm_we.value, dut.pcm_at.value = 0, at
    return at


class Results:
    """Every result as (pc, value), in order."""

    def __init__(self, dut) -> None:
        self.got: list[tuple[int, int]] = []
        cocotb.start_soon(self._watch(dut))

    async def _watch(self, dut) -> None:
        while True:
            await RisingEdge(dut.done)
            while True:
                await FallingEdge(dut.clk)
                if dut.done.value == 0:
                    break
                self.got.append((dut.sequencer.now_q.value.integer, dut.result.value.signed_integer))


async def run(dut, entry: int) -> int:
    dut.start.value, dut.entry.value = 1, entry
    await FallingEdge(dut.clk)
    dut.start.value = 0
    begin = cocotb.utils.get_sim_time("ns")
    await RisingEdge(dut.idle)
    await FallingEdge(dut.clk)
    return round((cocotb.utils.get_sim_time("ns") - begin) / 20)


def check(writes, got) -> None:
    """The same results in the same order."""
    position = 0
    for write in writes:
        part = got[position : position + len(write.values)]
        position += len(part)
        want = [(write.pc, int(value)) for value in write.values]
        if part != want:
            i = next((i for i, (a, b) in enumerate(zip(part, want, strict=False)) if a != b), len(part))
            raise AssertionError(
                f"{write.label} at {write.pc}, element {i}: {part[i : i + 3]} instead of {want[i : i + 3]}"
            )
    assert position == len(got)


@cocotb.test()
async def frames_equal_model_and_integer_engine(dut):
    image = test_image()
    builder = Builder(image.sizes)
    machine, engine = Machine(builder, image), FixedEngine(image)
    idle = {
        "start": 0,
        "entry": 0,
        "pcm_we": 0,
        "pcm_at": 0,
        "pcm_data": 0,
        "feat_we": 0,
        "feat_at": 0,
        "feat_data": 0,
        "o_en": 1,
        "o_addr": 0,
        "w_en": 0,
        "w_re": 0,
        "w_addr": 0,
        "w_data": 0,
    }
    await start(dut, **idle)
    await load_image(dut, image)
    results = Results(dut)
    await run(dut, builder.entries["INIT"])
    rng = np.random.default_rng(1)
    pcm = (rng.standard_normal(512 + 160 * (FRAMES - 1)) * 3000).astype(np.int16)
    pcm[40:60] = -32768
    at = position = 0
    for t, trace in enumerate(engine.visit(pcm)):
        end = 512 + 160 * t
        at = await push(dut, at, pcm[position:end])
        machine.push(pcm[position:end])
        position = end
        results.got.clear()
        cycles = await run(dut, builder.entries["FRAME"])
        writes = machine.run("FRAME")
        compare(writes, trace, image.sizes)
        check(writes, results.got)
        dut._log.info("frame %d: %d cycles, model %d", t, cycles, machine.cycles)
        assert cycles <= 60_000
        assert cycles == machine.cycles
        base = builder.out_at["logits"] % 4096
        logits = []
        for i in range(12):
            dut.o_addr.value = base + i
            await FallingEdge(dut.clk)
            logits.append(dut.o_data.value.signed_integer)
        assert logits == trace.logits.tolist()
    await stands_still(dut)


async def stands_still(dut) -> None:
    """Between runs nothing behind the enables moves, whatever the inputs do."""
    names = ("x_data", "y_data", "image_word", "image_byte", "window", "twiddle", "mel", "a3_q", "b3_q", "n4_q")
    dut.o_en.value = dut.w_re.value = dut.w_en.value = dut.pcm_we.value = 0
    for _ in range(8):
        await FallingEdge(dut.clk)
    before = [getattr(dut, name).value for name in names] + [dut.mac.m_q.value, dut.func_unit.y_q.value]
    rng = np.random.default_rng(3)
    for _ in range(60):
        for name, bits in (("o_addr", 12), ("w_addr", 14), ("w_data", 8), ("pcm_at", 9), ("pcm_data", 16)):
            getattr(dut, name).value = int(rng.integers(1 << bits))
        await FallingEdge(dut.clk)
        assert [getattr(dut, name).value for name in names] + [dut.mac.m_q.value, dut.func_unit.y_q.value] == before

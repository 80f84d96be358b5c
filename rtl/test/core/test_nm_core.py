"""nm_core behind the ports of nm_link: hops in with pauses, results and their bytes out, against the integer engine."""

import random

import cocotb
import numpy as np
from bench import start
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge
from expect import CORE_FIELDS as FIELDS
from expect import check_body

from kwscore.fixed.engine import FixedEngine
from rtl.test.images import test_image

HOP = 160
IDLE = {
    "stream_rst": 0,
    "pcm_valid": 0,
    "pcm_data": 0,
    "pcm_first": 0,
    "pcm_index": 0,
    "pcm_zero": 0,
    "feat_valid": 0,
    "feat_data": 0,
    "feat_index": 0,
    "mode_mask": int(FIELDS),
    "res_ready": 0,
    "res_full": 1,
    "body_ready": 0,
    "weights_valid": 0,
    "w_en": 0,
    "w_re": 0,
    "w_addr": 0,
    "w_data": 0,
}


async def load(dut, raw: bytes) -> None:
    dut.weights_valid.value = 0
    for at, byte in enumerate(raw):
        dut.w_en.value, dut.w_addr.value, dut.w_data.value = 1, at, byte
        await FallingEdge(dut.clk)
    dut.w_en.value = 0


async def send(dut, samples, index: int, zero: int, pause: float) -> None:
    """One hop with random pauses."""
    for i, sample in enumerate(samples):
        while random.random() < pause:
            await FallingEdge(dut.clk)
        dut.pcm_valid.value, dut.pcm_first.value = 1, int(i == 0)
        dut.pcm_data.value, dut.pcm_index.value, dut.pcm_zero.value = int(sample) & 0xFFFF, index, zero
        await ReadOnly()
        if dut.pcm_ready.value == 0:
            await RisingEdge(dut.pcm_ready)
        await RisingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.pcm_valid.value = 0


async def receive(dut, full: int = 1) -> tuple[dict[str, int], bytes]:
    """One result and its body."""
    if dut.res_valid.value == 0:
        await RisingEdge(dut.res_valid)
    await FallingEdge(dut.clk)
    head = {name: getattr(dut, f"res_{name}").value.integer for name in ("index", "cycles", "frame", "zero", "len")}
    full &= head["frame"]
    dut.res_full.value, dut.res_ready.value = full, 1
    await FallingEdge(dut.clk)
    dut.res_ready.value = 0
    body = bytearray()
    while full and len(body) < head["len"]:
        dut.body_ready.value = int(random.random() < 0.7)
        await ReadOnly()
        if dut.body_ready.value == 1 and dut.body_valid.value == 1:
            body.append(dut.body_data.value.integer)
        await RisingEdge(dut.clk)
        await FallingEdge(dut.clk)
    dut.body_ready.value = 0
    return head, bytes(body)


@cocotb.test()
async def hops(dut):
    """Warm-up, results with every field, a reset in the middle of a hop, brief results, a lost hop."""
    image = test_image()
    await start(dut, **IDLE)
    raw = image.to_bytes()
    await load(dut, raw)
    assert dut.w_accept.value == 1
    dut.weights_valid.value = 1
    engine = FixedEngine(image)
    rng = np.random.default_rng(2)
    await send(dut, rng.integers(-3000, 3000, 70), 0, 0, 0.0)  # forgotten
    dut.stream_rst.value = 1
    await FallingEdge(dut.clk)
    dut.stream_rst.value = 0
    for hop in range(6):
        zero = int(hop == 5)
        samples = (rng.standard_normal(HOP) * 4000).astype(np.int16) * (1 - zero)
        task = cocotb.start_soon(send(dut, samples, hop * HOP, zero, 0.1 * (hop % 2)))
        head, body = await receive(dut, int(hop != 4))
        await task
        for _ in range(3):
            await FallingEdge(dut.clk)
        out = engine.outputs(samples)
        assert head["index"] == hop * HOP
        assert head["zero"] == zero
        assert head["frame"] == len(out.logits) == int(hop >= 3)
        if not len(out.logits):
            assert head["cycles"] == 0
            continue
        assert dut.word.value.integer == int(out.logits[-1].argmax())
        assert 30_000 < head["cycles"] <= 60_000
        dut._log.info("hop %d: %d cycles", hop, head["cycles"])
        if hop == 4:
            assert body == b""
            continue
        assert len(body) == head["len"]
        check_body(body, out, FIELDS)


@cocotb.test()
async def another_network_is_not_accepted(dut):
    await start(dut, **IDLE)
    raw = bytearray(test_image().to_bytes()[:32])
    await load(dut, bytes(raw))
    assert dut.w_accept.value == 1
    for at in (0, 3, 4, 6, 8, 9, 12, 13, 14, 15, 16, 17):
        wrong = bytearray(raw)
        wrong[at] ^= 1
        await load(dut, bytes(wrong))
        assert dut.w_accept.value == 0, at
    await load(dut, bytes(raw))
    dut.w_re.value = 1
    for at in range(32):
        dut.w_addr.value = at
        await FallingEdge(dut.clk)
        assert dut.w_rdata.value.integer == raw[at]

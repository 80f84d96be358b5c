"""nm_leds against a model: words that come by ones, in rows, with pauses; what is held, for how long, and traffic."""

import random

import cocotb
from bench import start
from cocotb.triggers import FallingEdge

REPEATS, HOLD, TICK = 10, 96, 64


async def results(dut, word, count, gap):
    for _ in range(count):
        dut.word.value, dut.word_valid.value = word, 1
        await FallingEdge(dut.clk)
        dut.word_valid.value = 0
        for _ in range(gap):
            await FallingEdge(dut.clk)


@cocotb.test()
async def a_row_is_shown_and_held(dut):
    await start(dut, line=0, word_valid=0, word=0)
    assert dut.shown.value == 0
    for word in (0, 3, 11):
        await results(dut, word, REPEATS - 1, 2)
        assert dut.shown.value == 0 or dut.shown_word.value != word, "not yet"
        await results(dut, word, 1, 2)
        assert dut.shown.value == 1
        assert dut.shown_word.value == word
        await results(dut, (word + 1) % 12, REPEATS - 1, 0)
        await results(dut, word, 1, 0)
        assert dut.shown_word.value == word
    for _ in range((HOLD - 1) * TICK - 40):
        assert dut.shown.value == 1
        await FallingEdge(dut.clk)
    for _ in range(2 * TICK):
        await FallingEdge(dut.clk)
    assert dut.shown.value == 0


@cocotb.test()
async def any_order_of_words(dut):
    await start(dut, line=0, word_valid=0, word=0)
    run = 0
    last = shown = None
    for _ in range(600):
        word = last if last is not None and random.random() < 0.85 else random.randrange(12)
        run = run + 1 if word == last else 1
        last = word
        if run >= REPEATS:
            shown = word
        await results(dut, word, 1, 1)
        assert dut.shown.value == int(shown is not None)
        if shown is not None:
            assert dut.shown_word.value == shown


@cocotb.test()
async def a_short_pulse_of_traffic_is_seen(dut):
    await start(dut, line=0, word_valid=0, word=0)
    dut.line.value = 1
    await FallingEdge(dut.clk)
    dut.line.value = 0
    lit = 0
    while dut.traffic.value == 1:
        lit += 1
        await FallingEdge(dut.clk)
    assert 3 * TICK <= lit <= 4 * TICK + 1


@cocotb.test()
async def one_eighth_of_the_light(dut):
    await start(dut, line=0, word_valid=0, word=0)
    lit = 0
    for _ in range(8 * TICK):
        lit += int(dut.dim.value)
        await FallingEdge(dut.clk)
    assert lit == TICK

"""Networks of the clip schedule: a whole waveform in, logits out. Frames centred and reflected, statistics of the clip.

What carries state from frame to frame runs in loops whose bodies are the frames of ``frontend`` and ``backend``.
"""

from __future__ import annotations

import numpy as np

from kwscore.constants import HOP, N_CLASSES, N_FREQ, N_MELS, WINDOW
from kwscore.export import backend, frontend
from kwscore.export.frontend import Clock, Feature
from kwscore.export.graph import BATCH, Graph, Value, spectrum
from kwscore.models import constants as c
from kwscore.stream import layout as at
from kwscore.stream.weights import Arrays

LEAST_SAMPLES = WINDOW // 2 + 1
"""Fewest samples that can be reflected."""


def clip_graph(shape: at.Shape, w: at.Weights, arrays: Arrays) -> Graph:
    """Waveform (B, S), S >= 257 -> logits (B, 12)."""
    g = Graph()
    magnitude = clip_magnitude(g, g.input("waveform", (BATCH, "samples")))
    mel, snr = frontend.mel_and_snr(g, w, magnitude, _noise_floor(g, shape, w, magnitude))
    energy = _tiny_conv(g, arrays, mel) if shape.tiny_conv else mel
    feature = _feature(g, shape, w, energy, snr)
    centred = feature.feature - g.mean(feature.feature, 1)
    normed = centred / g.op("Sqrt", g.mean(centred * centred, 1) + c.NORM_EPS)
    hint = None
    if shape.nasg:
        flatness = g.mean(frontend.positive_flatness(g, normed), 1)
        hint = frontend.noise_hint(g, w, g.op("Squeeze", flatness, g.integers(1)))
    final = _blocks(g, shape, w, normed, snr, feature.gate, hint)
    g.output("logits", backend.classify(w, g.op("Squeeze", g.mean(final, 1), g.integers(1))), (BATCH, N_CLASSES))
    return g


def clip_magnitude(g: Graph, waveform: Value, length: int = WINDOW) -> Value:
    """Magnitudes (B, T, 257) of centred frames, T = 1 + S // 160; ``length`` of the Hann window."""
    half = WINDOW // 2
    padded = g.op("Pad", waveform, g.integers(0, half, 0, half), mode="reflect")
    samples = g.op("Shape", waveform, start=1, end=2)
    frames = g.op("Squeeze", g.op("Add", g.op("Div", samples, g.integers(HOP)), g.integers(1)), g.integers(0))
    count = g.op("Range", g.constant(0, np.int64), frames, g.constant(1, np.int64))
    starts = g.insert(g.op("Mul", count, g.integers(HOP)), 1)
    index = g.op("Add", starts, g.integers(*range(WINDOW)))
    return spectrum(g.op("Gather", padded, index, axis=1), length)


def _noise_floor(g: Graph, shape: at.Shape, w: at.Weights, magnitude: Value) -> Value:
    """Noise floor (B, T, 257), or (B, 1, 257) for the log front end: starts from the first five frames, runs free."""
    anchor = g.op("Max", g.mean(g.part(magnitude, 0, c.ANCHOR_FRAMES, axis=1), 1), c.ANCHOR_MIN)
    if shape.front == at.FRONT_LOG:
        return anchor
    body = Graph("floor_")
    floor = frontend.follow(body, w, body.state("floor", (N_FREQ,)), body.input("magnitude", (BATCH, N_FREQ)))
    body.keep("floor", floor)
    body.output("value", floor, (BATCH, N_FREQ))
    start = g.op("Squeeze", anchor, g.integers(1))
    (free,) = g.scan(body, [magnitude], magnitude, {"floor": start})
    return g.op("Max", free, anchor * c.ANCHOR_SHARE)


def _tiny_conv(g: Graph, arrays: Arrays, mel: Value) -> Value:
    """TinyConv with its look-ahead."""
    kernel, bias = (arrays[f"tiny_conv.conv.{key}"] for key in ("weight", "bias"))
    image = g.insert(g.op("Transpose", mel, perm=[0, 2, 1]), 1)
    conv = g.op("Relu", g.op("Conv", image, kernel, bias, pads=[1, 1, 1, 1]))
    return mel + g.op("Transpose", g.op("Squeeze", conv, g.integers(1)), perm=[0, 2, 1])


def _feature(g: Graph, shape: at.Shape, w: at.Weights, mel: Value, snr: Value) -> Feature:
    """Feature (B, T, 40), routing and gate (B, T, E or 1)."""
    body = Graph("front_")
    level = None
    if shape.front_v2:
        level = body.outer(g.op("Squeeze", g.mean(g.mean(snr), 1), g.integers(1)))
    clock = Clock.make(body)
    frame_mel, frame_snr = (body.input(name, (BATCH, N_MELS)) for name in ("mel", "snr"))
    out = frontend.feature(body, shape, w, clock, frame_mel, frame_snr, level)
    body.output("feature", out.feature, (BATCH, N_MELS))
    if out.gate is None:
        (feature,) = g.scan(body, [mel, snr], mel)
        return Feature(feature, None, None)
    body.output("gate", out.gate, (BATCH, 1))
    feature, gate = g.scan(body, [mel, snr], mel)
    return Feature(feature, None, gate)


def _blocks(
    g: Graph, shape: at.Shape, w: at.Weights, normed: Value, snr: Value, gate: Value | None, hint: Value | None
) -> Value:
    """Outputs of the final norm (B, T, d)."""
    body = Graph("block_")
    clock = Clock.make(body)
    sequences = [normed, snr] if gate is None else [normed, snr, gate]
    frame_normed, frame_snr = (body.input(name, (BATCH, N_MELS)) for name in ("normed", "snr"))
    frame_gate = None if gate is None else body.input("gate", (BATCH, 1))
    given = backend.Given(clock, frame_snr, frame_gate, None if hint is None else body.outer(hint))
    final, _ = backend.blocks(body, shape, w, given, frame_normed)
    body.output("final", final, (BATCH, shape.d))
    return g.scan(body, sequences, normed)[0]

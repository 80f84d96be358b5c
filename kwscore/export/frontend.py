"""The front end of one frame as ONNX nodes: docs/stream_schedule.md, 2 to 6 and 8.

``w`` are the effective parameters that ``kwscore.stream.weights.pack`` makes for the float engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kwscore.constants import N_FREQ, N_MELS
from kwscore.export.graph import Graph, Value, to_float
from kwscore.models import constants as c
from kwscore.stream import layout as at

LARGEST = float(np.finfo(np.float32).max)
"""Stands for "no minimum yet"."""


@dataclass(frozen=True)
class Clock:
    """Where a frame stands: ``frame`` (B, 1) int64 since reset, and whether it is the first, (B, 1) bool."""

    frame: Value
    first: Value

    @classmethod
    def make(cls, g: Graph) -> Clock:
        """Counts the frames in the state ``frame``."""
        frame = g.state("frame", (1,), np.int64)
        g.keep("frame", g.op("Add", frame, g.integers(1)))
        return cls(frame, g.op("Equal", frame, g.integers(0)))

    def before(self, count: int) -> Value:
        """Whether the frame's index is below ``count``."""
        g = self.frame.graph
        return g.op("Less", self.frame, g.integers(count))

    def frames(self, most: int, prior: int = 0) -> Value:
        """min(frame + 1 + prior, most) as float32."""
        g = self.frame.graph
        return to_float(g.op("Min", g.op("Add", self.frame, g.integers(1 + prior)), g.integers(most)))


@dataclass(frozen=True)
class Feature:
    """``feature`` (B, 40) before normalisation; ``routing`` (B, E), None for log; ``gate`` (B, 1) for the state-space
    models, None but for routed front ends of version 2."""

    feature: Value
    routing: Value | None
    gate: Value | None


def noise_anchor(g: Graph, clock: Clock, magnitude: Value) -> Value:
    """Minimum-statistics anchor (B, 257); states ``recent``, ``minimum_now`` and ``minimum_before``."""
    five = g.append("recent", magnitude, c.ANCHOR_FRAMES, (N_FREQ,))
    mean = g.total(five, 1) / clock.frames(c.ANCHOR_FRAMES)
    now, before = g.state("minimum_now", (N_FREQ,)), g.state("minimum_before", (N_FREQ,))
    starts = g.op("Equal", g.op("Mod", clock.frame, g.integers(c.ANCHOR_BLOCK)), g.integers(0))
    before = g.op("Where", clock.before(c.ANCHOR_BLOCK), LARGEST, g.op("Where", starts, now, before))
    now = g.op("Where", starts, LARGEST, now)
    now = g.op("Where", clock.before(c.ANCHOR_FRAMES - 1), now, g.op("Min", now, mean))
    g.keep("minimum_now", now)
    g.keep("minimum_before", before)
    anchor = g.op("Where", clock.before(c.ANCHOR_FRAMES), mean, g.op("Min", now, before))
    return g.op("Max", anchor, c.ANCHOR_MIN)


def follow(g: Graph, w: at.Weights, floor: Value, magnitude: Value) -> Value:
    """The floor (B, 257) pulled to the magnitude."""
    above = g.op("Greater", magnitude, floor)
    rate = g.op("Where", above, w.scalar[at.RATE_ABOVE], w.scalar[at.RATE_BELOW])
    return floor + rate * (magnitude - floor)


def noise_floor(g: Graph, shape: at.Shape, w: at.Weights, clock: Clock, magnitude: Value) -> Value:
    """Noise floor (B, 257); state ``floor`` but for the log front end."""
    anchor = noise_anchor(g, clock, magnitude)
    if shape.front == at.FRONT_LOG:
        return anchor
    moved = g.op("Max", follow(g, w, g.state("floor", (N_FREQ,)), magnitude), anchor * c.ANCHOR_SHARE)
    floor = g.op("Where", clock.before(c.ANCHOR_FRAMES), anchor, moved)
    g.keep("floor", floor)
    return floor


def mel_bank(w: at.Weights) -> np.ndarray:
    """(257, 40) filterbank."""
    bank = np.zeros((N_FREQ, N_MELS), np.float32)
    for m, (start, count) in enumerate(zip(w.mel_start, w.mel_count, strict=True)):
        bank[start : start + count, m] = w.mel_weight[m, :count]
    return bank


def mel_and_snr(g: Graph, w: at.Weights, magnitude: Value, floor: Value) -> tuple[Value, Value]:
    """Mel magnitudes and SNR estimate, each (..., 40), of magnitudes and noise floor (..., 257)."""
    bank = mel_bank(w)
    ratio = magnitude / (floor * w.scalar[at.NOISE_SCALE] + c.SNR_EPS)
    return magnitude @ bank, g.op("Tanh", (ratio @ bank) * c.SNR_GAIN)


def tiny_conv(g: Graph, w: at.Weights, mel: Value) -> Value:
    """TinyConv on this frame and the one before; state ``mel_before``."""
    image = g.concat(*(g.insert(x, 1, -1) for x in (g.state("mel_before", (N_MELS,)), mel)), axis=3)
    g.keep("mel_before", mel)
    conv = g.op("Conv", image, w.tiny_conv.reshape(1, 1, 3, 2), w.tiny_bias, pads=[1, 0, 1, 0])
    return mel + g.op("Relu", g.op("Squeeze", conv, g.integers(1, 3)))


def running_mean(g: Graph, clock: Clock, k: Value, name: str, start: float, x: Value) -> Value:
    """Running mean of x (B, 1) from a corpus mean; state ``name``."""
    mean = g.op("Where", clock.first, start, g.state(name, (1,)))
    mean = mean + (x - mean) / k
    g.keep(name, mean)
    return mean


def feature(
    g: Graph, shape: at.Shape, w: at.Weights, clock: Clock, mel: Value, snr: Value, level: Value | None
) -> Feature:
    """Gate, floor, routing and PCEN (or log) of mel and snr (B, 40); ``level`` (B, 1) sets version 2's temperature."""
    if shape.lsg:
        _, scale, bias, floor = w.band
        mel = mel * (g.op("Sigmoid", snr * scale + bias) * (1.0 - floor) + floor)
    if shape.front == at.FRONT_LOG:
        return Feature(g.op("Log", mel + c.LOG_EPS), None, None)
    energy = g.op("Max", mel, w.band[at.BAND_FLOOR])
    experts = _experts(g, shape, w, clock, energy, snr)
    if shape.front == at.FRONT_PCEN:
        certain = g.op("Expand", 1.0, g.op("Shape", g.part(energy, 0, 1)))
        return Feature(g.total(experts, 1), certain, None)
    routing, gate = _route(g, shape, w, energy, level)
    return Feature(g.total(experts * g.insert(routing, -1), 1), routing, gate if shape.front_v2 else None)


def _experts(g: Graph, shape: at.Shape, w: at.Weights, clock: Clock, energy: Value, snr: Value) -> Value:
    """PCEN outputs (B, E, 40); state ``envelope``."""
    smooth, alpha, delta, r = (np.ascontiguousarray(w.pcen[:, i], np.float32) for i in range(4))
    energy = g.insert(energy, 1)
    if shape.front_v2:
        lack = g.insert(1.0 - snr, 1)
        speed = g.clip((lack * 0.3 + 1.0) * smooth, 0.05, 0.40)
        power = g.clip((lack * 0.5 + 1.0) * r, 0.05, 0.40)
    else:
        speed, power = g.constant(smooth), g.constant(r)
    before = g.op("Where", g.insert(clock.first, -1), energy, g.state("envelope", (shape.experts, N_MELS)))
    envelope = before + speed * (energy - before)
    g.keep("envelope", envelope)
    gained = energy * g.op("Exp", g.op("Log", envelope + c.PCEN_EPS) * -alpha) + delta
    return g.op("Exp", g.op("Log", gained) * power) - g.op("Exp", power * np.log(delta))


def _route(g: Graph, shape: at.Shape, w: at.Weights, energy: Value, level: Value | None) -> tuple[Value, Value]:
    """Routing weights (B, E) and stationarity gate (B, 1); states ``flatness``, ``energy``, ``modulation`` (v2)."""
    energy = g.op("Max", energy, 1e-4)
    mean = g.mean(energy)
    flatness = g.clip(g.op("Exp", g.mean(g.op("Log", energy))) / mean, 0.0, 1.0)
    low, high = g.mean(g.part(energy, 0, 13)), g.mean(g.part(energy, 26, N_MELS))
    tilt = g.clip(low / (low + high + 1e-8), 0.0, 1.0)
    sharpness: Value = g.constant(1.0)
    bonus = None
    if shape.front_v2:
        assert level is not None
        flatness = _average(g, "flatness", flatness)
        energies = g.append("energy", mean, c.SMOOTH_FRAMES, (1,))
        average = g.mean(energies, 1)
        # of the differences: mean square minus squared mean loses what a steady tone leaves
        spread = energies - average
        average, variance = (g.op("Squeeze", x, g.integers(1)) for x in (average, g.mean(spread * spread, 1)))
        variation = g.op("Sqrt", variance + 1e-6) / (g.op("Max", average, 1e-5) + 1e-8)
        modulation = _average(g, "modulation", g.clip(variation, 0.0, 2.0) * 0.5)
        bonus = g.op("Max", 0.5 - modulation, 0.0) * 0.5
        sharpness = 1.0 + (1.0 - level) * 2.0
    indicator = flatness
    if shape.tilt:
        indicator = indicator + (1.0 - flatness) * g.op("Max", tilt - 0.6, 0.0)
    if bonus is not None:
        indicator = indicator + (1.0 - indicator) * bonus
    gate = g.op("Sigmoid", sharpness * w.scalar[at.GATE_TEMP] * (indicator - 0.5))
    if shape.front == at.FRONT_DUAL:
        return g.concat(1.0 - gate, gate), gate
    broad = g.op("Sigmoid", sharpness * w.scalar[at.GATE_TEMP2] * (flatness - 0.7))
    return g.concat(1.0 - gate, gate * broad, gate * (1.0 - broad)), gate


def _average(g: Graph, name: str, x: Value) -> Value:
    """Mean of the last seven values (B, 1), zeros before the start."""
    return g.total(g.append(name, x, c.SMOOTH_FRAMES, (1,)), 1) / float(c.SMOOTH_FRAMES)


def running_norm(g: Graph, w: at.Weights, clock: Clock, k: Value, x: Value) -> Value:
    """Running normalisation of x (B, 40); states ``norm_mean`` and ``norm_var``."""
    mean, var = (
        g.op("Where", clock.first, start, g.state(name, (N_MELS,)))
        for name, start in zip(("norm_mean", "norm_var"), w.norm, strict=True)
    )
    share = 1.0 / k
    d = x - mean
    mean = mean + d * share
    var = (1.0 - share) * (var + d * d * share)
    g.keep("norm_mean", mean)
    g.keep("norm_var", var)
    return (x - mean) / g.op("Sqrt", var + c.NORM_EPS)


def positive_flatness(g: Graph, normed: Value) -> Value:
    """Flatness (..., 1) of the positive part of the normalised feature (..., 40), for NASG."""
    positive = g.op("Max", normed, 1e-6)
    return g.op("Exp", g.mean(g.op("Log", positive))) / (g.mean(positive) + 1e-8)


def noise_hint(g: Graph, w: at.Weights, mean: Value) -> Value:
    """NASG's hint from the mean flatness."""
    return g.op("Tanh", mean * w.scalar[at.HINT_SCALE] + w.scalar[at.HINT_BIAS])

"""Networks of the stream schedule: one hop with explicit state, and that hop run along a waveform."""

from __future__ import annotations

from kwscore.constants import CLIP_FRAMES, HOP, N_CLASSES, N_MELS, WINDOW
from kwscore.export import backend, frontend
from kwscore.export.frontend import Clock
from kwscore.export.graph import BATCH, Graph, Value, spectrum
from kwscore.stream import layout as at

HISTORY = "history"


def step_graph(shape: at.Shape, w: at.Weights, prefix: str = "", telemetry: bool = True) -> Graph:
    """160 new samples (B, 160) and the state of the hop before -> logits, telemetry, and the state after."""
    g = Graph(prefix)
    new = g.input("samples", (BATCH, HOP))
    window = g.concat(g.state(HISTORY, (WINDOW - HOP,)), new)
    g.keep(HISTORY, g.part(window, HOP, WINDOW))
    clock = Clock.make(g)
    magnitude = spectrum(window)
    mel, snr = frontend.mel_and_snr(g, w, magnitude, frontend.noise_floor(g, shape, w, clock, magnitude))
    prior, horizon = (int(w.scalar[i]) for i in (at.NORM_PRIOR, at.NORM_HORIZON))
    k = clock.frames(horizon, prior)
    level = None
    if shape.front_v2:
        level = frontend.running_mean(g, clock, k, "snr_mean", w.scalar[at.KAPPA_MEAN], g.mean(snr))
    energy = frontend.tiny_conv(g, w, mel) if shape.tiny_conv else mel
    feature = frontend.feature(g, shape, w, clock, energy, snr, level)
    normed = frontend.running_norm(g, w, clock, k, feature.feature)
    hint = None
    if shape.nasg:
        flatness = frontend.positive_flatness(g, normed)
        mean = frontend.running_mean(g, clock, k, "flatness_mean", w.scalar[at.HINT_MEAN], flatness)
        hint = frontend.noise_hint(g, w, mean)
    final, delta = backend.blocks(g, shape, w, backend.Given(clock, snr, feature.gate, hint), normed)
    pool = g.append("pool", final, CLIP_FRAMES, (shape.d,))
    logits = backend.classify(w, g.total(pool, 1) / clock.frames(CLIP_FRAMES))
    g.output("logits", logits, (BATCH, N_CLASSES))
    if telemetry:
        g.output("mel", mel, (BATCH, N_MELS))
        g.output("snr", snr, (BATCH, N_MELS))
        if feature.routing is not None:
            g.output("routing", feature.routing, (BATCH, shape.experts))
        if delta is not None:
            g.output("delta", delta, (BATCH, shape.layers, shape.channels))
    return g


def stream_clip_graph(shape: at.Shape, w: at.Weights) -> Graph:
    """Waveform (B, S), S >= 512 -> logits of the last frame, and of every frame."""
    g = Graph()
    waveform = g.input("waveform", (BATCH, "samples"))
    body = step_graph(shape, w, "hop_", telemetry=False)
    overlap = WINDOW - HOP
    (frames,) = g.scan(body, [hops(g, waveform, overlap)], waveform, {HISTORY: g.part(waveform, 0, overlap)})
    g.output("logits", g.op("Gather", frames, g.constant(-1, int), axis=1), (BATCH, N_CLASSES))
    g.output("frame_logits", frames, (BATCH, "frames", N_CLASSES))
    return g


def hops(g: Graph, waveform: Value, begin: int) -> Value:
    """Whole hops (B, T, 160) of the samples from ``begin`` on; the rest is left."""
    samples = g.op("Shape", waveform, start=1, end=2)
    whole = g.op("Div", g.op("Sub", samples, g.integers(begin)), g.integers(HOP))
    end = g.op("Add", g.op("Mul", whole, g.integers(HOP)), g.integers(begin))
    kept = g.op("Slice", waveform, g.integers(begin), end, g.integers(1))
    return g.op("Reshape", kept, g.concat(g.integers(0), whole, g.integers(HOP), axis=0))

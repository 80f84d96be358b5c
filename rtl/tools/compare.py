"""Results of the machine against the integer engine's trace of the same frame."""

from __future__ import annotations

import numpy as np

from kwscore.fixed import layout as at
from rtl.tools.model import I8, Write


def expected(trace: at.Trace, sizes: at.Sizes) -> dict[str, I8]:
    """What each labelled result must be at the end of a frame, by label."""
    ch, st = sizes.channels, sizes.states
    out = {
        "gain": trace.gain,
        "windowed": trace.windowed,
        "re": trace.spectrum[0],
        "im": trace.spectrum[1],
        "magnitude": trace.magnitude,
        "anchor": trace.anchor,
        "floor": trace.floor,
        "ratio": trace.ratio,
        "mel": trace.mel,
        "mel_ratio": trace.mel_ratio,
        "snr": trace.snr,
        "energy": trace.energy,
        "log_energy": trace.log_energy,
        "flat": trace.routing[:1],
        "tilt": trace.routing[1:2],
        "indicator": trace.routing[2:3],
        "gate": trace.routing[3:],
        "envelope0": trace.envelope[0],
        "envelope1": trace.envelope[1],
        "expert0": trace.expert[0],
        "expert1": trace.expert[1],
        "feature": trace.feature,
        "mean": trace.mean,
        "var": trace.var,
        "normed": trace.normed,
        "x0": trace.x[0],
        "snr_sum": trace.snr_sum,
        "final": trace.final,
        "pool_sum": trace.pool_sum,
        "pooled": trace.pooled,
        "logits": trace.logits,
        "word": 16 * trace.logits.max(keepdims=True) + 15 - int(trace.logits.argmax()),
    }
    for layer in range(sizes.layers):
        out |= {
            f"ln{layer}": trace.ln[layer],
            f"inner{layer}": trace.inner[layer, :ch],
            f"z{layer}": trace.inner[layer, ch:],
            f"conv{layer}": trace.conv[layer],
            f"u{layer}": trace.u[layer],
            f"proj{layer}": trace.proj[layer, : st + 1],
            f"read{layer}": trace.proj[layer, st + 1 :],
            f"modulation{layer}": trace.modulation[layer],
            f"b{layer}": trace.b[layer],
            f"delta{layer}": trace.delta[layer],
            f"delta_mean{layer}": (2 * trace.delta[layer].sum(keepdims=True) + ch) // (2 * ch),
            f"decay{layer}": trace.decay[layer].ravel(),
            f"hidden{layer}": trace.hidden[layer].ravel(),
            f"y{layer}": trace.y[layer],
            f"sz{layer}": trace.sz[layer],
            f"v{layer}": trace.v[layer],
            f"x{layer + 1}": trace.x[layer + 1],
        }
    return out


ALIASES = {
    "floor": ("floor_start", "floor_follow"),
    "envelope0": ("env_start", "env_follow"),
    "envelope1": ("env_start", "env_follow"),
}


def results(writes: list[Write]) -> dict[str, I8]:
    """The last result under each name; a spectrum is collected from the butterflies of its last stage."""
    out: dict[str, I8] = {}
    spectrum: dict[str, list[Write]] = {"re": [], "im": []}
    envelopes: list[I8] = []
    for write in writes:
        if write.label in spectrum:
            spectrum[write.label].append(write)
        elif write.label in ALIASES["envelope0"]:
            envelopes.append(write.values)
        elif write.label in ALIASES["floor"]:
            out["floor"] = write.values
        else:
            out[write.label] = write.values
    for name, parts in spectrum.items():
        whole = np.zeros(512, np.int64)
        for write in parts[-2:]:
            assert write.addresses is not None
            whole[write.addresses & 511] = write.values
        out[name] = whole
    if envelopes:  # a feature frame has none
        out["envelope0"], out["envelope1"] = envelopes
    return out


def compare(writes: list[Write], trace: at.Trace, sizes: at.Sizes) -> None:
    """Raise AssertionError naming the first tensor, in program order, that differs."""
    got = results(writes)
    order = {write.label: i for i, write in enumerate(writes)}
    for name, want in sorted(expected(trace, sizes).items(), key=lambda item: order.get(item[0], 0)):
        mine = got[name]
        if mine.shape != want.shape or (mine != want).any():
            wrong = np.flatnonzero(mine != want) if mine.shape == want.shape else np.zeros(0, np.int64)
            raise AssertionError(
                f"{name}: {len(wrong)} of {want.size} differ, at {wrong[:4]}: {mine[wrong][:4]} not {want[wrong][:4]}"
            )

"""Memory map: fields of the image, and the data memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kwscore.constants import CLIP_FRAMES, N_CLASSES, N_FREQ, N_MELS, WINDOW
from kwscore.fixed import layout as at
from kwscore.fixed.image import HEADER
from kwscore.models.constants import ANCHOR_FRAMES
from rtl.tools.isa import BANK

if TYPE_CHECKING:
    from rtl.tools.program import Builder


class Field(NamedTuple):
    """Where a field of the image starts (byte) and its shape without the element size."""

    byte: int
    shape: tuple[int, ...]


def image_fields(sizes: at.Sizes) -> dict[str, Field]:
    """Byte addresses inside an image of these sizes: ``w_``, ``s_`` and ``c_`` fields, and ``end``."""
    fields: dict[str, Field] = {}
    byte = HEADER.size
    matrices = at.matrix_shapes(sizes)
    groups = (
        ("w_", matrices, 1),
        ("s_", {key: shape[:-1] for key, shape in matrices.items()}, 1),
        ("c_", at.constant_shapes(sizes), 4),
    )
    for prefix, shapes, size in groups:
        for name, shape in shapes.items():
            fields[prefix + name] = Field(byte, shape)
            count = 1
            for length in shape:
                count *= length
            byte += count * size
        byte += -byte % 4
    fields["end"] = Field(byte, ())
    return fields


def allocate(p: Builder) -> None:
    """Data memory of every name, ``p.m``; where a RESULT finds its fields, ``p.out_at``."""
    s = p.sizes
    m: dict[str, int] = {}
    p.m = m

    def both(name: str, words: int) -> None:
        m[name] = p.alloc_both(name, words)

    def x(name: str, words: int) -> None:
        m[name] = p.alloc(name, words, "x")

    def y(name: str, words: int) -> None:
        m[name] = p.alloc(name, words, "y")

    both("re", WINDOW)  # real parts in X, imaginary parts in BANK at the same place
    m["im"] = m["re"] + BANK
    x("pcm", WINDOW)  # WRAP needs it at a multiple of 512
    y("tr", WINDOW // 2 + 1)
    both("bin", N_FREQ)  # exponent of a bin; later scratch
    both("energy", N_MELS)
    both("log_energy", N_MELS)
    both("diff", N_MELS)
    channels, states, d = s.channels, s.states, s.d
    both("proj", 2 * states + 1)
    for name in ("c_five", "c_pool", "c_k", "slot_ring", "slot_pool", "block_left", "r_five", "r_k", "r_pool"):
        both(name, 1)
    for name in ("gain", "fall", "flat", "tilt", "indicator", "gate", "p", "q", "mu", "ss", "inv", "phi", "eps"):
        both(name, 1)
    x("ti", WINDOW // 2 + 1)
    # Places that are free again after the spectrum, or after the noise floor
    m["low1"], m["anchor"], m["ratio"], m["total"], m["mag"] = m["tr"], m["ti"], m["tr"], m["im"], m["re"]
    spare = [[m["re"] + N_FREQ, WINDOW - N_FREQ], [m["ti"], N_FREQ], [m["bin"], N_FREQ]]

    def late(name: str, words: int) -> None:
        """In X, used only behind the noise floor."""
        for place in spare:
            if place[1] >= words:
                m[name] = place[0]
                place[0] += words
                place[1] -= words
                return
        x(name, words)

    x("current", N_FREQ)
    y("floor", N_FREQ)
    y("previous", N_FREQ)
    y("ring", ANCHOR_FRAMES * N_FREQ)
    for name in ("mel", "mel_ratio", "snr", "feature", "tx", "ux", "expert1", "normed"):
        late(name, N_MELS)
    for name in ("envelope0", "envelope1", "expert0", "mean", "var", "ty", "uy"):
        y(name, N_MELS)
    late("stream", d)
    late("dx", d)
    y("norm_out", d)
    for layer in range(s.layers):
        x(f"past{layer}", 3 * channels)  # inputs of the convolution at t-2, t-1, t
        x(f"hidden{layer}", states * channels)
    for name in ("z", "u", "delta", "y", "v"):
        late(name, channels)
    y("conv", channels)
    y("modulation", states + 1)
    y("gated", states)
    y("vy", max(2 * channels, states * channels, N_MELS))
    late("vx", states * channels)
    y("wy", states * channels)
    y("decay", states * channels)
    y("pool_sum", d)
    late("pooled", d)
    for name in ("sum_logs", "t0", "t1", "snr_sum"):
        x(name, 1)
    # What a RESULT sends, 16-bit words in the order of the mask; behind them the class for the LEDs.
    p.out_words = {
        "logits": N_CLASSES,
        "routing": 2,
        "delta_mean": s.layers,
        "snr": N_MELS,
        "mel": N_MELS,
        "delta": s.layers * channels,
        "word": 1,
    }
    p.out_at = {}
    y("out", sum(p.out_words.values()))
    at_word = m["out"]
    for name, words in p.out_words.items():
        p.out_at[name] = at_word
        at_word += words
    x("pool", CLIP_FRAMES * d)

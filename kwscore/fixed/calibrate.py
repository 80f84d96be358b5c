"""Activation formats from audio: run wide formats, look how large each tensor gets, narrow, repeat."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import BLOCK_FORMATS, SUFFIX, Image
from kwscore.fixed.quantise import build_image, normed_format, sizes_of, weight_bits
from kwscore.models.checkpoint import find_checkpoint, load_arrays, model_hash
from kwscore.models.config import NetworkConfig
from kwscore.stream.weights import Arrays

Pcm = NDArray[np.int16]

# name: (tensor of the trace, bits, spare bits above the largest value seen, most fraction bits)
_GLOBAL = {"x": ("x", 24, 3, 14), "final": ("final", 16, 1, 14), "pooled": ("pooled", 16, 1, 15)}
_BLOCK = {
    "ln": ("ln", 16, 1, 14),
    "up": ("inner", 16, 1, 14),
    "u": ("u", 16, 1, 14),
    "sz": ("sz", 16, 1, 14),
    "c": ("proj", 16, 1, 14),
    "b": ("b", 16, 1, 14),
    "h": ("hidden", 24, 2, 16),
    "y": ("y", 24, 2, 14),
    "v": ("v", 20, 2, 14),  # the heaviest tail of all activations
}
_WIDE = {"x": 8, "final": 9, "pooled": 9, "ln": 9, "up": 9, "u": 8, "sz": 8, "c": 8, "b": 8, "h": 10, "y": 9, "v": 6}
_ROUNDS = 2


def synthetic_calibration(seconds: float = 24.0, seed: int = 2026) -> list[Pcm]:
    """Streams for calibration without recordings: noises, voiced syllables with formants, clicks, silence, clipping,
    at levels from -70 to 0 dBFS and with steps between them. Deterministic."""
    rng = np.random.default_rng(seed)
    n = int(seconds / 4 * SAMPLE_RATE)
    streams = []
    for index in range(4):
        t = np.arange(n) / SAMPLE_RATE
        out = rng.normal(0.0, 10.0 ** (-(70, 60, 45, 30)[index] / 20), n)
        position = int(0.3 * SAMPLE_RATE)
        while position < n - SAMPLE_RATE // 4:
            length = int(rng.uniform(0.15, 0.6) * SAMPLE_RATE)
            piece = slice(position, min(n, position + length))
            out[piece] += 10.0 ** (rng.uniform(-40, 3) / 20) * _syllable(rng, t[piece] - t[position])
            position += length + int(rng.uniform(0.02, 0.5) * SAMPLE_RATE)
        quiet = int(rng.integers(n // 2))
        out[quiet : quiet + SAMPLE_RATE // 2] *= 0.0
        streams.append(np.clip(np.rint(out * 32768), -32768, 32767).astype(np.int16))
    return streams


def _syllable(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonics under three moving formants, or a burst of filtered noise; peak about 1."""
    if rng.random() < 0.3:
        noise = np.convolve(rng.normal(0, 1, len(t)), rng.normal(0, 1, 8), "same")
        wave = noise / (np.abs(noise).max() + 1e-9)
    else:
        phase = 2 * np.pi * np.cumsum(rng.uniform(90, 260) * (1 + 0.2 * np.sin(4 * t))) / SAMPLE_RATE
        formants = rng.uniform((250, 800, 2000), (900, 2200, 3400))
        wave = np.zeros(len(t))
        for h in range(1, 40):
            frequency = h * np.gradient(phase) * SAMPLE_RATE / (2 * np.pi)
            gain = sum(1.0 / (1.0 + ((frequency - f * (1 + 0.3 * t)) / 120.0) ** 2) for f in formants)
            wave += gain * np.sin(h * phase)
        wave /= np.abs(wave).max() + 1e-9
    edge = np.minimum(1.0, np.minimum(t / 0.02, (t[-1] - t) / 0.05 + 1e-3))
    return wave * edge


def _peaks(image: Image, audio: Sequence[Pcm]) -> dict[str, list[float]]:
    """Largest magnitudes of the tensors that have a format, in real units."""
    engine = FixedEngine(image)
    channels, states = image.sizes.channels, image.sizes.states
    parts = {"up": slice(0, channels), "c": slice(1 + states, None)}
    largest = {
        name: np.zeros(image.sizes.layers if name in BLOCK_FORMATS else 1, np.int64) for name in (*_GLOBAL, *_BLOCK)
    }
    for stream in audio:
        engine.reset()
        for trace in engine.visit(stream):
            for name, (tensor, *_) in (_GLOBAL | _BLOCK).items():
                array = getattr(trace, tensor)
                rows = array.reshape(len(largest[name]), -1)
                if name in parts:
                    rows = rows[:, parts[name]]
                np.maximum(largest[name], np.maximum(rows.max(1), -rows.min(1)), out=largest[name])
    return {
        name: [float(v) * 2.0**-f for v, f in zip(peaks, image.formats[name], strict=True)]
        for name, peaks in largest.items()
    }


def _moments(image: Image, audio: Sequence[Pcm]) -> dict[str, NDArray[np.float64]]:
    """Second moments of the inputs of every matrix, by tensor name, up to a factor."""
    engine = FixedEngine(image)
    inputs: dict[str, tuple[str, int | None]] = {"patch_proj": ("normed", None), "classifier": ("pooled", None)}
    for layer in range(image.sizes.layers):
        here = f"blocks.{layer}."
        inputs |= {here + "in_proj": ("ln", layer), here + "out_proj": ("v", layer)}
        inputs |= {here + "sa_ssm.x_proj": ("u", layer), here + "sa_ssm.snr_proj": ("snr", None)}
    rows: dict[str, list[NDArray[np.int64]]] = {name: [] for name in inputs}
    for stream in audio:
        engine.reset()
        for trace in engine.visit(stream):
            for name, (tensor, index) in inputs.items():
                array = getattr(trace, tensor)
                rows[name].append((array if index is None else array[index]).copy())
    stacked = {name: np.array(values, np.float64) for name, values in rows.items()}
    return {name: x.T @ x for name, x in stacked.items()}


def _residual_format(config: NetworkConfig, arrays: Arrays, formats: Mapping[str, tuple[int, ...]]) -> int:
    """The residual stream need not be finer than what is added to it: no row is ever shifted left."""
    added = [formats["v"][i] + weight_bits(arrays, f"blocks.{i}.out_proj") for i in range(config.layers)]
    return min(formats["x"][0], formats["normed"][0] + weight_bits(arrays, "patch_proj"), *added)


def _narrowed(config: NetworkConfig, arrays: Arrays, peaks: Mapping[str, list[float]]) -> dict[str, tuple[int, ...]]:
    formats: dict[str, tuple[int, ...]] = {"normed": (normed_format(config.norm_horizon),)}
    for name, (_, bits, spare, most) in (_GLOBAL | _BLOCK).items():
        formats[name] = tuple(
            max(0, min(most, bits - 1 - spare - math.ceil(math.log2(max(peak, 2.0**-14))))) for peak in peaks[name]
        )
    least_b = 3  # delta B has 11 + b fraction bits and is brought to 14
    formats["b"] = tuple(max(b, least_b) for b in formats["b"])
    formats["x"] = (_residual_format(config, arrays, formats),)
    formats["pooled"] = (min(formats["pooled"][0], formats["final"][0] + 10),)
    return formats


def quantise(config: NetworkConfig, arrays: Arrays, audio: Sequence[Pcm] | None = None) -> Image:
    """The image of a network.

    ``audio``: calibration streams, int16, at least one frame (512 samples) each; speech at the loudest levels to come
    is best. Default: :func:`synthetic_calibration`. Raises KWScopeError for a network that the datapath does not cover.
    """
    streams = synthetic_calibration() if audio is None else list(audio)
    if not streams or any(s.dtype != np.int16 or s.ndim != 1 or len(s) < 512 for s in streams):
        raise KWScopeError("Calibration audio must be one or more int16 streams (n,) of at least 512 samples.")
    formats: dict[str, tuple[int, ...]] = {
        name: (fraction,) * (config.layers if name in BLOCK_FORMATS else 1) for name, fraction in _WIDE.items()
    }
    formats["normed"] = (normed_format(config.norm_horizon),)
    formats["x"] = (_residual_format(config, arrays, formats),)
    for _ in range(_ROUNDS):
        formats = _narrowed(config, arrays, _peaks(build_image(config, arrays, formats), streams))
    moments = _moments(build_image(config, arrays, formats), streams)
    return build_image(config, arrays, formats, moments)


def load_image(
    name: str | Path,
    audio: Sequence[Pcm] | None = None,
    *,
    fresh: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Image:
    """An image file (.kwsf), or the image of a checkpoint (name or path). Imports no torch.

    The image that lies beside a checkpoint is taken when it was made from these very weights and no ``audio`` is
    given; else, or with ``fresh``, the network is quantised now, which ``progress`` is told: it takes seconds.
    """
    if Path(name).suffix == SUFFIX:
        return Image.load(name)
    config, arrays, _ = load_arrays(name)
    beside = find_checkpoint(name).with_suffix(SUFFIX)
    if audio is None and not fresh and beside.is_file():
        image = Image.load(beside)
        if image.model_hash == model_hash(arrays):
            return image
    sizes_of(config)  # a network that does not fit is refused before anything is said
    if progress:
        progress(f"Quantising {config.name} ...")
    return quantise(config, arrays, audio)

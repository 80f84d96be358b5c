"""Runs an ONNX file in onnxruntime beside the network it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import HOP, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError

TOLERANCE = 1e-4
"""Largest logit difference that passes."""
INSTALL = "Checking ONNX files needs the package onnxruntime: install it with 'pip install \"kwscope[onnx]\"'."


def open_session(path: str | Path) -> Any:
    """An onnxruntime session of one thread. Raises KWScopeError without onnxruntime or for a bad file."""
    try:
        import onnxruntime
    except ImportError as error:
        raise KWScopeError(INSTALL) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a hop is too small to share
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class
        raise KWScopeError(f"onnxruntime cannot open {path}: {error}.") from error


def run_step(session: Any, waveform: NDArray[np.float32]) -> list[dict[str, NDArray[Any]]]:
    """Outputs of every frame of one waveform (S,) in [-1, 1], by name, without the batch axis."""
    types = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
    state: dict[str, NDArray[Any]] = {
        i.name: np.zeros([1, *i.shape[1:]], types[i.type]) for i in session.get_inputs() if i.name != "samples"
    }
    state["history"][0] = waveform[: WINDOW - HOP]
    names = [o.name for o in session.get_outputs()]
    results = []
    for begin in range(WINDOW - HOP, len(waveform) - HOP + 1, HOP):
        out = dict(
            zip(names, session.run(None, {"samples": waveform[None, begin : begin + HOP], **state}), strict=True)
        )
        state = {name: out.pop(f"{name}_next") for name in state}
        results.append({name: value[0] for name, value in out.items()})
    return results


def largest_difference(path: str | Path, net: Any, pcm: NDArray[np.int16] | None = None) -> tuple[int, float]:
    """Frames compared (clips, for the clip schedule) and the largest difference of a logit.

    ``net`` as given to ``export_onnx``: the float engine judges the stream schedule; the clip schedule needs the
    torch network.
    ``pcm``: what both hear, at least 512 samples; by default three seconds of bursts of noise and silence.
    """
    session = open_session(path)
    pcm = bursts() if pcm is None else pcm
    waveform = (pcm / 32768).astype(np.float32)
    outputs = [o.name for o in session.get_outputs()]
    if getattr(net, "schedule", "stream") == "clip":
        import torch

        with torch.inference_mode():
            expected = net(torch.from_numpy(waveform)[None]).numpy()
        got = session.run(["logits"], {"waveform": waveform[None]})[0]
        return len(got), float(np.abs(got - expected).max())
    from kwscore.stream.engine import StreamEngine

    expected = np.stack([record.logits for record in StreamEngine(net).process(pcm)])
    if "frame_logits" in outputs:
        got = session.run(["frame_logits"], {"waveform": waveform[None]})[0][0]
    else:
        got = np.stack([out["logits"] for out in run_step(session, waveform)])
    return len(got), float(np.abs(got - expected).max())


def bursts(seconds: float = 3.0) -> NDArray[np.int16]:
    """Noise that swells and falls, with digital silence between: every rule of the floors and anchors is met."""
    rng = np.random.default_rng(0)
    n = int(seconds * SAMPLE_RATE)
    swell = np.maximum(0.0, np.sin(2 * np.pi * 1.3 * np.arange(n) / SAMPLE_RATE)) ** 4
    return np.rint(32767 * 0.2 * swell * rng.uniform(-1, 1, n)).astype(np.int16)

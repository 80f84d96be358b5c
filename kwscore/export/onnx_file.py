"""Writes a network as an ONNX file: the contract of its inputs and outputs is docs/onnx.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import kwscore
from kwscore.constants import HOP, LABELS, SAMPLE_RATE, WINDOW
from kwscore.errors import KWScopeError
from kwscore.files import writing
from kwscore.models.checkpoint import model_hash
from kwscore.models.config import CnnConfig, NetworkConfig

Kind = Literal["step", "clip"]
INSTALL = "Writing ONNX files needs the package onnx: install it with 'pip install \"kwscope[onnx]\"'."


@dataclass(frozen=True)
class OnnxFile:
    """What was written: where, of which kind, how large, and the inputs and outputs with their shapes."""

    path: Path
    network: str
    model_hash: str
    kind: Kind
    bytes: int
    inputs: dict[str, list[int | str]]
    outputs: dict[str, list[int | str]]


def export_onnx(net: Any, path: str | Path, kind: Kind | None = None) -> OnnxFile:
    """Write ``net`` as ONNX to ``path``, beside it first and then renamed; equal weights give equal bytes.

    ``net``: a torch network, also a convolutional baseline, or a pair (NetworkConfig, arrays by tensor name).
    ``kind``: "step" is one hop with explicit state, "clip" a whole waveform; by default step where the network has
    it. Raises KWScopeError without the package onnx, for a step of a network of the clip schedule, or for a place
    that cannot be written.
    """
    path = Path(path)
    content, model, digest, kind = _model(net, kind)
    with writing(path, parents=True) as part:
        part.write_bytes(content)
    named = {entry.key: entry.value for entry in model.metadata_props}
    return OnnxFile(
        path, named["name"], digest, kind, len(content), _shapes(model.graph.input), _shapes(model.graph.output)
    )


def onnx_bytes(net: Any, kind: Kind | None = None) -> bytes:
    """The content that ``export_onnx`` writes."""
    return _model(net, kind)[0]


def _model(net: Any, kind: Kind | None) -> tuple[bytes, Any, str, Kind]:
    try:
        import onnx  # noqa: F401 (asked for here, so that the answer is one sentence)
    except ImportError as error:
        raise KWScopeError(INSTALL) from error
    from kwscore.export.graph import to_model

    config, arrays = _config_and_arrays(net)
    if kind not in (None, "step", "clip"):
        raise KWScopeError(f"There is no kind {kind!r} of ONNX file: use step or clip.")
    if kind == "step" and config.schedule == "clip":
        raise KWScopeError(
            f"{config.name} was made for clips and has no step from hop to hop: use --kind clip, or a stream network."
        )
    kind = kind or ("step" if config.schedule == "stream" else "clip")
    digest = model_hash(arrays)
    if isinstance(config, CnnConfig):
        from kwscore.export.cnn import cnn_graph

        graph = cnn_graph(net)
    else:
        graph = _mamba_graph(config, arrays, kind)
    metadata = {
        "name": config.name,
        "hash": digest,
        "labels": json.dumps(LABELS),
        "sample_rate": str(SAMPLE_RATE),
        "hop": str(HOP),
        "window": str(WINDOW),
        "kind": kind,
        "schedule": config.schedule,
        "states": json.dumps(list(graph.states)),
        "config": json.dumps(config.to_dict()),
    }
    about = f"{config.name} ({digest}), {kind} network of the {config.schedule} schedule; see docs/onnx.md of KWScope."
    model = to_model(graph.to_proto(config.name), metadata, about, kwscore.__version__)
    return model.SerializeToString(deterministic=True), model, digest, kind


def _mamba_graph(config: NetworkConfig, arrays: dict[str, Any], kind: Kind) -> Any:
    from kwscore.export.clip import clip_graph
    from kwscore.export.step import step_graph, stream_clip_graph
    from kwscore.stream.weights import make_shape, pack

    shape = make_shape(config)
    if config.schedule == "clip":
        unused = {f"stream_norm.{key}": np.zeros(40, np.float32) for key in ("mean", "var")}
        return clip_graph(shape, pack(config, {**arrays, **unused}), arrays)
    weights = pack(config, arrays)
    return step_graph(shape, weights) if kind == "step" else stream_clip_graph(shape, weights)


def _config_and_arrays(net: Any) -> tuple[NetworkConfig | CnnConfig, dict[str, Any]]:
    from kwscore.stream.engine import network_arrays

    config = getattr(net, "config", None)
    if isinstance(config, CnnConfig):
        return config, {key: value.detach().numpy() for key, value in net.state_dict().items()}
    config, arrays = network_arrays(net)
    return config, dict(arrays)


def _shapes(values: Any) -> dict[str, list[int | str]]:
    return {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in values
    }

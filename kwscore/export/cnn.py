"""The convolutional baselines: their own torch code is traced, so that no layer is written down twice."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, fx, nn

from kwscore.constants import N_CLASSES
from kwscore.errors import KWScopeError
from kwscore.export.clip import clip_magnitude
from kwscore.export.graph import BATCH, Graph, Value
from kwscore.models.cnn import SUB_BANDS, CnnBaseline, SubSpectralNorm
from kwscore.models.constants import LOG_EPS


def cnn_graph(net: CnnBaseline) -> Graph:
    """Waveform (B, S), S >= 257 -> logits (B, 12)."""
    g = Graph()
    magnitude = clip_magnitude(g, g.input("waveform", (BATCH, "samples")), net.config.window)
    mel = magnitude @ _array(net.get_buffer("mel_fb")).T
    image = g.insert(g.op("Transpose", g.op("Log", mel + LOG_EPS), perm=[0, 2, 1]), 1)
    g.output("logits", _translate(g, net, image), (BATCH, N_CLASSES))
    return g


class _Classifier(nn.Module):
    """Only the part after the log-mel image."""

    def __init__(self, net: CnnBaseline) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        return self.net.classify(image)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SubSpectralNorm) or super().is_leaf_module(m, module_qualified_name)


def _translate(g: Graph, net: CnnBaseline, image: Value) -> Value:
    root = _Classifier(net).eval()
    values: dict[fx.Node, Value] = {}
    for node in _Tracer().trace(root).nodes:
        if node.op == "placeholder":
            values[node] = image
            continue
        arguments = [values[a] if isinstance(a, fx.Node) else a for a in node.args]
        if node.op == "output":
            return arguments[0]
        if node.op == "call_module":
            module = root.get_submodule(str(node.target))
            convert: Callable[..., Value] | None = _MODULES.get(type(module))
            arguments.insert(0, module)
        else:
            convert = _CALLS.get(node.target)
        if convert is None:
            raise KWScopeError(f"{net.config.name} uses {node.target}, which the ONNX export does not know.")
        values[node] = convert(g, *arguments, **node.kwargs)
    raise AssertionError("a traced network ends with its output")


def _array(tensor: Tensor | None) -> np.ndarray:
    assert tensor is not None
    return tensor.detach().numpy()


def _conv(g: Graph, layer: nn.Conv2d, x: Value) -> Value:
    assert isinstance(layer.padding, tuple)
    parameters = [_array(p) for p in (layer.weight, layer.bias) if p is not None]
    return g.op(
        "Conv", x, *parameters, strides=layer.stride, dilations=layer.dilation, group=layer.groups,
        pads=[*layer.padding, *layer.padding],
    )  # fmt: skip


def _batch_norm(g: Graph, layer: nn.BatchNorm2d, x: Value) -> Value:
    parts = (_array(p) for p in (layer.weight, layer.bias, layer.running_mean, layer.running_var))
    return g.op("BatchNormalization", x, *parts, epsilon=layer.eps)


def _sub_spectral(g: Graph, layer: SubSpectralNorm, x: Value) -> Value:
    channels = layer.bn.num_features
    grouped = g.op("Reshape", x, g.integers(0, channels, -1, 0))
    return g.op("Reshape", _batch_norm(g, layer.bn, grouped), g.integers(0, channels // SUB_BANDS, -1, 0))


def _linear(g: Graph, layer: nn.Linear, x: Value) -> Value:
    return x @ _array(layer.weight).T + _array(layer.bias)


def _mean(g: Graph, x: Value, dim: int | tuple[int, ...], keepdim: bool = False) -> Value:
    axes = (dim,) if isinstance(dim, int) else dim
    return g.op("ReduceMean", x, g.integers(*axes), keepdims=int(keepdim))


_MODULES: dict[type[nn.Module], Callable[..., Value]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_norm,
    SubSpectralNorm: _sub_spectral,
    nn.Linear: _linear,
    nn.ReLU: lambda g, layer, x: g.op("Relu", x),
    nn.SiLU: lambda g, layer, x: g.silu(x),
    nn.Identity: lambda g, layer, x: x,
    nn.Dropout2d: lambda g, layer, x: x,  # in evaluation
}
_CALLS: dict[Any, Callable[..., Value]] = {
    F.relu: lambda g, x, inplace: g.op("Relu", x),
    operator.add: lambda g, a, b: a + b,
    "mean": _mean,
    "flatten": lambda g, x, start_dim: g.op("Flatten", x, axis=start_dim),
}

"""A small builder of ONNX graphs: values with operators, constants kept once, state tensors by name.

Everything is batched: vectors are (B, n), numbers of a frame (B, 1). All tensors are float32 but the frame counter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from kwscore.constants import WINDOW

OPSET = 18
"""The newest set of operators that runtimes of 2023 know; it has DFT and layer normalisation."""
IR_VERSION = 8
BATCH = "batch"

Shape = Sequence[int | str]
Operand = Any
"""A Value, a number, or an array."""


class Value:
    """One tensor of a graph. Plain numbers and arrays beside an operator become float32 constants."""

    __array_ufunc__ = None  # array + value is ours, not an array of values

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def __add__(self, other: Operand) -> Value:
        return self.graph.op("Add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self.graph.op("Add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.op("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.graph.op("Mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self.graph.op("Mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self.graph.op("Div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.graph.op("Div", other, self)

    def __matmul__(self, other: Operand) -> Value:
        return self.graph.op("MatMul", self, other)


class Graph:
    """Collects nodes. ``prefix`` starts every name it makes, so that a loop's body shadows nothing around it."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.states: dict[str, tuple[Value, type, Shape]] = {}
        self.next_states: dict[str, Value] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], onnx.TensorProto] = {}

    # what goes in and out

    def input(self, name: str, shape: Shape, kind: type = np.float32) -> Value:
        """A named input of the graph."""
        self.inputs.append(_info(self.prefix + name, kind, shape))
        return Value(self, self.prefix + name)

    def outer(self, value: Value) -> Value:
        """A tensor of the graph around this loop body."""
        return Value(self, value.name)

    def output(self, name: str, value: Value, shape: Shape, kind: type = np.float32) -> None:
        """Make ``value`` the output ``name``."""
        self._nodes.append(helper.make_node("Identity", [value.name], [self.prefix + name]))
        self.outputs.append(_info(self.prefix + name, kind, shape))

    def state(self, name: str, shape: Sequence[int], kind: type = np.float32) -> Value:
        """What the previous frame left under ``name``, (B, *shape), all zeros before the first. See ``keep``."""
        value = Value(self, f"{self.prefix}{name}")
        self.states[name] = value, kind, (BATCH, *shape)
        return value

    def keep(self, name: str, value: Value) -> None:
        """Leave ``value`` for the next frame."""
        self.next_states[name] = value

    # nodes

    def op(self, kind: str, *operands: Operand, **attributes: Any) -> Value:
        """One node with one output."""
        return self.ops(kind, *operands, count=1, **attributes)[0]

    def ops(self, kind: str, *operands: Operand, count: int, **attributes: Any) -> list[Value]:
        """One node with ``count`` outputs."""
        names = [f"{self.prefix}{kind.lower()}_{len(self._nodes)}_{i}" for i in range(count)]
        inputs = [self.constant(operand).name for operand in operands]
        self._nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return [Value(self, name) for name in names]

    def constant(self, value: Operand, kind: type = np.float32) -> Value:
        """A constant of numpy type ``kind``, stored once however often it is used; a Value is left as it is."""
        if isinstance(value, Value):
            return value
        array: np.ndarray = np.ascontiguousarray(value, kind).reshape(np.shape(value))
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"{self.prefix}constant_{len(self._constants)}")
        return Value(self, self._constants[key].name)

    def integers(self, *values: int) -> Value:
        """A vector of int64, as shapes, axes and bounds are."""
        return self.constant(values, np.int64)

    # shorthand

    def mean(self, x: Value, axis: int = -1) -> Value:
        """Mean over an axis, which stays with length 1."""
        return self.op("ReduceMean", x, self.integers(axis), keepdims=1)

    def total(self, x: Value, axis: int) -> Value:
        """Sum over an axis, which goes away."""
        return self.op("ReduceSum", x, self.integers(axis), keepdims=0)

    def part(self, x: Value, begin: int, end: int, axis: int = -1) -> Value:
        """x[begin:end] along an axis."""
        return self.op("Slice", x, *(self.integers(i) for i in (begin, end, axis)))

    def split(self, x: Value, *sizes: int) -> list[Value]:
        """Consecutive parts of the last axis."""
        return self.ops("Split", x, self.integers(*sizes), count=len(sizes), axis=-1)

    def concat(self, *parts: Value, axis: int = -1) -> Value:
        """Parts joined along an axis."""
        return self.op("Concat", *parts, axis=axis)

    def insert(self, x: Value, *axes: int) -> Value:
        """x with new axes of length 1."""
        return self.op("Unsqueeze", x, self.integers(*axes))

    def clip(self, x: Value, low: float, high: float) -> Value:
        """x limited to [low, high]."""
        return self.op("Clip", x, low, high)

    def silu(self, x: Value) -> Value:
        """x sigmoid(x)."""
        return x * self.op("Sigmoid", x)

    def append(self, name: str, row: Value, length: int, shape: Sequence[int]) -> Value:
        """The last ``length`` rows (B, length, *shape) with ``row`` (B, *shape) the newest; zeros before the start.

        All but the oldest are kept as state ``name``.
        """
        rows = self.concat(self.state(name, (length - 1, *shape)), self.insert(row, 1), axis=1)
        self.keep(name, self.part(rows, 1, length, axis=1))
        return rows

    def scan(
        self, body: Graph, sequences: Sequence[Value], like: Value, initial: Mapping[str, Value] | None = None
    ) -> list[Value]:
        """Run ``body`` along axis 1 of ``sequences`` (B, T, ...); returns its outputs (B, T, ...).

        ``like``: any tensor with the batch as its first axis. States start at zero, or at ``initial``.
        """
        batch = self.op("Shape", like, start=0, end=1)
        start = []
        for name, (_, kind, shape) in body.states.items():
            zero = self.constant(np.zeros((), kind), kind)
            whole = self.concat(batch, self.integers(*(int(n) for n in shape[1:])), axis=0)
            start.append((initial or {}).get(name) or self.op("Expand", zero, whole))
        carried, given = len(start), len(sequences)
        results = self.ops(
            "Scan", *start, *sequences, count=carried + len(body.outputs), body=body.to_proto("body"),
            num_scan_inputs=given, scan_input_axes=[1] * given, scan_output_axes=[1] * len(body.outputs),
        )  # fmt: skip
        return results[carried:]

    def to_proto(self, name: str, suffix: str = "_next") -> onnx.GraphProto:
        """The graph: states first among inputs and outputs, each output named as its input with ``suffix``."""
        missing = set(self.states) ^ set(self.next_states)
        assert not missing, f"states read but not kept, or kept but not read: {missing}"
        nodes = list(self._nodes)
        before, after = [], []
        for state, (value, kind, shape) in self.states.items():
            before.append(_info(value.name, kind, shape))
            after.append(_info(value.name + suffix, kind, shape))
            nodes.append(helper.make_node("Identity", [self.next_states[state].name], [value.name + suffix]))
        constants = list(self._constants.values())
        return helper.make_graph(nodes, name, [*before, *self.inputs], [*after, *self.outputs], constants)


def _info(name: str, kind: type, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), list(shape))


def to_float(value: Value) -> Value:
    """float32 of a tensor of another type."""
    return value.graph.op("Cast", value, to=onnx.TensorProto.FLOAT)


def spectrum(frames: Value, length: int = WINDOW) -> Value:
    """Magnitudes (B, 257) or (B, T, 257) of frames (..., 512) under a periodic Hann window of ``length`` in the middle.

    In float64, as the engine: the 32-bit DFT of onnxruntime 1.31 is twenty times less exact than torch's.
    """
    g = frames.graph
    window = np.zeros(WINDOW)
    begin = (WINDOW - length) // 2
    window[begin : begin + length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    wide = g.op("Cast", frames, to=onnx.TensorProto.DOUBLE)
    samples = g.insert(g.op("Mul", wide, g.constant(window, np.float64)), -1)
    parts = g.op("DFT", samples, axis=-2, onesided=1)
    return to_float(g.op("Sqrt", g.total(g.op("Mul", parts, parts), -1)))


def to_model(graph: onnx.GraphProto, metadata: Mapping[str, str], about: str, version: str) -> onnx.ModelProto:
    """A checked model with its metadata."""
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="kwscope", producer_version=version, doc_string=about,
    )  # fmt: skip
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model

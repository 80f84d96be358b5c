"""ONNX files: onnxruntime gives what the engine and the torch networks give."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import kwscore
from kwscore.constants import CLIP_SAMPLES
from kwscore.errors import KWScopeError
from kwscore.export.check import largest_difference, open_session, run_step
from kwscore.export.onnx_file import export_onnx, onnx_bytes
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.config import BASELINES, REGISTRY
from kwscore.models.registry import create_model
from kwscore.stream.detection import softmax
from kwscore.stream.engine import StreamEngine, network_arrays
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import named_signals, to_int16, varied

TOLERANCE = 5e-5
"""Half of what is promised; statistics without a prior magnify rounding most."""
SIGNALS = named_signals(1.7)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dt_only": (DUAL, {"mode": "dt_only"}),
    "b_only": ("NC-SSM", {"mode": "b_only"}),
    "standard": ("NanoMamba-Tiny-DualPCEN-v2-SSMv2", {"mode": "standard"}),
    "no tilt": ("NanoMamba-Tiny-TriPCEN-v2", {"tilt": False, "nonstationary_delta": (1.0, 2.0)}),
    "no prior": (DUAL, {"norm_prior": 0, "norm_horizon": 97}),
    "one PCEN, version 2": ("NanoMamba-Tiny-PCEN", {"frontend_version": 2, "ssm": "v2"}),
    "log front end, NC": ("NanoMamba-Small", {"ssm": "nc"}),
    "routing 1, SSM 2": (DUAL, {"ssm": "v2"}),
}


def as_float(pcm: np.ndarray) -> np.ndarray:
    return (pcm / 32768).astype(np.float32)


def clip_net(name: str, **overrides: Any) -> Any:
    """Random weights and batch statistics in the clip schedule."""
    torch.manual_seed(3)
    net = create_model(name, schedule="clip", **overrides).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter) * parameter.abs().mean().clamp(0.1, 1.0))
        for key, buffer in net.named_buffers():
            if key.endswith("running_mean"):
                buffer.add_(0.3 * torch.randn_like(buffer))
            if key.endswith("running_var"):
                buffer.mul_(1 + torch.rand_like(buffer))
    return net


OUTPUTS = ("logits", "mel", "snr", "routing", "delta")
"""What a step network gives; empty ones are left out."""


def check_stream(net: Any, folder: Path, pcm: np.ndarray, expected: list[dict[str, np.ndarray]]) -> None:
    """Both kinds of file against telemetry of every frame."""
    steps = run_step(open_session(export_onnx(net, folder / "step.onnx").path), as_float(pcm))
    assert len(steps) == len(expected) > 155, "three blocks of the noise anchor"
    for got, want in zip(steps, expected, strict=True):
        assert set(got) == {key for key, value in want.items() if value.size}
        for key, value in got.items():
            scale = max(1.0, float(np.abs(want[key]).max())) if key == "mel" else 1.0
            assert np.abs(value - want[key]).max() < TOLERANCE * scale, key
    whole = open_session(export_onnx(net, folder / "clip.onnx", "clip").path)
    logits, frames = whole.run(None, {"waveform": np.stack([as_float(pcm), as_float(pcm[::-1])])})
    assert np.abs(frames[0] - np.stack([want["logits"] for want in expected])).max() < TOLERANCE
    np.testing.assert_array_equal(logits, frames[:, -1])


@pytest.mark.parametrize("name", list(REGISTRY))
def test_every_network_equals_the_engine_at_every_frame(name: str, tmp_path: Path) -> None:
    net = random_net(name, seed=2)
    pcm = varied(1.7, seed=4)
    expected = [{key: getattr(record, key) for key in OUTPUTS} for record in StreamEngine(net).process(pcm)]
    check_stream(net, tmp_path, pcm, expected)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_variants_equal_torch_at_every_frame(variant: str, tmp_path: Path) -> None:
    name, overrides = VARIANTS[variant]
    net = random_net(name, seed=5, **overrides)
    pcm = varied(1.7, seed=6)
    with torch.no_grad():  # in float64: the rounding of torch's float32 spectrum shows beside a loud tone
        frames = copy.deepcopy(net).double().frames(torch.from_numpy(as_float(pcm))[None])
    expected = [{key: getattr(frames, key)[0, t].numpy() for key in OUTPUTS} for t in range(frames.mel.shape[1])]
    check_stream(net, tmp_path, pcm, expected)


@pytest.mark.parametrize("signal", list(SIGNALS))
@pytest.mark.parametrize("name", ["NanoMamba-Tiny", "NanoMamba-Tiny-TriPCEN-v2-SSMv2", "NC-SSM"])
def test_hard_signals(name: str, signal: str, tmp_path: Path) -> None:
    net = random_net(name, seed=7)
    frames, difference = largest_difference(export_onnx(net, tmp_path / "a.onnx").path, net, SIGNALS[signal])
    assert frames == (len(SIGNALS[signal]) - 512) // 160 + 1
    assert difference < TOLERANCE


def test_shipped_network(tmp_path: Path) -> None:
    net = kwscore.load_model(DUAL)
    for kind in ("step", "clip"):
        written = export_onnx(net, tmp_path / "a.onnx", kind)
        assert written.model_hash == net.card["model_hash"]  # type: ignore[index]
        assert largest_difference(written.path, net)[1] < 1e-4


def test_another_runtime_gives_the_same(tmp_path: Path) -> None:
    """ONNX's own reference implementation, so that nothing rests on a habit of onnxruntime."""
    written = export_onnx(random_net("NanoMamba-NC-Large-NASG", seed=9), tmp_path / "a.onnx")
    session, reference = open_session(written.path), ReferenceEvaluator(onnx.load(written.path))
    feeds: dict[str, np.ndarray] = {}
    for name, (_, *shape) in written.inputs.items():
        feeds[name] = np.zeros([1, *map(int, shape)], np.float32)
    feeds["frame"] = np.zeros((1, 1), np.int64)
    for begin in (0, 160, 320):
        feeds["samples"] = as_float(varied(1.0, seed=9))[None, begin : begin + 160]
        one, other = session.run(None, feeds), reference.run(None, feeds)
        out = dict(zip(written.outputs, one, strict=True))
        for name, a, b in zip(written.outputs, one, other, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)
        feeds |= {name: out[f"{name}_next"] for name in feeds if name != "samples"}


@pytest.mark.parametrize(("name", "schedule"), [(DUAL, "stream"), (DUAL, "clip"), ("DS-CNN-S", "clip")])
def test_too_short_a_waveform_is_refused(name: str, schedule: Any, tmp_path: Path) -> None:
    net = create_model(name, schedule=schedule).eval()
    session = open_session(export_onnx(net, tmp_path / "a.onnx", "clip").path)
    least = 512 if schedule == "stream" else 257
    assert session.run(["logits"], {"waveform": np.zeros((1, least), np.float32)})[0].shape == (1, 12)
    for samples in (1, least - 1):
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            session.run(["logits"], {"waveform": np.zeros((1, samples), np.float32)})


def test_streams_of_a_batch_are_independent(tmp_path: Path) -> None:
    """Two streams in one session, the second one started later: each is as if it were alone."""
    net = random_net("NanoMamba-NC-Large-NASG", seed=8)
    session = open_session(export_onnx(net, tmp_path / "a.onnx").path)
    first, second = as_float(varied(1.2, seed=9)), as_float(varied(0.6, seed=10))
    alone = [run_step(session, x) for x in (first, second)]
    late = len(alone[0]) - len(alone[1])
    names = [o.name for o in session.get_outputs()]
    types = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
    state = {i.name: np.zeros((2, *i.shape[1:]), types[i.type]) for i in session.get_inputs() if i.name != "samples"}
    state["history"][0] = first[:352]
    for t, want in enumerate(alone[0]):
        if t == late:
            for array in state.values():
                array[1] = 0
            state["history"][1] = second[:352]
        new = np.stack([first[352 + 160 * t :][:160], second[352 + 160 * max(t - late, 0) :][:160]])
        out = dict(zip(names, session.run(None, {"samples": new, **state}), strict=True))
        state = {name: out[f"{name}_next"].copy() for name in state}
        assert np.abs(out["logits"][0] - want["logits"]).max() < 1e-6
        if t >= late:
            assert np.abs(out["logits"][1] - alone[1][t - late]["logits"]).max() < 1e-6


@pytest.mark.parametrize("name", [*REGISTRY, *BASELINES])
def test_clip_schedule_equals_torch(name: str, tmp_path: Path) -> None:
    check_clips(clip_net(name), tmp_path)


@pytest.mark.parametrize("variant", ["dt_only", "b_only", "one PCEN, version 2", "routing 1, SSM 2", "no tilt"])
def test_clip_schedule_of_variants(variant: str, tmp_path: Path) -> None:
    name, overrides = VARIANTS[variant]
    check_clips(clip_net(name, **overrides), tmp_path)


def check_clips(net: Any, folder: Path) -> None:
    session = open_session(export_onnx(net, folder / "clip.onnx").path)
    wide = copy.deepcopy(net).double()
    answers = []
    for samples in (257, 1000, CLIP_SAMPLES, CLIP_SAMPLES + 159):
        x = np.stack([as_float(varied(samples / 16000 + 0.01, seed=seed)[:samples]) for seed in (11, 12)])
        with torch.no_grad():
            expected = wide(torch.from_numpy(x)).numpy()
        (got,) = session.run(None, {"waveform": x})
        assert np.abs(got - expected).max() < TOLERANCE
        answers.append(expected)
    assert np.abs(np.diff(answers, axis=0)).max() > 1e-3, "the answer depends on the sound"


@pytest.mark.parametrize("kind", ["step", "clip"])
def test_file_says_what_it_is(kind: Any, tmp_path: Path) -> None:
    net = random_net("NC-SSM")
    written = export_onnx(net, tmp_path / "deep" / "a.onnx", kind)
    model = onnx.load(written.path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["name"], told["hash"]) == ("NC-SSM", StreamEngine(net).model_hash)
    assert json.loads(told["labels"]) == list(kwscore.LABELS)
    assert (told["sample_rate"], told["hop"], told["kind"], told["schedule"]) == ("16000", "160", kind, "stream")
    assert json.loads(told["config"])["d_model"] == 20
    states = json.loads(told["states"])
    inputs = [value.name for value in model.graph.input]
    assert inputs == ([*states, "samples"] if kind == "step" else ["waveform"])
    assert {f"{name}_next" for name in states} <= {value.name for value in model.graph.output}
    assert list(written.inputs) == inputs
    assert written.bytes == written.path.stat().st_size
    assert [path.name for path in written.path.parent.iterdir()] == ["a.onnx"]


def test_same_weights_same_bytes(tmp_path: Path, repository: Path) -> None:
    net = random_net("NanoMamba-NC-Large-NASG")
    config, arrays = network_arrays(net)
    assert onnx_bytes(net) == onnx_bytes((config, dict(reversed(list(arrays.items())))))
    path = save_checkpoint(net, tmp_path / "own.safetensors", {})
    code = (
        "import sys; from kwscore.export.onnx_file import onnx_bytes\n"
        "from kwscore.models.checkpoint import load_arrays\n"
        "sys.stdout.buffer.write(onnx_bytes(load_arrays(sys.argv[1])[:2], 'clip'))\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(repository)}
    other = subprocess.run([sys.executable, "-c", code, path], env=environment, capture_output=True, check=True)
    assert other.stdout == onnx_bytes(net, "clip")


def test_the_check_sees_other_weights(tmp_path: Path) -> None:
    written = export_onnx(random_net("NanoMamba-Tiny", seed=1), tmp_path / "a.onnx")
    assert largest_difference(written.path, random_net("NanoMamba-Tiny", seed=2))[1] > 1e-3


def test_example_of_the_documentation(tmp_path: Path, repository: Path) -> None:
    text = (repository / "docs" / "onnx.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    net = random_net(DUAL, seed=13)
    pcm = to_int16(as_float(varied(1.0, seed=14)).astype(np.float64))
    export_onnx(net, tmp_path / "model.onnx")
    with wave.open(str(tmp_path / "audio.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    records = StreamEngine(net).process(pcm)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [float(line[0]) for line in lines] == pytest.approx([(r.sample + 1) / 16000 for r in records], abs=6e-4)
    best = softmax(np.stack([record.logits for record in records]))
    assert [line[2] for line in lines] == [kwscore.LABELS[i] for i in best.argmax(1)]
    assert [float(line[3]) for line in lines] == pytest.approx(best.max(1), abs=6e-4)


def test_every_state_and_output_is_documented(repository: Path) -> None:
    text = (repository / "docs" / "onnx.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(\w+)`", text))
    for name in REGISTRY:
        model = onnx.load_from_string(onnx_bytes(random_net(name)))
        names = {value.name for value in [*model.graph.input, *model.graph.output]}
        plain = {re.sub(r"_\d+$", "_i", name.removesuffix("_next")) for name in names}
        assert plain <= documented


def test_without_the_packages_a_sentence_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net = random_net("NanoMamba-Tiny")
    written = export_onnx(net, tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(KWScopeError, match=r"pip install \"kwscope\[onnx\]\""):
        export_onnx(net, tmp_path / "b.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(KWScopeError, match=r"pip install \"kwscope\[onnx\]\""):
        open_session(written.path)


def test_bad_use_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="made for clips"):
        export_onnx(clip_net("DS-CNN-S"), tmp_path / "a.onnx", "step")
    with pytest.raises(KWScopeError, match="step or clip"):
        export_onnx(random_net(DUAL), tmp_path / "a.onnx", "hop")  # type: ignore[arg-type]
    with pytest.raises(KWScopeError, match="needs a network"):
        export_onnx("NanoMamba-Tiny", tmp_path / "a.onnx")
    (tmp_path / "b.onnx").mkdir()
    with pytest.raises(KWScopeError, match=r"b\.onnx cannot be written"):
        export_onnx(random_net(DUAL), tmp_path / "b.onnx")
    (tmp_path / "c.onnx").write_bytes(b"nonsense")
    with pytest.raises(KWScopeError, match=r"cannot open .*c\.onnx"):
        open_session(tmp_path / "c.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.onnx", "c.onnx"]

"""The float engine against the torch network, frame by frame and field by field."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kwscore.errors import KWScopeError
from kwscore.models.config import REGISTRY
from kwscore.models.registry import create_model
from kwscore.stream import StreamEngine
from kwscore.stream.telemetry import Engine, Telemetry
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import named_signals, varied

FIELDS = ("logits", "mel", "snr", "pcen", "routing", "delta", "gate")
NAMES = [name for name, config in REGISTRY.items() if config.schedule == "stream"]


def state_arrays(engine: StreamEngine) -> tuple[np.ndarray, ...]:
    return tuple(engine.state)


def column(records: list[Telemetry], field: str) -> np.ndarray:
    return np.stack([getattr(record, field) for record in records])


def assert_equal_records(a: list[Telemetry], b: list[Telemetry]) -> None:
    """Bit for bit, elapsed time apart."""
    assert [(r.frame, r.sample, r.level_dbfs) for r in a] == [(r.frame, r.sample, r.level_dbfs) for r in b]
    for field in FIELDS:
        if a:
            assert column(a, field).tobytes() == column(b, field).tobytes(), field


@pytest.fixture(scope="module")
def dual() -> StreamEngine:
    return StreamEngine(random_net(DUAL))


VARIATIONS: list[tuple[str, dict[str, Any]]] = [
    (DUAL, {"mode": "dt_only"}),
    (DUAL, {"mode": "b_only"}),
    (DUAL, {"mode": "standard"}),
    (DUAL, {"tilt": False, "nonstationary_delta": (0.001, 0.1)}),
    (DUAL, {"norm_prior": 0, "norm_horizon": 30}),
    (DUAL, {"d_model": 9, "d_state": 7, "layers": 5}),
    ("NC-SSM", {"mode": "standard", "d_model": 7, "d_state": 3, "layers": 1}),
    # the front end sends no gate, although the state-space model would use one
    ("NC-SSM", {"frontend_version": 1}),
    ("NC-SSM", {"frontend": "pcen"}),
    ("NanoMamba-Tiny-TriPCEN-v2-SSMv2", {"frontend_version": 1}),
    ("NanoMamba-Tiny-DualPCEN-v2-SSMv2", {"frontend": "pcen", "frontend_version": 1}),
]


@pytest.mark.parametrize(("name", "overrides"), [*((name, {}) for name in NAMES), *VARIATIONS], ids=str)
def test_every_field_of_every_frame_equals_torch(name: str, overrides: dict[str, Any]) -> None:
    net = random_net(name, **overrides)
    engine = StreamEngine(net)
    for kind, pcm in named_signals().items():
        engine.reset()
        records = engine.process(pcm)
        with torch.no_grad():
            single = net.frames(torch.from_numpy(pcm.astype(np.float32) / 32768)[None])
            double = net.double().frames(torch.from_numpy(pcm / 32768.0)[None])
            net.float()
        assert len(records) == single.logits.shape[1] == 1 + (len(pcm) - 512) // 160
        for field in FIELDS:
            ours = column(records, field)
            exact = getattr(double, field)[0].numpy()
            rounding = np.abs(getattr(single, field)[0].numpy() - exact)
            # a logarithm's absolute error is its argument's relative one
            absolute = field == "logits" or (field == "pcen" and net.config.frontend == "log")
            allowed = 1e-4 if absolute else 1e-4 * np.abs(exact) + 1e-9
            error = np.abs(ours - exact)
            assert (error <= allowed).all(), f"{kind}: {field} off by {error.max()}"
            # and against float32 torch as far as that is itself exact (digital silence and pure tones are not)
            error32 = np.abs(ours - getattr(single, field)[0].numpy())
            assert (error32 <= allowed + 1.01 * rounding).all(), f"{kind}: {field} off float32 by {error32.max()}"


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_float32_torch_on_audio(name: str) -> None:
    net = random_net(name, seed=3)
    for kind in ("white", "faint", "clipped", "noise step of 40 dB"):
        pcm = named_signals()[kind]
        with torch.no_grad():
            expected = net.frames(torch.from_numpy(pcm.astype(np.float32) / 32768)[None])
        records = StreamEngine(net).process(pcm)
        assert np.abs(column(records, "logits") - expected.logits[0].numpy()).max() < 1e-4, kind


def test_positions_and_level(dual: StreamEngine) -> None:
    dual.reset()
    pcm = np.full(512 + 3 * 160, 16384, np.int16)
    pcm[-160:] = 0
    pcm[-320:-160] = np.where(np.arange(160) % 2, 32767, -32768)
    records = dual.process(pcm)
    assert [r.frame for r in records] == [0, 1, 2, 3]
    assert [r.sample for r in records] == [511, 671, 831, 991]
    assert records[0].level_dbfs == pytest.approx(-6.0206, abs=1e-3)
    assert records[2].level_dbfs == pytest.approx(0.0, abs=1e-3)
    assert records[3].level_dbfs == -120.0
    assert all(r.elapsed_us > 0 for r in records)


@given(cuts=st.lists(st.integers(0, 20000), max_size=12), seed=st.integers(0, 3))
def test_any_chunking_gives_the_same_bits(dual: StreamEngine, cuts: list[int], seed: int) -> None:
    pcm = varied(1.25, seed)
    dual.reset()
    whole = dual.process(pcm)
    dual.reset()
    parts: list[Telemetry] = []
    for piece in np.split(pcm, sorted(cuts)):
        parts += dual.process(piece)
    assert_equal_records(whole, parts)


@pytest.mark.parametrize("size", [1, 3, 159, 160, 161, 511, 512, 513, 4000])
def test_equal_chunks_give_the_same_bits(dual: StreamEngine, size: int) -> None:
    pcm = varied(0.4 if size < 10 else 3.0)
    dual.reset()
    whole = dual.process(pcm)
    dual.reset()
    assert_equal_records(whole, [r for i in range(0, len(pcm), size) for r in dual.process(pcm[i : i + size])])


@pytest.mark.parametrize("name", NAMES)
def test_reset_equals_a_new_engine(name: str) -> None:
    net, pcm = random_net(name), varied(2.0)
    used = StreamEngine(net)
    used.process(varied(1.7, seed=5))
    used.reset()
    fresh = StreamEngine(net)
    for mine, new in zip(state_arrays(used), state_arrays(fresh), strict=True):
        assert mine.tobytes() == new.tobytes()
    assert_equal_records(used.process(pcm), fresh.process(pcm))


def test_state_can_be_taken_and_put_back(dual: StreamEngine) -> None:
    pcm = varied(2.0)
    dual.reset()
    dual.process(pcm[:17001])
    kept = dual.state
    first = dual.process(pcm[17001:])
    dual.state = kept
    assert_equal_records(first, dual.process(pcm[17001:]))
    with pytest.raises(KWScopeError, match="not one of"):
        dual.state = StreamEngine(random_net("NanoMamba-Tiny")).state


def test_float_input_is_rounded_to_pcm(dual: StreamEngine) -> None:
    pcm = varied(1.0)
    dual.reset()
    expected = dual.process(pcm)
    for dtype in (np.float32, np.float64):
        dual.reset()
        assert_equal_records(expected, dual.process((pcm / 32768 + 0.4 / 32768).astype(dtype)))
    dual.reset()
    loud = dual.process(np.full(512, 7.5, np.float32))
    dual.reset()
    assert_equal_records(loud, dual.process(np.full(512, 32767, np.int16)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_input_is_refused_and_changes_nothing(dual: StreamEngine, bad: float) -> None:
    pcm = varied(1.0)
    dual.reset()
    expected = dual.process(pcm)
    dual.reset()
    first = dual.process(pcm[:5000])
    block = np.zeros(300, np.float32)
    block[123] = bad
    with pytest.raises(KWScopeError, match="Sample 123 "):
        dual.process(block)
    assert_equal_records(expected, first + dual.process(pcm[5000:]))


@pytest.mark.parametrize("bad", [np.zeros((2, 512), np.int16), np.zeros(512, np.int32), np.zeros(512, np.uint8)])
def test_other_types_and_shapes_are_refused(dual: StreamEngine, bad: np.ndarray) -> None:
    with pytest.raises(KWScopeError):
        dual.process(bad)


def test_an_hour_of_garbage_stays_finite_and_bounded() -> None:
    """Silence, clipping, random bits, level jumps for an hour of audio; then the engine still equals a fresh one."""
    engine = StreamEngine(random_net(DUAL, seed=2))
    rng = np.random.default_rng(0)
    size = engine.state_bytes
    minute = 60 * 16000
    noise = rng.normal(0, 1, minute).astype(np.float32)
    for i in range(60):
        kind = i % 6
        if kind == 0:
            pcm = np.zeros(minute, np.int16)
        elif kind == 1:
            pcm = rng.integers(-32768, 32768, minute).astype(np.int16)
        else:
            levels = 10 ** rng.uniform(-5, 1, 60).repeat(minute // 60)
            pcm = np.clip(noise * levels * 32768, -32768, 32767).astype(np.int16)
        records = engine.process(pcm)
        for field in FIELDS:
            assert np.isfinite(column(records, field)).all()
    assert records[-1].frame == (60 * minute - 512) // 160
    assert engine.state_bytes == size
    assert all(np.isfinite(array).all() for array in state_arrays(engine))
    # the pooled mean is what its 97 entries say, after 360,000 frames
    state, net = engine.state, engine._weights
    expected = state.pool.astype(np.float64).mean(0) @ net.classifier.T.astype(np.float64) + net.classifier_bias
    assert np.abs(records[-1].logits - expected).max() < 1e-5


def test_an_hour_later_the_past_is_forgotten() -> None:
    """Everything is a finite memory: after minutes of the same audio a garbage past no longer shows."""
    net = random_net(DUAL, seed=2)
    used, fresh = StreamEngine(net), StreamEngine(net)
    used.process(np.random.default_rng(1).integers(-32768, 32768, 16000 * 30).astype(np.int16))
    audio = np.random.default_rng(2).normal(0, 2000, 16000 * 60).astype(np.int16)
    # silence until both stand at the same phase of the anchor's blocks, with the same samples waiting
    used.process(np.zeros((-used.state.counter[1] % 75) * 160 + 75 * 160, np.int16))
    waiting = int(used.state.counter[0])
    a = used.process(audio)[-1]
    b = fresh.process(np.concatenate([np.zeros(waiting, np.int16), audio]))[-1]
    assert np.abs(a.logits - b.logits).max() < 1e-3


def test_constant_memory(dual: StreamEngine) -> None:
    import tracemalloc

    pcm = varied(5.0)
    dual.process(pcm)
    tracemalloc.start()
    dual.process(pcm)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5):
        dual.process(pcm)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_the_gil_is_released(dual: StreamEngine) -> None:
    """A counting thread goes on while a long block is computed."""
    dual.process(varied(0.1))
    counts = [0]
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            counts[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    before = counts[0]
    dual.process(np.zeros(16000 * 20, np.int16))
    assert counts[0] > before
    stop.set()
    thread.join()


def test_protocol_and_properties(dual: StreamEngine) -> None:
    assert isinstance(dual, Engine)
    assert dual.name == DUAL
    assert len(dual.model_hash) == 12
    assert dual.expert_names == ("non-stationary", "stationary")
    assert (dual.blocks, dual.channels) == (2, 24)


def test_same_weights_from_arrays_and_from_module() -> None:
    net = random_net(DUAL)
    arrays = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    pair = StreamEngine((net.config, arrays))
    assert pair.model_hash == StreamEngine(net).model_hash
    assert_equal_records(pair.process(varied(1.0)), StreamEngine(net).process(varied(1.0)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("classifier.bias"), "lack the tensor 'classifier.bias'"),
        (lambda a: a.update({"patch_proj.bias": np.zeros(3, np.float32)}), "'patch_proj.bias'.*shape"),
        (lambda a: a["blocks.0.in_proj.weight"].fill(np.nan), "'blocks.0.in_proj.weight'.*NaN"),
    ],
)
def test_damaged_weights_are_refused(change: Callable[[dict[str, np.ndarray]], object], message: str) -> None:
    net = random_net(DUAL)
    arrays = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    change(arrays)
    with pytest.raises(KWScopeError, match=message):
        StreamEngine((net.config, arrays))


def test_clip_network_and_other_things_are_refused() -> None:
    with pytest.raises(KWScopeError, match="WindowEngine"):
        StreamEngine(create_model(DUAL, schedule="clip"))
    with pytest.raises(KWScopeError, match="not str"):
        StreamEngine(DUAL)


def test_engine_needs_no_torch() -> None:
    code = "import sys, kwscore.stream.engine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

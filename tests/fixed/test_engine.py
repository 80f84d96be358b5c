"""The integer engine as users see it: interface, chunking, reset, extremes, closeness to the float engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.errors import KWScopeError
from kwscore.fixed import calibrate, jit
from kwscore.fixed import layout as at
from kwscore.fixed.calibrate import load_image, quantise, synthetic_calibration
from kwscore.fixed.compare import compare
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from kwscore.fixed.quantise import sizes_of
from kwscore.fixed.step import run
from kwscore.models.config import network_config
from kwscore.stream.engine import StreamEngine
from kwscore.stream.telemetry import Engine
from tests.fixed.images import DUAL, NAMES, arrays, image
from tests.stream.nets import random_net
from tests.stream.signals import named_signals, varied

FIELDS = ("mel", "snr", "pcen", "routing", "delta", "gate", "logits")


@pytest.mark.parametrize("name", NAMES)
def test_interface(name: str) -> None:
    engine = FixedEngine(image(name))
    assert isinstance(engine, Engine)
    reference = StreamEngine(arrays(name))
    assert (engine.name, engine.model_hash, engine.blocks, engine.channels, tuple(engine.expert_names)) == (
        reference.name,
        reference.model_hash,
        reference.blocks,
        reference.channels,
        tuple(reference.expert_names),
    )
    samples = varied(0.4)
    for mine, theirs in zip(engine.process(samples), reference.process(samples), strict=True):
        assert (mine.frame, mine.sample) == (theirs.frame, theirs.sample)
        assert mine.level_dbfs == pytest.approx(theirs.level_dbfs, abs=1e-4)
        for field in FIELDS:
            a, b = getattr(mine, field), getattr(theirs, field)
            assert (a.shape, a.dtype) == (b.shape, b.dtype)


@given(cuts=st.lists(st.integers(0, 8000), max_size=8))
def test_any_chunking_gives_the_same_bits(cuts: list[int]) -> None:
    samples = varied(0.5)
    whole = FixedEngine(image(DUAL)).logits(samples)
    engine = FixedEngine(image(DUAL))
    parts = [engine.logits(part) for part in np.split(samples, sorted(cuts))]
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(whole) == (8000 - 512) // 160 + 1


def test_reset_equals_a_new_engine_and_states_can_be_taken_up() -> None:
    samples = varied(1.0)
    engine = FixedEngine(image(DUAL))
    first = engine.logits(samples[:9000])
    saved = engine.state
    rest = engine.logits(samples[9000:])
    engine.reset()
    assert np.array_equal(engine.logits(samples[:9000]), first)
    other = FixedEngine(image(DUAL))
    other.state = saved
    assert np.array_equal(other.logits(samples[9000:]), rest)
    with pytest.raises(KWScopeError, match="use a state of this network"):
        FixedEngine(image(NAMES[2])).state = saved


def test_process_logits_and_trace_agree() -> None:
    samples = varied(0.3)
    records = FixedEngine(image(DUAL)).process(samples)
    logits = FixedEngine(image(DUAL)).logits(samples)
    traces = FixedEngine(image(DUAL)).trace(samples)
    assert np.array_equal(np.stack([r.logits for r in records]), (logits / 512).astype(np.float32))
    assert np.array_equal(np.stack([t.logits for t in traces]), logits)
    assert [r.routing.sum() for r in records] == pytest.approx([1.0] * len(records))


def test_float_samples_are_heard_as_16_bit() -> None:
    samples = varied(0.3)
    engine = FixedEngine(image(DUAL))
    expected = engine.logits(samples)
    engine.reset()
    assert np.array_equal(engine.logits(samples.astype(np.float32) / 32768), expected)
    with pytest.raises(KWScopeError, match="finite"):
        engine.process(np.array([np.nan], np.float32))


def test_endurance_on_the_worst_audio() -> None:
    """Half a minute of full-scale steps, noise and silence: every memory stays in its width, the ring sum exact."""
    rng = np.random.default_rng(1)
    pieces = []
    for _ in range(15):
        n = int(rng.integers(4000, 40000))
        kind = rng.integers(4)
        pieces.append(
            np.where(np.arange(n) // int(rng.integers(1, 60)) % 2, 32767, -32768)
            if kind == 0
            else rng.integers(-32768, 32768, n)
            if kind == 1
            else np.zeros(n)
            if kind == 2
            else rng.normal(0, 3, n)
        )
    samples = np.concatenate(pieces).astype(np.int16)
    for name in NAMES:
        engine = FixedEngine(image(name))
        assert len(engine.logits(samples)) == (len(samples) - 512) // 160 + 1
        state = engine.state
        assert np.array_equal(state.pool_sum, state.pool.sum(0))
        limits = {
            "ring": (0, 2**24 - 1), "minimum": (0, at.NO_MINIMUM), "floor": (84, 2**32 - 1),
            "envelope": (0, 2**32 - 1), "mean": (-(2**31), 2**31 - 1), "var": (0, 2**31 - 1),
            "conv": (-(2**15), 2**15 - 1), "hidden": (-(2**23), 2**23 - 1), "pool": (-(2**15), 2**15 - 1),
        }  # fmt: skip
        for field, (low, high) in limits.items():
            array = getattr(state, field)
            assert array.size == 0 or (low <= array.min() and array.max() <= high), field
        steady = engine.logits(np.zeros(60 * 16000, np.int16))
        assert np.array_equal(steady[-1], steady[-2]), "digital silence settles"


@pytest.mark.parametrize("name", NAMES)
def test_close_to_the_float_engine(name: str) -> None:
    """Each telemetry field within the error of its format, on every kind of signal."""
    net = arrays(name)
    made = image(name)
    # mel: relative, from the 25-bit FFT; the others absolute. int8 weights dominate delta and the logits.
    bounds = {"snr": (0.02, 5e-4), "routing": (2e-3, 2e-4), "delta": (0.3, 0.02), "logits": (0.6, 0.06)}
    bounds |= {"gate": (0.02, 2e-3), "pcen": (5e-3, 5e-4) if made.expert_names else (0.1, 5e-3)}  # else a logarithm
    differences: dict[str, list[np.ndarray]] = {field: [] for field in FIELDS}
    for signal, samples in named_signals(1.2).items():
        a, b = StreamEngine(net).process(samples), FixedEngine(made).process(samples)
        for field in FIELDS:
            x, y = (np.array([getattr(r, field) for r in records]) for records in (a, b))
            if field == "mel":
                assert np.abs(x - y).max() <= 2e-4 + 1e-4 * np.abs(x).max(), signal
            elif x.size:
                differences[field].append(np.abs(x - y).ravel())
    for field, (worst, mean) in bounds.items():
        if differences[field]:
            d = np.concatenate(differences[field])
            assert d.max() <= worst, field
            assert d.mean() <= mean, field


def test_comparison_counts() -> None:
    config, weights = arrays(DUAL)
    clips = [varied(1.0, seed=s) for s in range(6)]
    winners = []
    for clip in clips:
        winners.append(int(StreamEngine((config, weights)).process(clip)[-1].logits.argmax()))
    result = compare((config, weights), image(DUAL), clips, np.array(winners))
    assert result.float_accuracy == 100.0
    assert result.fixed_accuracy == result.agreement
    assert result.clips == 6
    assert result.frames == 6 * 97
    assert 0 < result.mean_difference < 0.1
    with pytest.raises(KWScopeError, match="made from the weights"):
        compare(arrays(DUAL, seed=1), image(DUAL), clips)
    with pytest.raises(KWScopeError, match="no audio"):
        compare((config, weights), image(DUAL), [])


def test_torch_networks_and_pairs_are_quantised_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    short = [stream[:6000] for stream in synthetic_calibration(8.0)]
    monkeypatch.setattr(calibrate, "synthetic_calibration", lambda: short)
    made = [FixedEngine(net).image for net in (random_net(DUAL), arrays(DUAL))]
    assert made[0].to_bytes() == made[1].to_bytes() == quantise(*arrays(DUAL), short).to_bytes()


def test_heavy_activations_never_need_a_left_shift() -> None:
    """Large SSM outputs make the residual coarser instead of asking for a shift that is not there."""
    config, weights = arrays(DUAL)
    heavy = {k: np.asarray(v) * 300 if k.endswith("sa_ssm.D") else v for k, v in weights.items()}
    made = quantise(config, heavy, [varied(1.0)])
    assert all(int(shift.min()) >= 0 for shift in made.shift)
    assert made.formats["x"][0] < image(DUAL).formats["x"][0]
    a = np.array([r.logits for r in StreamEngine((config, heavy)).process(varied(1.0))])
    b = FixedEngine(made).logits(varied(1.0)) / 512
    assert np.abs(a - b).mean() < 0.1


@pytest.mark.parametrize(
    "name", ["NC-SSM", "NanoMamba-Tiny-DualPCEN-v2", "NanoMamba-Tiny-TriPCEN", "NanoMamba-Tiny-TC", "NC-TCN-20K"]
)
def test_other_networks_are_refused_by_name(name: str) -> None:
    with pytest.raises(KWScopeError, match=f"^{name} .*does not fit the integer datapath"):
        sizes_of(network_config(name))


def test_refusals() -> None:
    with pytest.raises(KWScopeError, match="schedule='clip'"):
        sizes_of(network_config(DUAL, schedule="clip"))
    with pytest.raises(KWScopeError, match="norm_prior=0"):
        sizes_of(network_config(DUAL, norm_prior=0))
    config, weights = arrays(DUAL)
    bank = dict(weights)
    bank["mel_fb"] = np.asarray(bank["mel_fb"], np.float32) * np.float32(0.9)
    with pytest.raises(KWScopeError, match="mel filterbank of its own"):
        quantise(config, bank)
    with pytest.raises(KWScopeError, match="Calibration audio"):
        quantise(config, weights, [np.zeros(100, np.int16)])
    with pytest.raises(KWScopeError, match="An engine needs"):
        FixedEngine(3)


def test_calibration_audio_is_the_same_everywhere() -> None:
    a, b = synthetic_calibration(8.0), synthetic_calibration(8.0)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert max(np.abs(x.astype(int)).max() for x in a) > 10000


def test_images_are_loaded_from_files(tmp_path: Path) -> None:
    path = image(DUAL).save(tmp_path / "net.kwsf")
    assert load_image(path).model_id == image(DUAL).model_id
    assert FixedEngine.load(path).model_id == image(DUAL).model_id


def test_the_engine_imports_no_torch(repository: Path) -> None:
    code = "import sys, kwscore.fixed.engine, kwscore.fixed.calibrate; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repository)
    assert done.stdout.strip() == "False", done.stderr


def test_large_output_weights_are_quantised() -> None:
    """Output projections up to 30 leave few fraction bits in 8 bits; the residual follows."""
    config, weights = arrays(DUAL)
    large = {k: np.asarray(v) * (30 / np.abs(v).max()) if "out_proj" in k else v for k, v in weights.items()}
    made = quantise(config, large, [varied(1.0)])
    assert all(int(shift.min()) >= 0 for shift in made.shift)
    a = np.array([r.logits for r in StreamEngine((config, large)).process(varied(1.0))])
    assert np.abs(a - FixedEngine(made).logits(varied(1.0)) / 512).mean() < 0.1


def test_one_compiled_step_serves_every_network(tmp_path: Path) -> None:
    compiled = set()
    for name in NAMES:
        FixedEngine(image(name)).logits(varied(0.1))
        FixedEngine(Image.load(image(name).save(tmp_path / "net.kwsf"))).logits(varied(0.1))
        read_only = np.frombuffer(varied(0.1).tobytes(), "<i2")
        FixedEngine(image(name)).logits(read_only[::2])
        compiled.add(len(run.signatures))
    assert len(compiled) == 1  # what serves the first serves the others
    assert FixedEngine.is_compiled()


def test_every_kernel_file_is_watched(repository: Path) -> None:
    """A kernel file that the cache's hash leaves out could run stale."""
    folder = repository / "kwscore" / "fixed"
    kernels = {p.name for p in folder.glob("*.py") if "@kernel" in p.read_text() or "@entry" in p.read_text()}
    assert kernels <= set(jit.KERNEL_FILES)
    assert all((folder / name).is_file() for name in jit.KERNEL_FILES)

"""Clip-schedule logits equal the reference's, from its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kwscore.models.config import REGISTRY
from kwscore.models.melbank import mel_filterbank
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model

OWN = Path(__file__).parents[1] / "golden"
SHARED = Path(__file__).parents[2].parent / "shared" / "golden"
FULL = sorted(path.stem for path in SHARED.glob("*.npz") if "logits" in np.load(path)) if SHARED.is_dir() else []
LEAST_MARGIN = 1e-4
PARAMETERS = {
    "NanoMamba-Tiny": 4_634,
    "NanoMamba-Small": 12_032,
    "NanoMamba-Tiny-TC": 4_644,
    "NanoMamba-Tiny-PCEN": 4_796,
    **{f"NanoMamba-Tiny-DualPCEN{suffix}": 4_957 for suffix in ("", "-v2", "-v2-SSMv2")},
    **{f"NanoMamba-Tiny-TriPCEN{suffix}": 5_118 for suffix in ("", "-v2", "-v2-SSMv2")},
    **{f"NanoMamba-Matched-DualPCEN{suffix}": 7_402 for suffix in ("", "-v2", "-v2-SSMv2")},
    **{f"NanoMamba-Matched-TriPCEN{suffix}": 7_414 for suffix in ("", "-v2", "-v2-SSMv2")},
    "NC-SSM": 7_443,
    "NanoMamba-NC-Large": 10_191,
    "NanoMamba-NC-Large-NASG": 10_201,
    "NanoMamba-NC-12K": 12_683,
    "NanoMamba-NC-15K": 15_843,
    "NanoMamba-NC-20K": 20_044,
    "NC-TCN-20K": 21_689,
}
"""The published counts (section 2)."""


def _load(name: str, vectors: np.lib.npyio.NpzFile) -> NanoMamba:
    net = create_model(name, schedule="clip").eval()
    state = {key[2:]: torch.from_numpy(np.array(vectors[key])) for key in vectors.files if key.startswith("w/")}
    state.setdefault("mel_fb", torch.from_numpy(mel_filterbank()))
    net.load_state_dict(state, strict=True)
    return net


def _check(net: NanoMamba, audio: np.ndarray, logits: np.ndarray, logits64: np.ndarray, fragile: np.ndarray) -> None:
    """``fragile`` marks inputs whose empty bins amplify float32 rounding: there both the reference and
    we are off by about the reference's own rounding, its float32 against its float64."""
    with torch.no_grad():
        single = net(torch.from_numpy(audio)).numpy()
        double = net.double()(torch.from_numpy(audio).double()).numpy()
    rounding = np.abs(logits - logits64).max(1)
    allowed = np.where(fragile, np.maximum(2 * rounding, LEAST_MARGIN), LEAST_MARGIN)
    assert (np.abs(single - logits).max(1) <= allowed).all()
    assert np.abs(double - logits64).max() <= 1e-5
    assert (double.argmax(1) == logits64.argmax(1)).all()


def test_every_network_has_its_published_size() -> None:
    assert set(PARAMETERS) == set(REGISTRY)
    for name, count in PARAMETERS.items():
        assert create_model(name).parameter_count() == count
        assert create_model(name, schedule="clip").parameter_count() == count


@pytest.mark.parametrize("name", ["NanoMamba-Tiny", "NanoMamba-Tiny-DualPCEN"])
def test_synthetic_inputs(name: str) -> None:
    inputs = np.load(OWN / "synthetic_inputs.npz")
    vectors = np.load(OWN / f"{name}.npz")
    net = _load(name, vectors)
    fragile = np.isin(inputs["names"], ("silence", "chirp"))
    _check(net, inputs["wav"], vectors["logits"], vectors["logits64"], fragile)


@pytest.mark.skipif(not FULL, reason="reference vectors are not here")
@pytest.mark.parametrize("name", [n for n in PARAMETERS if n in FULL])
def test_all_inputs(name: str) -> None:
    inputs = np.load(SHARED / "_inputs.npz")
    vectors = np.load(SHARED / f"{name}.npz")
    fragile = np.isin(inputs["names"], ("silence", "chirp"))
    _check(_load(name, vectors), inputs["wav"], vectors["logits"], vectors["logits64"], fragile)
    long = _load(name, vectors)
    _check(long, inputs["wav_long"], vectors["logits_long"], vectors["logits_long64"], np.array([False]))

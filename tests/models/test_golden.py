"""Clip-schedule logits equal the reference's, from its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kwscore.models.melbank import mel_filterbank
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model

OWN = Path(__file__).parents[1] / "golden"
SHARED = Path(__file__).parents[2].parent / "shared" / "golden"
FULL = sorted(path.stem for path in SHARED.glob("*.npz") if "logits" in np.load(path)) if SHARED.is_dir() else []
LEAST_MARGIN = 1e-4
PARAMETERS = {"NanoMamba-Tiny": 4_634, "NanoMamba-Tiny-DualPCEN": 4_957}


def _load(name: str, vectors: np.lib.npyio.NpzFile) -> NanoMamba:
    net = create_model(name, schedule="clip").eval()
    state = {key[2:]: torch.from_numpy(np.array(vectors[key])) for key in vectors.files if key.startswith("w/")}
    state.setdefault("mel_fb", torch.from_numpy(mel_filterbank()))
    net.load_state_dict(state, strict=True)
    return net


def _check(net: NanoMamba, audio: np.ndarray, logits: np.ndarray, logits64: np.ndarray, fragile: np.ndarray) -> None:
    """``fragile`` marks inputs whose empty bins amplify float32 rounding: there the reference's own error counts."""
    with torch.no_grad():
        single = net(torch.from_numpy(audio)).numpy()
        double = net.double()(torch.from_numpy(audio).double()).numpy()
    rounding = np.abs(logits - logits64).max(1)
    allowed = np.where(fragile, np.maximum(3 * rounding, LEAST_MARGIN), LEAST_MARGIN)
    assert (np.abs(single - logits).max(1) <= allowed).all()
    assert np.abs(double - logits64).max() <= 1e-5
    assert (double.argmax(1) == logits64.argmax(1)).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_synthetic_inputs(name: str) -> None:
    inputs = np.load(OWN / "synthetic_inputs.npz")
    vectors = np.load(OWN / f"{name}.npz")
    net = _load(name, vectors)
    assert net.parameter_count() == PARAMETERS[name]
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

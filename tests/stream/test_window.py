"""Window mode: the network's own logits for the last second, ten times a second."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kwscore.errors import KWScopeError
from kwscore.models.network import NanoMamba
from kwscore.models.registry import create_model
from kwscore.models.ssm import SaSsm
from kwscore.stream.engine import StreamEngine
from kwscore.stream.telemetry import Engine
from kwscore.stream.window import WindowEngine
from tests.stream.nets import DUAL
from tests.stream.signals import PCM, varied
from tests.stream.test_engine import assert_equal_records


def clip_engine(name: str = DUAL) -> WindowEngine:
    torch.manual_seed(0)
    return WindowEngine(create_model(name, schedule="clip"))


def offline(engine: WindowEngine, pcm: PCM) -> np.ndarray:
    with torch.no_grad():
        return engine.net(torch.from_numpy(pcm.astype(np.float32) / 32768)[None])[0].numpy()


@pytest.mark.parametrize("name", [DUAL, "NanoMamba-Tiny", "NC-SSM", "NC-TCN-20K", "DS-CNN-S"])
def test_logits_are_those_of_the_last_second(name: str) -> None:
    engine, pcm = clip_engine(name), varied(1.6)
    net: Any = engine.net
    records = engine.process(pcm)
    assert isinstance(engine, Engine)
    assert [r.frame for r in records] == list(range((len(pcm) - 512) // 160 + 1))
    assert not any(r.logits.any() for r in records[:96])
    for record in records[96:]:
        run = record.frame - (record.frame - 96) % 10
        end = run * 160 + 512
        assert np.array_equal(record.logits, offline(engine, pcm[max(0, end - 16000) : end]))
    for record in records:
        assert (record.mel.shape, record.snr.shape) == ((40,), (40,))
        assert record.routing.shape == (len(engine.expert_names),)
        assert record.delta.shape == (engine.blocks, engine.channels)
        assert record.pcen.shape == ((40,) if engine.blocks else (0,))
        assert record.gate.shape == (engine.blocks, net.config.d_state if engine.channels else 0)
        if engine.expert_names:
            assert record.routing.sum() == pytest.approx(1.0)


def test_mel_and_level_are_those_of_the_stream_engine() -> None:
    pcm = varied(0.5)
    stream = StreamEngine(create_model(DUAL)).process(pcm)
    for a, b in zip(clip_engine().process(pcm), stream, strict=True):
        assert np.allclose(a.mel, b.mel, rtol=1e-5, atol=1e-7)
        assert a.level_dbfs == pytest.approx(b.level_dbfs, abs=1e-3)
        assert a.sample == b.sample


def test_telemetry_of_a_run() -> None:
    engine, pcm = clip_engine(), varied(1.5)
    assert isinstance(engine.net, NanoMamba)
    record = engine.process(pcm)[106]
    window = torch.from_numpy(pcm[record.sample + 1 - 16000 : record.sample + 1].astype(np.float32) / 32768)[None]
    with torch.no_grad():
        _, snr = engine.net.features(window)
        front = engine.net.frontend(*engine.net.features(window))
        blocks = [cast(SaSsm, block.sa_ssm) for block in engine.net.blocks]
        gate = [block.input_gate(snr[0, 98]) for block in blocks]
    assert np.array_equal(record.snr, snr[0, 98].numpy())
    assert np.array_equal(record.pcen, front.feature[0, 98].numpy())
    assert np.allclose(record.gate, torch.stack(gate).numpy(), atol=1e-6)
    assert ((record.gate > 0) & (record.gate < 1)).all()
    assert (record.delta > 0.05).all()


@settings(max_examples=6)
@given(cuts=st.lists(st.integers(0, 24000), max_size=12))
def test_any_chunking_and_reset(cuts: list[int]) -> None:
    engine, pcm = clip_engine(), varied(1.5)
    whole = engine.process(pcm)
    engine.reset()
    assert_equal_records(whole, [r for part in np.split(pcm, sorted(cuts)) for r in engine.process(part)])


def test_no_network_is_refused() -> None:
    with pytest.raises(KWScopeError, match="not str"):
        WindowEngine("NanoMamba-Tiny")  # type: ignore[arg-type]

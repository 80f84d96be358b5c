"""The engine fits the schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.registry import create_model
from kwscore.stream.choose import load_engine
from kwscore.stream.engine import StreamEngine, network_arrays
from kwscore.stream.window import WindowEngine
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied
from tests.stream.test_engine import assert_equal_records


@pytest.mark.parametrize(("schedule", "kind"), [("stream", StreamEngine), ("clip", WindowEngine)])
def test_from_a_checkpoint(tmp_path: Path, schedule: str, kind: type) -> None:
    net = random_net(DUAL) if schedule == "stream" else create_model(DUAL, schedule="clip")
    path = save_checkpoint(net, tmp_path / f"{DUAL}.safetensors", {})
    engine = load_engine(path)
    assert type(engine) is kind
    assert engine.name == DUAL
    same = StreamEngine(network_arrays(net)) if kind is StreamEngine else WindowEngine(net)
    assert engine.model_hash == same.model_hash
    pcm = varied(1.2)
    assert_equal_records(engine.process(pcm), same.process(pcm))


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"garbage")
    with pytest.raises(KWScopeError, match=r"net\.safetensors"):
        load_engine(path)


def test_a_convolutional_baseline_runs_in_windows(tmp_path: Path) -> None:
    net = create_model("BC-ResNet-1").eval()
    path = save_checkpoint(net, tmp_path / "BC-ResNet-1.safetensors", {})
    engine = load_engine(path)
    assert isinstance(engine, WindowEngine)
    pcm = varied(1.2)
    assert_equal_records(engine.process(pcm), WindowEngine(net).process(pcm))

"""The engine fits the schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from kwscore.errors import KWScopeError
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.registry import create_model
from kwscore.stream.choose import load_engine, make_engine
from kwscore.stream.engine import StreamEngine
from kwscore.stream.window import WindowEngine
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied
from tests.stream.test_engine import assert_equal_records


def test_by_schedule() -> None:
    assert isinstance(make_engine(create_model(DUAL)), StreamEngine)
    assert isinstance(make_engine(create_model(DUAL, schedule="clip")), WindowEngine)
    assert isinstance(make_engine(create_model("DS-CNN-S")), WindowEngine)
    with pytest.raises(KWScopeError):
        make_engine("NanoMamba-Tiny")


@pytest.mark.parametrize(("schedule", "kind"), [("stream", StreamEngine), ("clip", WindowEngine)])
def test_from_a_checkpoint(tmp_path: Path, schedule: str, kind: type) -> None:
    net = random_net(DUAL) if schedule == "stream" else create_model(DUAL, schedule="clip")
    path = save_checkpoint(net, tmp_path / f"{DUAL}.safetensors", {})
    engine = load_engine(path)
    assert type(engine) is kind
    assert engine.name == DUAL
    assert engine.model_hash == make_engine(net).model_hash
    pcm = varied(1.2)
    assert_equal_records(engine.process(pcm), make_engine(net).process(pcm))


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"garbage")
    with pytest.raises(KWScopeError, match=r"net\.safetensors"):
        load_engine(path)

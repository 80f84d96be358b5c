"""Loading the compiled step: compiled once, reported, never stale, never at the cost of the stream."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kwscore import compiled
from kwscore.stream import StreamEngine, jit, loading
from kwscore.stream.step import bundle, run
from tests.stream.nets import DUAL, random_net

KERNEL = """
from kwscore.stream.jit import entry

@entry
def twice(x):
    return 2 * x
"""


@pytest.fixture
def twice(tmp_path: Path) -> Any:
    """A small cached kernel in a folder of its own."""
    path = tmp_path / "small_kernel.py"
    path.write_text(KERNEL)
    spec = importlib.util.spec_from_file_location("small_kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.twice


def test_a_cache_of_other_sources_is_dropped(twice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jit.has_cache(twice)
    assert not jit.cache_is_current(twice)
    assert twice(3) == 6
    assert not jit.cache_is_current(twice)  # compiled, but of which sources is not known
    jit.mark_cache(twice)
    assert jit.cache_is_current(twice)
    folder = Path(twice.stats.cache_path)
    assert list(folder.glob("*.nbi"))
    monkeypatch.setattr(jit, "source_hash", lambda: "another")
    assert not jit.cache_is_current(twice)
    jit.drop_stale_cache(twice)
    assert not list(folder.glob("*.nb[ic]"))
    monkeypatch.undo()
    assert not jit.cache_is_current(twice)  # the mark alone does not make it current


def test_every_kernel_file_is_in_the_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel module that the hash left out could be stale unnoticed."""
    folder = Path(jit.__file__).parent
    using = {path.name for path in folder.glob("*.py") if "from kwscore.stream.jit import" in path.read_text()}
    assert using <= set(jit.KERNEL_FILES)
    assert all((folder / name).is_file() for name in jit.KERNEL_FILES)
    before = jit.source_hash()
    monkeypatch.setattr(jit, "KERNEL_FILES", jit.KERNEL_FILES[:-1])
    assert jit.source_hash() != before


def first_time(monkeypatch: pytest.MonkeyPatch, engine: StreamEngine, child: bool) -> tuple[list[str], list[str]]:
    """Warm up as on the very first start; returns what was reported and what was done."""
    engine.warm_up()
    reported: list[str] = []
    done: list[str] = []

    def in_child(*_: object) -> bool:
        done.append("child")
        return child

    monkeypatch.setattr(loading, "_loaded", False)
    monkeypatch.setattr(loading, "_cached", lambda: False)
    monkeypatch.setattr(loading, "_compile_in_child", in_child)
    monkeypatch.setattr(loading, "compile_here", lambda *_: done.append("here"))
    StreamEngine((engine.config, {k: v.numpy() for k, v in random_net(DUAL).state_dict().items()})).warm_up(
        reported.append
    )
    return reported, done


def test_first_start_says_that_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    reported, done = first_time(monkeypatch, StreamEngine(random_net(DUAL)), child=True)
    assert len(reported) == 2
    assert "Compiling" in reported[0]
    assert done == ["child"]


def test_without_a_child_it_compiles_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_time(monkeypatch, StreamEngine(random_net(DUAL)), child=False)[1] == ["child", "here"]


def test_a_child_that_cannot_start_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StreamEngine(random_net(DUAL))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no processes")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert not loading._compile_in_child(loading.array_kinds(engine._weights))


@pytest.mark.parametrize("name", [DUAL, "NC-SSM", "NC-TCN-20K"])
def test_what_is_compiled_ahead_is_what_an_engine_calls(name: str) -> None:
    """Else the child would compile something that this process could not use, and the window would freeze."""
    engine = StreamEngine(random_net(name))
    engine.process(np.zeros(512, np.int16))
    assert (len(bundle.signatures), len(run.signatures)) == (1, 1)
    loading.compile_here(loading.array_kinds(engine._weights))
    assert (len(bundle.signatures), len(run.signatures)) == (1, 1)


def test_the_child_is_told_what_to_compile() -> None:
    engine = StreamEngine(random_net(DUAL))
    engine.warm_up()  # so that the child has only to load
    assert loading._compile_in_child(loading.array_kinds(engine._weights))


def test_a_child_that_fails_is_noticed() -> None:
    assert not compiled.compile_in_child("kwscore.stream.loading", [["<f4", 1]], limit=60.0)  # too few arrays


def test_warm_up_leaves_the_stream_alone_and_is_silent_later() -> None:
    engine = StreamEngine(random_net(DUAL))
    before: tuple[np.ndarray, ...] = tuple(engine.state)
    engine.warm_up()
    assert StreamEngine.is_compiled()
    reported: list[str] = []
    engine.warm_up(reported.append)
    StreamEngine(random_net(DUAL)).warm_up(reported.append)
    assert reported == []
    after: tuple[np.ndarray, ...] = tuple(engine.state)
    for a, b in zip(before, after, strict=True):
        assert a.tobytes() == b.tobytes()

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kwscore.errors import KWScopeError
from kwscore.evaluation.accuracy import evaluate
from kwscore.evaluation.grid import Result, Unit, forget, in_this_process, run_units
from kwscore.evaluation.local_run import local_runner
from kwscore.evaluation.noisy import Condition, parse_condition
from kwscore.evaluation.packed import PackedNetwork, load_all, load_packed, pack
from kwscore.evaluation.sets import EvaluationSet
from kwscore.models.checkpoint import load_model, save_checkpoint
from kwscore.models.registry import create_model
from tests.evaluation.corpora import make_checkpoint

CONDITIONS = (
    Condition(),
    Condition("white", 0.0),
    Condition("recorded street", 5.0, True),
    Condition(special="-20 dB"),
)
Counts = Iterator[tuple[Unit, np.ndarray]]


@pytest.fixture(scope="module")
def units(network: PackedNetwork) -> list[Unit]:
    return [Unit(network, condition, 2026) for condition in CONDITIONS]


@pytest.fixture(scope="module")
def alone(units: list[Unit], data: EvaluationSet) -> list[np.ndarray]:
    return [counts for _, counts in in_this_process(units, data)]


def _counts(results: list[Result]) -> list[np.ndarray]:
    return [r.confusion for r in results]


def test_figures_are_those_of_the_cards(network: PackedNetwork, data: EvaluationSet, alone: list[np.ndarray]) -> None:
    net = network.open()
    for score, ours in zip(evaluate(net, data, ("clean", "white 0 dB")), alone, strict=False):
        np.testing.assert_array_equal(score.confusion, ours)
    assert np.count_nonzero(alone[0].sum(0)) > 2, "a network that answers one thing only proves nothing"
    assert all(c.sum() == len(data.labels) for c in alone)


def test_processes_give_the_same_numbers_even_if_one_dies(
    units: list[Unit], data: EvaluationSet, alone: list[np.ndarray], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_one(result: Result, done: int, total: int) -> None:
        if not killed:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], 9)

    results = run_units(units, data, tmp_path, local_runner(2), kill_one)
    assert killed
    for ours, theirs in zip(alone, _counts(results), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_dask_gives_the_same_numbers(
    units: list[Unit], data: EvaluationSet, alone: list[np.ndarray], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    from kwscore.evaluation.dask_run import dask_runner

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        results = run_units(units, data, tmp_path, dask_runner(cluster.scheduler_address))
    for ours, theirs in zip(alone, _counts(results), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_dask_without_workers_or_scheduler_is_a_sentence(
    units: list[Unit], data: EvaluationSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    from kwscore.evaluation import dask_run

    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None, silence_logs=50) as cluster,
        pytest.raises(KWScopeError, match="has no workers"),
    ):
        run_units(units, data, tmp_path, dask_run.dask_runner(cluster.scheduler_address))
    monkeypatch.setattr(dask_run, "TIMEOUT", 0.3)
    with pytest.raises(KWScopeError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_units(units, data, tmp_path, dask_run.dask_runner("tcp://127.0.0.1:9"))


def test_a_killed_run_goes_on(units: list[Unit], data: EvaluationSet, alone: list[np.ndarray], tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    computed: list[str] = []

    def runner(todo: Sequence[Unit], data: EvaluationSet) -> Counts:
        for unit, counts in in_this_process(todo, data):
            if len(computed) == 2:
                raise Killed
            computed.append(unit.condition.name)
            yield unit, counts

    with pytest.raises(Killed):
        run_units(units, data, tmp_path, runner)
    assert len(list(tmp_path.rglob("*.json"))) == 2
    assert not list(tmp_path.rglob("*.part"))
    results = run_units(units, data, tmp_path, in_this_process)
    assert [r.reused for r in results] == [True, True, False, False]
    for ours, theirs in zip(alone, _counts(results), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_other_inputs_are_computed_again(units: list[Unit], data: EvaluationSet, tmp_path: Path) -> None:
    unit = units[1]
    run_units([unit], data, tmp_path, in_this_process)
    other_set = replace(data, fingerprint="0" * 12)
    other_seed = replace(unit, seed=1)
    assert run_units([unit], data, tmp_path, in_this_process)[0].reused
    assert not run_units([other_seed], data, tmp_path, in_this_process)[0].reused
    assert not run_units([unit], other_set, tmp_path, in_this_process)[0].reused


def test_forgetting_leaves_what_others_compute(units: list[Unit], data: EvaluationSet, tmp_path: Path) -> None:
    run_units(units[:2], data, tmp_path / "kept", in_this_process)
    forget(units[1:], tmp_path / "kept")
    assert [r.reused for r in run_units(units[:2], data, tmp_path / "kept", in_this_process)] == [True, False]
    forget(units, tmp_path / "kept")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["", "{", '{"key": {}, "confusion": [[1]]}', "[]"])
def test_a_damaged_result_is_computed_again(
    units: list[Unit], data: EvaluationSet, tmp_path: Path, damage: str
) -> None:
    run_units(units[:1], data, tmp_path, in_this_process)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(damage)
    assert not run_units(units[:1], data, tmp_path, in_this_process)[0].reused
    assert json.loads(path.read_text())["key"]["condition"] == "clean"


def test_a_full_disk_is_a_sentence(
    units: list[Unit], data: EvaluationSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(KWScopeError, match=r"No space left.*what is finished is kept"):
        run_units(units[:1], data, tmp_path, in_this_process)


def test_clip_networks_refuse_streams_and_take_clips(data: EvaluationSet, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = save_checkpoint(create_model("BC-ResNet-1"), tmp_path / "BC-ResNet-1.safetensors", {})
    network = load_packed(str(path))
    assert network.schedule == "clip"
    with pytest.raises(KWScopeError, match="BC-ResNet-1 is in the clip schedule"):
        run_units([Unit(network, parse_condition("clean, mid-stream"), 1)], data, tmp_path, in_this_process)
    results = run_units([Unit(network, Condition(), 1)], data, tmp_path, in_this_process)
    assert results[0].confusion.sum() == len(data.labels)


def test_packed_networks_are_the_networks(tmp_path: Path) -> None:
    net = load_model(make_checkpoint(tmp_path))
    again = pack(net).open()
    x = torch.randn(2, 16_000) * 0.1
    torch.testing.assert_close(again(x), net(x), rtol=0, atol=0)


def test_published_files_are_named_by_network(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="say which network it is"):
        load_packed("best.pt")
    net = create_model("NC-SSM", schedule="clip")
    torch.save({"model_state_dict": net.state_dict(), "model_name": "NC-SSM"}, tmp_path / "best.pt")
    network = load_packed(f"NC-SSM={tmp_path / 'best.pt'}")
    assert (network.name, network.schedule) == ("NC-SSM (published)", "clip")


def test_other_weights_of_a_name_are_told_apart(tmp_path: Path) -> None:
    paths = [str(make_checkpoint(tmp_path / str(seed), seed=seed)) for seed in (1, 2)]
    networks = load_all(paths)
    assert [n.name for n in networks] == [f"NanoMamba-Tiny-DualPCEN ({n.model_hash})" for n in networks]
    assert len({n.name for n in networks}) == 2
    assert load_all(paths[:1])[0].name == "NanoMamba-Tiny-DualPCEN"
    copy = tmp_path / "NanoMamba-Tiny-DualPCEN.safetensors"
    copy.write_bytes(Path(paths[0]).read_bytes())
    with pytest.raises(KWScopeError, match="is named twice"):
        load_all([*paths, str(copy)])

"""Whole experiments: the rows, resuming, pausing, cancelling, several processes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kwscore.errors import KWScopeError
from kwscore.evaluation.grid import Unit, measure
from kwscore.evaluation.noisy import Condition
from kwscore.evaluation.packed import load_packed
from kwscore.evaluation.report import wilson
from kwscore.evaluation.sets import load_set
from kwscore.experiment.control import Cancelled, Control, Unfinished
from kwscore.experiment.engines import find_networks
from kwscore.experiment.plan import Plan, Source
from kwscore.experiment.results import FILE
from kwscore.experiment.run import Progress, run_experiment, units_of
from tests.evaluation.corpora import make_checkpoint, make_full_corpus
from tests.experiment.fakes import ToyEngine, make_folder


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    source = Source("folder", str(make_folder(tmp_path / "words")))
    return Plan(source=source, networks=("A", "B"), noises=("white", "pink"), snrs=(-20.0, 20.0), seeds=(1, 2))


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "hop_us"} for row in rows]


def test_a_row_for_every_network_engine_noise_and_snr(plan: Plan, toys: list[ToyEngine]) -> None:
    seen: list[Progress] = []
    rows = run_experiment(replace(plan, engines=("float", "integer")), report=seen.append)
    keys = [(r["network"], r["engine"], r["noise"], r["snr_db"]) for r in rows]
    assert len(keys) == len(set(keys)) == 2 * 2 * (2 * 2 + 1)
    assert keys[:3] == [("A", "float", None, None), ("A", "float", "white", -20.0), ("A", "float", "white", 20.0)]
    clean, loud = rows[0], rows[1]
    assert (clean["clips"], clean["seeds"], loud["clips"], loud["seeds"]) == (6, [1], 6, [1, 2])
    assert clean["accuracy"] == pytest.approx(100 * 5 / 6, abs=0.01)
    assert (clean["low"], clean["high"]) == tuple(round(b, 2) for b in wilson(5, 6))
    assert clean["classes"]["yes"]["accuracy"] == 100
    assert clean["detections"]["hits"] == 3
    assert sum(map(sum, loud["confusion"])) == 12
    assert clean["hop_us"] == 7.0
    finished = [p for p in seen if p.row is not None]
    assert [p.done for p in finished] == list(range(1, 4 * (2 * 2 * 2 + 1) + 1))
    assert finished[-1].share == 1.0
    assert finished[2].row is not None
    assert finished[2].row["seeds"] == [1, 2]
    assert len(toys) == 4  # one engine for each pair, not one for each condition


def test_the_interval_is_for_the_clips_not_for_clips_times_seeds(plan: Plan, toys: list[ToyEngine]) -> None:
    one = run_experiment(replace(plan, networks=("A",), seeds=(1,)))[2]
    two = run_experiment(replace(plan, networks=("A",), seeds=(1, 2)))[2]
    assert one["accuracy"] == two["accuracy"]
    assert (one["low"], one["high"]) == (two["low"], two["high"])


def test_a_second_run_gives_the_same_rows(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    assert run_experiment(plan) == run_experiment(plan)


def test_finished_units_are_kept_and_taken_over(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    small = replace(plan, networks=("A",), snrs=(20.0,))
    whole = run_experiment(plan)
    run_experiment(small, tmp_path / "out")
    reused: list[bool] = []
    rows = run_experiment(
        plan, tmp_path / "out", resume=True, report=lambda p: reused.append(p.reused) if p.row else None
    )
    assert rows == whole
    assert sum(reused) == 5
    lines = (tmp_path / "out" / FILE).read_text().splitlines()
    assert len(lines) == 2 * 9
    assert all(json.loads(line)["counts"] for line in lines)


def test_results_are_not_mixed_up_unasked(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    run_experiment(plan, tmp_path / "out")
    with pytest.raises(KWScopeError, match="--resume"):
        run_experiment(plan, tmp_path / "out")


@pytest.mark.parametrize("damage", ["cut", "garbage", "other"])
def test_a_damaged_line_is_measured_again(plan: Plan, toys: list[ToyEngine], tmp_path: Path, damage: str) -> None:
    whole = run_experiment(plan, tmp_path / "out")
    path = tmp_path / "out" / FILE
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-40])
    elif damage == "garbage":
        lines = content.splitlines(keepends=True)
        path.write_bytes(b"".join([b"\x00\xff{\n", *lines[1:]]))
    else:
        path.write_bytes(content.replace(b'"confusion":[[', b'"confusion":[[1],[', 1))
    reused: list[bool] = []
    again = run_experiment(
        plan, tmp_path / "out", resume=True, report=lambda p: reused.append(p.reused) if p.row else None
    )
    assert again == whole
    assert reused.count(False) == 1
    assert run_experiment(plan, tmp_path / "out", resume=True) == whole
    for line in path.read_bytes().splitlines()[1:]:
        json.loads(line)


def test_other_inputs_are_measured_afresh(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    run_experiment(plan, tmp_path / "out")
    count = len(toys)
    assert plan.detection is not None
    for other in (
        replace(plan, detection=replace(plan.detection, threshold=0.9)),
        replace(plan, mode="stream"),
        replace(plan, source=replace(plan.source, clips=12), seeds=(3,)),
    ):
        run_experiment(other, tmp_path / "out", resume=True)
        assert len(toys) > count
        count = len(toys)
    run_experiment(plan, tmp_path / "out", resume=True)
    assert len(toys) == count  # nothing was left to measure


def test_cancelling_keeps_what_is_finished(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    control = Control()

    def stop(progress: Progress) -> None:
        if progress.done == 4:
            control.cancel()

    with pytest.raises(Cancelled) as cancelled:
        run_experiment(plan, tmp_path / "out", report=stop, control=control)
    assert [row["condition"] for row in cancelled.value.rows] == ["clean", "white -20 dB", "white 20 dB"]
    assert len((tmp_path / "out" / FILE).read_text().splitlines()) == 4
    assert run_experiment(plan, tmp_path / "out", resume=True) == run_experiment(plan)


def test_a_pause_holds_until_it_goes_on(plan: Plan, toys: list[ToyEngine]) -> None:
    control, done = Control(), threading.Event()
    at_four, rows = threading.Event(), []

    def hold(progress: Progress) -> None:
        if progress.done == 4 and progress.row is not None:
            control.pause()
            at_four.set()

    def work() -> None:
        rows.extend(run_experiment(plan, report=hold, control=control))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert at_four.wait(60)
    assert control.paused
    assert not done.wait(0.05)
    control.go_on()
    thread.join(60)
    assert rows == run_experiment(plan)


def test_two_experiments_cannot_write_the_same_folder(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    trouble: list[str] = []

    def again(progress: Progress) -> None:
        if progress.done == 1 and progress.row:
            with pytest.raises(KWScopeError) as error:
                run_experiment(plan, tmp_path / "out", resume=True)
            trouble.append(str(error.value))

    run_experiment(plan, tmp_path / "out", report=again)
    assert len(trouble) == 1
    assert "another experiment" in trouble[0]


def test_a_folder_that_cannot_be_made_is_one_sentence(plan: Plan, toys: list[ToyEngine], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KWScopeError, match="cannot be written"):
        run_experiment(plan, tmp_path / "file" / "out")


def test_what_fails_on_the_way_keeps_what_is_finished(
    plan: Plan, toys: list[ToyEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resets = []

    real = ToyEngine.reset

    def lost(self: ToyEngine) -> None:
        resets.append(self)
        if len(resets) > 15:
            raise KWScopeError("The board is gone: connect it again.")
        real(self)

    monkeypatch.setattr(ToyEngine, "reset", lost)
    with pytest.raises(Unfinished, match="board is gone") as unfinished:
        run_experiment(plan, tmp_path / "out")
    assert [row["condition"] for row in unfinished.value.rows] == ["clean", "white -20 dB"]
    monkeypatch.setattr(ToyEngine, "reset", real)
    assert run_experiment(plan, tmp_path / "out", resume=True) == run_experiment(plan)


def test_an_engine_leaves_out_what_it_cannot_run(net: str, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path, "NanoMamba-Tiny-DualPCEN-v2")
    said: list[str] = []
    both = Plan(networks=(net, str(other)), engines=("float", "integer"))
    networks = find_networks(both, said.append)
    units = units_of(replace(both, noises=(), snrs=()), networks)
    assert [(u.network.name, u.engine) for u in units] == [
        ("NanoMamba-Tiny-DualPCEN", "float"), ("NanoMamba-Tiny-DualPCEN", "integer"),
        ("NanoMamba-Tiny-DualPCEN-v2", "float"),
    ]  # fmt: skip
    assert said == ["Left out on the engine integer: NanoMamba-Tiny-DualPCEN-v2."]
    with pytest.raises(KWScopeError, match="integer can run none"):
        find_networks(replace(both, networks=(str(other),)))
    (tmp_path / "b").mkdir()
    namesake = str(make_checkpoint(tmp_path / "b", seed=2))
    with pytest.raises(KWScopeError, match="rename"):
        find_networks(replace(both, networks=(net, namesake)))
    with pytest.raises(KWScopeError, match="Nonsense"):
        find_networks(replace(both, networks=("Nonsense",)))


def test_wrong_jobs_are_refused(plan: Plan) -> None:
    with pytest.raises(KWScopeError, match="--jobs 0"):
        run_experiment(plan, jobs=0)
    with pytest.raises(KWScopeError, match="board:/dev/x"):
        run_experiment(replace(plan, engines=("board:/dev/x",)), jobs=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_full_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_checkpoint(tmp_path_factory.mktemp("weights")))


def test_the_float_engine_gives_the_figures_of_evaluate(corpus: Path, net: str) -> None:
    source = Source("speech_commands", str(corpus), split="validation")
    plan = Plan(source=source, networks=(net,), noises=("babble", "recorded street"), snrs=(25.0,), seeds=(7,))
    rows = {row["condition"]: row for row in run_experiment(plan)}
    data, packed = load_set(corpus, "validation"), load_packed(net)
    for condition in (Condition(), Condition("babble", 25.0), Condition("recorded street", 25.0)):
        confusion = measure(Unit(packed, condition, 7), data)
        assert len({*np.flatnonzero(confusion.sum(0))}) > 2, "a constant answer would prove nothing"
        assert rows[condition.name]["confusion"] == confusion.tolist()
        assert rows[condition.name]["model_hash"] == packed.model_hash


@pytest.mark.timeout(600)  # compiles where the cache is cold
def test_board_and_integer_engine_agree_and_processes_change_nothing(tmp_path: Path, net: str) -> None:
    source = Source("folder", str(make_folder(tmp_path / "words")))
    plan = Plan(source=source, networks=(net,), engines=("integer", "board:sim"), noises=("white",), snrs=(10.0,))
    rows = run_experiment(plan)
    same = [{k: v for k, v in row.items() if k not in ("engine", "hop_us")} for row in rows]
    assert same[:2] == same[2:]
    assert all(row["lost"] == 0 for row in rows)
    here = run_experiment(replace(plan, engines=("float",)))
    there = run_experiment(replace(plan, engines=("float",)), jobs=2)
    assert timeless(here) == timeless(there)

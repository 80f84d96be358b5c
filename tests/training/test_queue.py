"""The queue: side by side, a process that dies, what is finished is not done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kwscore.errors import KWScopeError
from kwscore.training.queue import Options, Run, make_jobs, run_queue
from kwscore.training.recipe import TrainingRecipe, load_recipes
from tests.training import queue_work


def recipes(*seeds: int) -> list[TrainingRecipe]:
    return [TrainingRecipe(seed=seed) for seed in seeds]


def options(folder: Path) -> Options:
    return Options(folder, folder)


def test_one_that_dies_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    jobs = make_jobs(recipes(3, 1, 2, 4, 5), tmp_path)
    states: list[list[str]] = []
    runs = run_queue(jobs, options(tmp_path), 3, lambda rs: states.append([r.state for r in rs]), queue_work.by_seed)
    by_seed = {run.job.recipe.seed: run for run in runs}
    assert {seed: run.state for seed, run in by_seed.items()} == {
        1: "done", 2: "done", 3: "failed", 4: "failed", 5: "failed",
    }  # fmt: skip
    assert {seed: run.starts for seed, run in by_seed.items()} == {1: 1, 2: 2, 3: 2, 4: 1, 5: 2}
    assert "killed by SIGKILL, for the second time" in by_seed[3].message
    assert by_seed[4].message == "There is no room."
    assert "ValueError: odd" in by_seed[5].message
    assert by_seed[1].figures == {"clean": 91.5}
    assert all(row.count("running") <= 3 for row in states)
    again = run_queue(jobs[1:3], options(tmp_path), 2, work=queue_work.by_seed)
    assert [run.starts for run in again] == [0, 0]
    assert all((job.out / "starts").read_text() == "x" for job in jobs[1:3])


def test_a_checkpoint_of_another_recipe_is_not_taken_for_done(tmp_path: Path) -> None:
    (job,) = make_jobs(recipes(1), tmp_path)
    run_queue([job], options(tmp_path), 1, work=queue_work.finish)
    (other,) = make_jobs([TrainingRecipe(seed=1, epochs=3)], tmp_path)
    (run,) = run_queue([other], options(tmp_path), 1, work=queue_work.finish)
    assert (other.out, run.starts) == (job.out, 1)


def test_an_interrupted_queue_leaves_no_process(tmp_path: Path) -> None:
    import multiprocessing

    def interrupt(runs: Sequence[Run]) -> None:
        if runs[0].state == "running":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_queue(make_jobs(recipes(6), tmp_path), options(tmp_path), 1, interrupt, queue_work.by_seed)
    assert not multiprocessing.active_children()


def test_folders_and_queue_files(tmp_path: Path) -> None:
    names = [job.out.name for job in make_jobs([*recipes(1, 2), TrainingRecipe(name="NC-SSM")], tmp_path)]
    assert names == ["NanoMamba-Tiny-DualPCEN-seed1", "NanoMamba-Tiny-DualPCEN-seed2", "NC-SSM"]
    with pytest.raises(KWScopeError, match="listed twice"):
        make_jobs(recipes(1, 1), tmp_path)
    with pytest.raises(KWScopeError, match="at least one process"):
        run_queue([], options(tmp_path), 0)
    file = tmp_path / "queue.json"
    file.write_text(json.dumps(["NC-SSM", {"name": "BC-ResNet-1", "lr": 0.003, "epochs": 9}]))
    first, second = load_recipes(file, None, {"epochs": 5})
    assert (first.name, first.epochs) == ("NC-SSM", 5)
    assert (second.name, second.lr, second.epochs) == ("BC-ResNet-1", 0.003, 5)
    for wrong in ("{}", "[]", "[3]", "[{}]", "["):
        file.write_text(wrong)
        with pytest.raises(KWScopeError, match="--queue"):
            load_recipes(file, None, {})

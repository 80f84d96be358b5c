from __future__ import annotations

import builtins
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.errors import KWScopeError
from kwscore.evaluation.environment import EnvironmentProblem, check_environment
from kwscore.evaluation.grid import Result, Unit
from kwscore.evaluation.noisy import SNRS, Condition
from kwscore.evaluation.packed import PackedNetwork
from kwscore.evaluation.reproduce import (
    NoData,
    UnknownModel,
    _published_sets,
    compare,
    find_data,
    load_networks,
    published_figure,
    table,
    verdict,
)
from kwscore.evaluation.sets import EvaluationSet
from kwscore.models.config import BASELINES, REGISTRY

CARD = {"validation": [{"condition": "clean", "accuracy": 90.0}, {"condition": "white 0 dB", "accuracy": 70.0}]}


def _result(right: int, condition: Condition, name: str = "NC-SSM", card: dict | None = None) -> Result:
    """Of 1,000 clips."""
    confusion = np.zeros((12, 12), np.int64)
    confusion[0, 0], confusion[0, 1] = right, 1000 - right
    network = PackedNetwork(name, '{"schedule": "stream"}', b"", "0" * 12, CARD if card is None else card)
    return Result(Unit(network, condition, 2026), confusion)


def test_published_figures_are_of_networks_that_exist_and_are_shares() -> None:
    for one in _published_sets():
        assert one["split"] in ("test", "validation")
        assert one["mix"] in ("balanced", "published")
        for name, figures in one["networks"].items():
            assert name in {*REGISTRY, *BASELINES}
            assert set(figures) <= {"clean", *PUBLISHED_NOISES}
            for noise, values in figures.items():
                if noise != "clean":
                    assert sorted(values) == sorted(map(float, SNRS))
                for value in [values] if noise == "clean" else values.values():
                    assert value is None or 5 < value < 100


def test_published_figures_are_those_of_the_paper() -> None:
    """Spot checks against the published script's reference values."""
    for snr, value in zip(SNRS, (61.4, 69.2, 77.8, 86.8, 90.1, 92.4, 92.9), strict=True):
        found = published_figure("NC-SSM", Condition("factory", float(snr)), "validation", "published")
        assert found is not None
        assert (found.accuracy, found.same_set) == (value, True)
    clean = published_figure("NC-20K", Condition(), "test", "published")
    assert clean is not None
    assert (clean.accuracy, clean.same_set) == (95.54, True)
    balanced = published_figure("NanoMamba-Tiny-DualPCEN", Condition(), "validation", "balanced")
    assert balanced is not None
    assert (balanced.accuracy, balanced.mix, balanced.same_set) == (86.65, "balanced", False)
    assert published_figure("BC-ResNet-3", Condition(), "test", "published") is None
    assert published_figure("NC-SSM", Condition("white", 2.0), "test", "published") is None
    assert published_figure("NC-SSM", Condition(mid_stream=True), "test", "published") is None


@pytest.mark.parametrize(("right", "passed"), [(900, True), (881, True), (880, True), (879, False), (921, False)])
def test_the_card_decides_within_the_tolerance(data: EvaluationSet, right: int, passed: bool) -> None:
    (row,) = compare([_result(right, Condition())], data, 1000)
    assert row.recorded == 90.0
    assert row.margin == 0
    assert row.within(2.0) is passed
    assert (table([row], 2.0)[1][7] == "!") is not passed
    assert verdict([row], 2.0)[0] is passed


def test_our_weights_are_not_judged_by_published_figures(data: EvaluationSet) -> None:
    published = replace(data, mix="published")
    rows = compare([_result(500, Condition())], published, 1000)
    assert rows[0].published is not None
    assert rows[0].published.same_set
    assert rows[0].comparable == ()
    passed, sentence = verdict(rows, 2.0)
    assert passed
    assert "nothing to judge" in sentence


def test_published_weights_are_judged_by_published_figures(data: EvaluationSet) -> None:
    published = replace(data, mix="published")
    result = _result(500, Condition(), "NC-SSM (published)", {"published": True, "network": "NC-SSM"})
    rows = compare([result], published, 1000)
    assert rows[0].comparable == pytest.approx((50.0 - 95.3,))
    assert not verdict(rows, 2.0)[0]
    assert compare([result], data, 1000)[0].comparable == ()


def test_a_subset_may_be_off_by_its_draw(data: EvaluationSet) -> None:
    (row,) = compare([_result(870, Condition())], data, 4000)
    assert 2 < row.margin < 3.5
    assert row.within(2.0)
    assert "standard errors" in verdict([row], 2.0)[1]
    assert not compare([_result(800, Condition())], data, 4000)[0].within(2.0)


def test_a_figure_of_other_clips_may_be_off_by_both_draws(data: EvaluationSet) -> None:
    card = {"validation": [{"condition": "clean", "accuracy": 90.0, "clips": 3104}]}
    (same,) = compare([_result(870, Condition(), card=card)], data, 3104)
    (other,) = compare([_result(870, Condition(), card=card)], data, 1000)
    assert (same.other_clips, other.other_clips) == (0, 3104)
    assert other.margin == pytest.approx(300 * (0.87 * 0.13 * (1 / 1000 + 1 / 3104)) ** 0.5)
    assert "The cards' figures are of other clips (3,104)" in verdict([other], 2.0)[1]
    assert "other clips" not in verdict([same], 2.0)[1]


def test_one_row_out_of_tolerance_fails_all(data: EvaluationSet) -> None:
    rows = compare([_result(900, Condition()), _result(600, Condition("white", 0.0))], data, 1000)
    passed, sentence = verdict(rows, 2.0)
    assert not passed
    assert "2 comparable rows, largest difference 10.0 points" in sentence
    assert rows[1].to_dict(2.0)["within"] is False


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "torch" in check_environment()
    real = builtins.__import__
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(EnvironmentProblem, match="soundfile"):
        check_environment()
    assert real is builtins.__import__
    assert EnvironmentProblem.exit_code == 2


@pytest.mark.parametrize("package", ["numpy", "soundfile"])
def test_a_missing_package_is_a_sentence_and_status_2(package: str) -> None:
    """In a process of its own: whatever the program imports first must not be what is missing."""
    code = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {package!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "sys.argv = ['kwscope', 'reproduce']\n"
        "from kwscore.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]  # torch without numpy warns before
    assert line.startswith("kwscope: ")
    assert package in line


def test_data_is_looked_for_and_missing_data_says_how_to_get_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_data(corpus) == corpus
    assert find_data(corpus.parent) == corpus
    with pytest.raises(NoData, match="kwscope data fetch") as caught:
        find_data(tmp_path)
    assert caught.value.exit_code == 4
    (tmp_path / "data").symlink_to(corpus)
    monkeypatch.chdir(tmp_path)
    assert find_data(None) is not None


def test_unknown_networks_are_named(tmp_path: Path) -> None:
    damaged = tmp_path / "NC-SSM.safetensors"
    damaged.write_bytes(b"half")
    for spec, said in (
        ("NoSuchNet", "NoSuchNet does not come with KWScope"),
        ("NC-SSM=no/best.pt", "There is no published file"),
        (str(damaged), "cannot be read as a checkpoint"),
    ):
        with pytest.raises(UnknownModel, match=said) as caught:
            load_networks([spec])
        assert caught.value.exit_code == 3
    assert isinstance(caught.value, KWScopeError)

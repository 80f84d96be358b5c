from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kwscore.evaluation.grid import Result, Unit
from kwscore.evaluation.noisy import Condition, grid
from kwscore.evaluation.packed import PackedNetwork
from kwscore.evaluation.snr_plot import GROUP, Line, _gather, by_size, plot_snr

SHIPPED = {
    "Tiny": 4634, "Small": 12032, "Tiny-PCEN": 4796, "Tiny-Dual": 4957, "Tiny-Tri": 5118, "Matched": 7402,
    "Matched-v2": 7402, "NC-SSM": 7443, "NC-20K": 20044, "DS-CNN-S": 23756, "BC-ResNet-1": 7464, "BC-ResNet-3": 43200,
}  # fmt: skip


def _lines(sizes: dict[str, int]) -> list[Line]:
    return [Line(name, False, size, "stream") for name, size in sizes.items()]


def _results(sizes: dict[str, int], noises: tuple[str, ...] = ("white", "pink")) -> list[Result]:
    """Of 100 clips each: 90 right clean, 70 plus the SNR in white, 50 plus the SNR in other noise."""
    out = []
    for name, size in sizes.items():
        network = PackedNetwork(name, json.dumps({"schedule": "stream"}), b"", "0" * 12, {"parameters": size})
        for condition in grid(noises, (-10, 0, 10)):
            right = (70 if condition.noise == "white" else 50) + int(condition.snr_db) if condition.noise else 90
            confusion = np.zeros((12, 12), np.int64)
            confusion[0, :2] = right, 100 - right
            out.append(Result(Unit(network, condition, 2026), confusion))
    return out


def test_networks_of_like_size_share_a_panel() -> None:
    groups = [{line.name for line in group} for group in by_size(_lines(SHIPPED))]
    assert groups == [
        {"Tiny", "Tiny-PCEN", "Tiny-Dual", "Tiny-Tri"},
        {"Matched", "Matched-v2", "NC-SSM", "BC-ResNet-1"},
        {"Small", "NC-20K", "DS-CNN-S", "BC-ResNet-3"},
    ]


def test_no_panel_is_crowded_and_no_network_lost() -> None:
    lines = _lines({f"n{i}": 1000 * 2 ** (i // 9) for i in range(30)})
    groups = by_size(lines)
    assert sorted(line.name for group in groups for line in group) == sorted(line.name for line in lines)
    assert max(map(len, groups)) <= 5
    unknown = by_size([Line(f"n{i}", False, None, "stream") for i in range(7)])
    assert sorted(map(len, unknown)) == [2, 5]
    apart = by_size(_lines({"a": 1, "b": 100, "c": 10_000, "d": 10**6, "e": 10**8}))
    assert max(map(len, apart)) == GROUP


def test_means_are_over_all_noises_or_left_out() -> None:
    results = _results({"a": 5000})
    curves = _gather([r for r in results if r.unit.condition != Condition("pink", 10.0)])
    found = curves.means(curves.lines[0], ["white", "pink"])
    np.testing.assert_allclose(found[:, :2], [[-10, 50], [0, 60]])
    assert np.all(found[:, 2] < found[:, 1])
    assert np.all(found[:, 1] < found[:, 3])
    assert [title for title, _ in curves.panels] == ["white", "pink", "mean of the 2 synthetic noises"]


@pytest.mark.parametrize(
    ("networks", "noises", "files"),
    [
        (2, ("white", "pink"), ["a.png"]),
        (7, ("white", "recorded street"), ["a.png"]),
        (12, ("white", "pink"), ["a.png", "a_by_noise.png"]),
    ],
)
def test_many_networks_have_a_panel_for_each_size(
    tmp_path: Path, networks: int, noises: tuple[str, ...], files: list[str]
) -> None:
    pytest.importorskip("matplotlib")
    some = dict(list(SHIPPED.items())[:networks])
    made = plot_snr(_results(some, noises), tmp_path / "a.png", "100 clips", 60.0)
    assert [path.name for path in made] == files == sorted(p.name for p in tmp_path.iterdir())
    assert all(path.stat().st_size > 10_000 for path in made)


def test_one_snr_makes_no_curve(tmp_path: Path) -> None:
    results = [r for r in _results({"a": 5000}) if r.unit.condition.snr_db == 0]
    assert plot_snr(results, tmp_path / "a.png", "") == []

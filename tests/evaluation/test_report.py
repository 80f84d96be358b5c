from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.columns import columns
from kwscore.constants import LABELS
from kwscore.errors import KWScopeError
from kwscore.evaluation.events import Detection, Utterance, score_events
from kwscore.evaluation.grid import Result, Unit
from kwscore.evaluation.noisy import Condition, grid
from kwscore.evaluation.packed import PackedNetwork
from kwscore.evaluation.plots import plot_classes, plot_det, write_plots
from kwscore.evaluation.report import as_csv, classes_table, row, table, wilson, write_tables

PNG = b"\x89PNG\r\n\x1a\n"


def _result(name: str, condition: Condition, right: int = 30, wrong: int = 10) -> Result:
    confusion = np.full((12, 12), 0, np.int64)
    for i in range(12):
        confusion[i, i], confusion[i, (i + 1) % 12] = right, wrong
    network = PackedNetwork(name, '{"schedule": "stream"}', b"", "0" * 12, {})
    return Result(Unit(network, condition, 2026), confusion)


def _grid(*names: str) -> list[Result]:
    return [
        _result(n, c, right=20 + int(c.snr_db)) for n in names for c in grid(("white", "recorded street"), (-10, 0, 10))
    ]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (20, 20, 83.89, 100.0)],
)
def test_wilson_gives_the_known_intervals(correct: int, total: int, low: float, high: float) -> None:
    """First two: Newcombe 1998; the others by hand: z^2 / (n + z^2)."""
    assert wilson(correct, total) == pytest.approx((low, high), abs=0.005)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(case: tuple[int, int]) -> None:
    correct, total = case
    low, high = wilson(correct, total)
    assert 0 <= low <= 100 * correct / total <= high <= 100
    assert wilson(total - correct, total) == pytest.approx((100 - high, 100 - low))


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 100.0)


def test_row_has_the_figures_of_its_matrix() -> None:
    v = row(_result("a", Condition("white", -5.0, True)))
    assert (v["accuracy"], v["clips"], v["noise"], v["snr_db"], v["mid_stream"]) == (75.0, 480, "white", -5.0, True)
    assert v["classes"]["go"] == {"clips": 40, "accuracy": 75.0, "low": 59.81, "high": 85.81}
    assert v["low"] < 75 < v["high"]


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    results = _grid("a", "b, c")
    write_tables(tmp_path, results, {"seed": 2026})
    content = json.loads((tmp_path / "results.json").read_text())
    lines = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert content["seed"] == 2026
    assert len(lines) == len(content["rows"]) == 14
    for line, values in zip(lines, content["rows"], strict=True):
        assert line["network"] == values["network"]
        assert float(line["accuracy"]) == values["accuracy"]
        assert line["snr_db"] == ("" if values["snr_db"] is None else str(values["snr_db"]))
        assert float(line["recall no"]) == values["classes"]["no"]["accuracy"]
    matrix = list(csv.reader((tmp_path / "confusion" / "a-clean.csv").open()))
    assert matrix[0] == ["true", *LABELS]
    assert np.array([r[1:] for r in matrix[1:]], int).tolist() == results[0].confusion.tolist()
    assert as_csv(results) == (tmp_path / "results.csv").read_text()


def test_text_tables_are_aligned_and_name_the_mistakes() -> None:
    text = columns(table(_grid("a", "longer name")), left=(0, 1))
    assert len({line.index("dB") for line in text.splitlines() if "white -10 dB" in line}) == 1
    rows = classes_table(_result("a", Condition()).confusion)
    assert rows[1] == ("yes", "40", "75.0", "59.8 - 85.8", "75.0", "no 10")


def test_empty_classes_do_not_divide(tmp_path: Path) -> None:
    result = _result("a", Condition())
    result.confusion[:11] = 0
    assert classes_table(result.confusion)[1][2] == "-"
    assert row(result)["classes"]["yes"]["accuracy"] is None
    assert (row(result)["words"], row(result)["silence"]) == (None, None)
    assert table([result])[1][-3:] == ("-", "-", "75.0")
    write_tables(tmp_path, [result], {})
    write_plots(tmp_path, [result], "")


def test_plots_are_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made = write_plots(tmp_path, _grid("a", "b"), "test split", 60.0)
    assert {p.name for p in made} == {
        "accuracy_against_snr.png", "recall_by_class.png", "confusion_a.png", "confusion_b.png",
    }  # fmt: skip
    score = score_events([Utterance("yes", 0, 100)], [Detection("no", 50)], 16_000)
    made.append(plot_det({"a": [(0.3, score), (0.5, score)]}, tmp_path / "det.png", 0.5, "one word"))
    assert all(p.read_bytes().startswith(PNG) and p.stat().st_size > 5000 for p in made)
    assert not list(tmp_path.glob("*.part"))


def test_many_networks_make_a_map_of_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    some = [_result(name, Condition()) for name in "abcdef"]
    some[0].confusion[3] = 0  # a class without clips
    path = plot_classes(some, tmp_path / "recall.png", "clean")
    assert path.read_bytes().startswith(PNG)
    assert path.stat().st_size > 20_000


def test_without_matplotlib_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(KWScopeError, match=r"kwscope\[plots\]"):
        write_plots(tmp_path, _grid("a"), "")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(KWScopeError, match="taken"):
        write_tables(tmp_path / "taken", _grid("a"), {})

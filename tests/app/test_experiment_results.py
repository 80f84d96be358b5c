"""Curve and table of the window of experiments."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app import theme as themes
from app.panels.experiment_chart import EVERY, MEAN, SYMBOLS
from tests.app.experiments import ROWS


def test_the_curve_shows_every_noise_their_mean_or_one(experiment) -> None:
    window = experiment()
    chart = window.chart
    chart.set_rows([row for row in ROWS if row["engine"] == "float"])
    assert chart.show_box.currentText() == EVERY
    assert set(chart.drawn) == {("", "white"), ("", "pink"), ("", "clean")}
    chart.set_rows(ROWS)
    assert chart.show_box.currentText() == MEAN
    assert [(p.x, p.y) for p in chart.drawn["float", ""]] == [(0.0, 80.0), (10.0, 75.0)]
    assert set(chart.drawn) == {(e, n) for e in ("float", "integer") for n in ("", "clean")}
    chart.show_box.setCurrentText("pink")
    chart.show_box.activated.emit(chart.show_box.currentIndex())
    assert [p.y for p in chart.drawn["integer", ""]] == [75.0, 70.0]
    chart.set_rows(ROWS)  # what the user chose stays
    assert chart.show_box.currentText() == "pink"
    incomplete = [row for row in ROWS if not (row["noise"] == "pink" and row["snr_db"] == 10.0)]
    chart.show_box.setCurrentText(MEAN)
    chart.set_rows(incomplete)
    assert [p.x for p in chart.drawn["float", ""]] == [0.0]  # no mean of a part of the noises


def test_lines_differ_by_more_than_colour_and_have_their_intervals(experiment) -> None:
    window = experiment()
    window.chart.set_rows(ROWS)
    window.chart.show_box.setCurrentText(EVERY)
    window.chart.show_box.activated.emit(0)
    curves = [c for c in window.chart.plot.listDataItems() if c.name()]
    assert [c.name() for c in curves] == ["white, float", "pink, float", "white, integer", "pink, integer"]
    looks = [(c.opts["symbol"], c.opts["pen"].style()) for c in curves]
    assert len(set(looks)) == 4
    assert {symbol for symbol, _ in looks} <= set(SYMBOLS)
    bars = [i for i in window.chart.plot.items if type(i).__name__ == "ErrorBarItem"]
    assert len(bars) == len(window.chart.drawn)
    assert bars[0].opts["bottom"].tolist() == [5.0, 5.0]


def test_rows_can_be_sorted_selected_and_copied(experiment, qtbot) -> None:
    window = experiment()
    for row in ROWS:
        window._take_row(row)
    table = window.table
    assert table.sorted.rowCount() == 10
    table.put({**ROWS[0], "accuracy": 12.3})  # the same row with another seed replaces it
    assert table.sorted.rowCount() == 10
    table.table.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    assert table.sorted.index(0, 5).data() == "12.3 %"
    table.table.selectRow(0)
    assert table.detail.text() == "yes 90 %"
    table.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 2
    assert lines[1].split("\t")[:4] == ["Tiny", "float", "none", "clean"]


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_it_fits_into_a_small_screen(experiment, qapp, theme) -> None:
    window = experiment()
    window.set_theme(theme)
    for row in ROWS:
        window._take_row(row)
    qapp.processEvents()
    assert (window.width(), window.height()) == (1280, 720)
    assert window.minimumSizeHint().width() <= 1280
    assert window.minimumSizeHint().height() <= 720
    image = window.grab().toImage()
    assert image.width() == 1280 * image.devicePixelRatio()

"""The Timing panel: its figures, when it is made, what it follows and what the user may do in it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from app import hoptimes
from app import settings as store
from app import theme as themes
from app.panels.timing import TimingPanel
from app.sources import MICROPHONE
from kwscore.constants import HOP, SAMPLE_RATE, WINDOW
from tests.app.conftest import OpenWindow
from tests.app.fakes import Device, SteadyFeed
from tests.app.test_panels import picture

SHOWN = 650
TIMES = st.lists(st.floats(0.2, 9e5), min_size=1, max_size=400).map(lambda values: np.array(values, np.float32))


@pytest.fixture
def feed() -> SteadyFeed:
    return SteadyFeed(3000)


@pytest.fixture
def panel(feed: SteadyFeed, qapp, qtbot) -> TimingPanel:
    """Shown, at column 2000 of the feed."""
    panel = TimingPanel(themes.LIGHT, feed)
    qtbot.addWidget(panel)
    panel.resize(900, 240)
    panel.show()
    feed.end = 2000
    follow(panel, 2000)
    return panel


def follow(panel, end: int, live: bool = True) -> None:
    panel.advance(end, SHOWN, live)
    QApplication.processEvents()  # pyqtgraph lays its plots out with the next event
    panel.advance(end, SHOWN, live)
    panel.set_dropped(panel.dropped)


# -- figures ----------------------------------------------------------------------------------------------------------


def test_figures_of_known_hops() -> None:
    known = hoptimes.figures(np.arange(1, 102, dtype=np.float32) * 100)
    assert known is not None
    assert (known.median, known.p99, known.worst) == pytest.approx((5100, 10_000, 10_100))
    assert known.load == pytest.approx(0.51)
    assert hoptimes.figures(np.zeros(0)) is None


def test_a_column_and_its_time_belong_together() -> None:
    assert hoptimes.seconds(0) == WINDOW / SAMPLE_RATE
    assert hoptimes.seconds(100) - hoptimes.seconds(0) == pytest.approx(100 * HOP / SAMPLE_RATE)
    assert hoptimes.column_at(float(hoptimes.seconds(1234))) == pytest.approx(1234)


@given(st.integers(0, 700), st.integers(0, 900))
def test_running_lines_equal_their_definition(start: int, count: int) -> None:
    hops = np.random.default_rng(count).lognormal(3, 1, count)
    columns, medians, highs = hoptimes.running(hops, start)
    assert all(column % hoptimes.STEP == 0 for column in columns)
    assert len(columns) >= (count - hoptimes.RUNNING) // hoptimes.STEP
    for column, median, high in zip(columns, medians, highs, strict=True):
        behind = np.sort(hops[column - start - hoptimes.RUNNING + 1 : column - start + 1])
        assert len(behind) == hoptimes.RUNNING
        assert (median, high) == (behind[100], behind[197])


def test_running_lines_do_not_depend_on_where_the_span_begins() -> None:
    hops = np.random.default_rng(1).lognormal(3, 1, 1000)
    whole = {c: (m, h) for c, m, h in zip(*hoptimes.running(hops, 0), strict=True)}
    part = {c: (m, h) for c, m, h in zip(*hoptimes.running(hops[137:], 137), strict=True)}
    assert len(part) > 50
    assert all(whole[column] == values for column, values in part.items())
    assert len(hoptimes.running(np.ones(30_000), 0)[0]) <= 200


@given(TIMES)
def test_the_histogram_counts_every_hop_once(hops: np.ndarray) -> None:
    edges, counts = hoptimes.histogram(hops)
    assert counts.sum() == len(hops)
    assert len(edges) == len(counts) + 1
    assert counts[0] > 0
    assert counts[-1] > 0
    assert edges[0] <= hops.min() * 1.001
    assert edges[-1] >= hops.max() * 0.999


@given(TIMES)
def test_the_scale_holds_the_hops_with_room(hops: np.ndarray) -> None:
    low, high = hoptimes.scale(hops)
    assert low <= hops.min()
    assert hops.max() <= high
    assert high >= 9 * low
    assert {low, high} <= set(hoptimes.LEVELS)


def test_one_slow_hop_brings_the_limit_into_range() -> None:
    steady = np.full(100, 25.0)
    assert hoptimes.scale(steady)[1] < hoptimes.LIMIT_US
    steady[50] = 9_500
    assert hoptimes.scale(steady)[1] >= hoptimes.LIMIT_US


@given(st.integers(0, 20_000))
def test_thinning_keeps_every_extreme(count: int) -> None:
    y = np.random.default_rng(count).normal(size=count)
    x, kept = hoptimes.thinned(np.arange(count, dtype=float), y, 1000)
    assert len(kept) <= max(2000, 1000 + 2 * count // 1000)
    assert np.array_equal(kept, y[x.astype(int)])
    assert np.all(np.diff(x) >= 0)
    if count:
        assert (kept.min(), kept.max()) == (y.min(), y.max())


@pytest.mark.parametrize(
    ("us", "text"), [(23.44, "23.4 µs"), (99.96, "100 µs"), (812, "812 µs"), (1240, "1.24 ms"), (123_456, "123 ms")]
)
def test_times_as_people_read_them(us: float, text: str) -> None:
    assert hoptimes.spoken(us) == text


# -- the panel --------------------------------------------------------------------------------------------------------


def test_pyqtgraph_is_imported_when_the_panel_is_first_seen(tmp_path: Path) -> None:
    code = """
import sys
import app.main
assert "pyqtgraph" not in sys.modules, "by importing"
from PySide6.QtCore import QEventLoop, QTimer
from app.controller import Controller
from app.settings import Settings
from app.sources import Choice
from app.window import MainWindow
from tests.app.fakes import LoudnessEngine, fast_files, loads
application = app.main.application("light")
controller = Controller(Choice("file", sys.argv[1]), build_source=fast_files, load_engine=loads(LoudnessEngine()))
window = MainWindow(controller, Settings(), keep=False)
window.show()
controller.start()
def until(reached):
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: reached() and loop.quit())
    timer.start(5)
    loop.exec()
until(lambda: window.feed.end > 50 and window._frame > 10)
assert "pyqtgraph" not in sys.modules, "by starting"
window.actions_by_name["timing"].setChecked(True)
until(lambda: window.timing.chart is not None)
assert "pyqtgraph" in sys.modules
window.close()
"""
    from tests.app.fakes import write_sound

    sound = write_sound(tmp_path / "bursts.wav")
    done = subprocess.run(
        [sys.executable, "-c", code, str(sound)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_empty_panel_says_what_to_do_and_makes_no_chart(feed: SteadyFeed, qapp, qtbot) -> None:
    feed.end = 0
    panel = TimingPanel(themes.DARK, feed)
    qtbot.addWidget(panel)
    panel.show()
    panel.advance(0, SHOWN, True)
    assert "Start (Space)" in panel.hint.text()
    assert panel.hint.isVisible()
    assert panel.chart is None
    panel.set_hint("Waiting for the first sound…")
    assert panel.hint.text() == "Waiting for the first sound…"
    feed.end = 40
    panel.advance(40, SHOWN, True)
    assert not panel.hint.isVisible()
    assert panel.chart is not None


def test_charts_and_figures_show_what_was_measured(panel, feed: SteadyFeed) -> None:
    chart = panel.chart
    times, hops = chart.hops.getOriginalDataset()
    assert times[-1] == hoptimes.seconds(1999)
    assert np.array_equal(hops, feed.hop_us[2000 - len(hops) : 2000])
    assert SHOWN - 102 < len(hops) <= SHOWN + 4  # the range ends at a whole second
    assert np.allclose(chart.hops.getData()[1], np.log10(hops))
    last = feed.hop_us[1000:2000]
    assert chart.bars.getOriginalDataset()[1].sum() == 1000
    median, p99 = np.percentile(last, (50, 99))
    assert chart.marks["median"].value() == pytest.approx(np.log10(median), abs=1e-5)
    assert chart.marks["p99"].value() == pytest.approx(np.log10(p99), abs=1e-5)
    panel.set_dropped(7)
    for text in (hoptimes.spoken(median), hoptimes.spoken(p99), hoptimes.spoken(last.max()), "7 samples"):
        assert text in panel.numbers.text()
    assert f"{last.mean() / 100:.2f} %" in panel.numbers.text()


def test_a_hop_over_the_limit_is_named_and_seen(panel, feed: SteadyFeed) -> None:
    assert panel.theme.bad not in panel.numbers.text()
    assert panel.chart.left.viewRange()[1][1] < np.log10(hoptimes.LIMIT_US)
    feed.hop_us[2005] = 12_340
    feed.end = 2020
    follow(panel, 2020)
    assert panel.chart.left.viewRange()[1][1] > np.log10(hoptimes.LIMIT_US)
    assert f'color:{panel.theme.bad}"><b>12.34 ms' in panel.numbers.text()


def test_ranges_move_in_steps_and_never_by_themselves(panel, feed: SteadyFeed) -> None:
    chart = panel.chart
    moves: list[object] = []
    chart.left.sigXRangeChanged.connect(lambda *moved: moves.append(moved))
    feed.end = 3000
    drawings = set()
    for end in range(2000, 2301, 3):
        panel.advance(end, SHOWN, True)
        drawings.add(chart.hops.getOriginalDataset()[0][-1])
    assert 20 <= len(drawings) <= 33, "ten a second"
    assert len(moves) == 3, "once a second"
    assert chart.left.viewRange()[0][1] == pytest.approx(24.0)
    assert not any(any(plot.getViewBox().autoRangeEnabled()) for plot in (chart.left, chart.right))
    panel.advance(2300, SHOWN, True)
    drawn = chart.hops.getOriginalDataset()
    assert drawn[0][-1] == hoptimes.seconds(2299), "what comes last is shown too"
    panel.advance(2300, SHOWN, True)
    assert chart.hops.getOriginalDataset() is drawn, "nothing new, nothing painted"


def test_a_frozen_moment_ends_at_the_right_edge(panel) -> None:
    follow(panel, 1234, live=False)
    low, high = panel.chart.left.viewRange()[0]
    assert high == pytest.approx(float(hoptimes.seconds(1233)))
    assert high - low == pytest.approx(SHOWN / 100)
    assert panel.chart.hops.getOriginalDataset()[0][-1] == pytest.approx(high)


def test_wheel_zooms_and_a_double_click_goes_back(panel, feed: SteadyFeed, qtbot) -> None:
    chart = panel.chart
    before = chart.left.viewRange()
    view = chart.view.viewport()
    box = chart.left.getViewBox()
    middle = QPointF(chart.view.mapFromScene(box.mapToScene(box.boundingRect().center())))
    wheel = QWheelEvent(
        middle, view.mapToGlobal(middle), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, wheel)
    zoomed = chart.left.viewRange()
    assert zoomed[0][1] - zoomed[0][0] < before[0][1] - before[0][0]
    feed.end = 2700
    follow(panel, 2700)
    assert np.allclose(chart.left.viewRange(), zoomed), "the display goes on, the moment looked at stays"
    assert "double click" in panel.numbers.text()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle.toPoint())
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=middle.toPoint())
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle.toPoint())
    follow(panel, 2700)
    assert chart.left.viewRange()[0] == pytest.approx([28 - SHOWN / 100, 28])
    assert "double click" not in panel.numbers.text()


def test_the_whole_history_may_be_looked_at(panel, feed: SteadyFeed) -> None:
    panel.chart.left.setXRange(0, 300, padding=0)
    follow(panel, 2000)
    assert len(panel.chart.hops.getOriginalDataset()[0]) == 2000
    panel.chart.left.getViewBox().autoRange()  # "View all" of the menu
    follow(panel, 2000)
    assert panel.chart._free == {"x", "y"}


def test_nothing_is_drawn_behind_another_tab(panel, feed: SteadyFeed) -> None:
    drawn = panel.chart.hops.getOriginalDataset()
    panel.hide()
    feed.end = 2500
    panel.advance(2500, SHOWN, True)
    assert panel.chart.hops.getOriginalDataset() is drawn
    panel.show()
    panel.advance(2500, SHOWN, True)
    assert panel.chart.hops.getOriginalDataset()[0][-1] == hoptimes.seconds(2499)


def test_light_and_dark(panel) -> None:
    light = picture(panel)
    panel.set_theme(themes.DARK)
    dark = picture(panel)
    assert light[:, :, :3].mean() > 200
    assert dark[:, :, :3].mean() < 60
    for image, theme in ((light, themes.LIGHT), (dark, themes.DARK)):
        colour = theme.colour("wave")
        ink = np.abs(image[:, :, :3].astype(int) - [colour.blue(), colour.green(), colour.red()]).max(axis=2) < 12
        assert ink.sum() > 100, f"the histogram in {theme.name}"


def test_names_for_those_who_cannot_see_it(panel) -> None:
    assert panel.accessibleName() == panel.title
    assert panel.about in panel.accessibleDescription()
    assert panel.about in panel.toolTip()
    for widget in (panel.numbers, panel.chart.view):
        assert widget.accessibleName()
    assert all(each.focusPolicy() == Qt.FocusPolicy.NoFocus for each in panel.findChildren(QWidget))


def test_the_export_of_pyqtgraph_writes_microseconds(panel, feed: SteadyFeed, tmp_path: Path) -> None:
    from pyqtgraph.exporters import CSVExporter, ImageExporter, SVGExporter

    CSVExporter(panel.chart.left).export(str(tmp_path / "hops.csv"))
    rows = list(csv.DictReader((tmp_path / "hops.csv").open()))
    assert set(rows[0]) == {f"{name}_us_{axis}" for name in ("hop", "median", "p99") for axis in "xy"}
    assert float(rows[0]["hop_us_y"]) == pytest.approx(feed.hop_us[2000 - len(rows)], rel=1e-6)
    CSVExporter(panel.chart.right).export(str(tmp_path / "counts.csv"))
    assert sum(float(row["hops_y"]) for row in csv.DictReader((tmp_path / "counts.csv").open())) == 1000
    ImageExporter(panel.chart.view.scene()).export(str(tmp_path / "charts.png"))
    for plot in (panel.chart.right, panel.chart.left):
        SVGExporter(plot).export(str(tmp_path / "hops.svg"))
    assert (tmp_path / "charts.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "hops.svg").read_text()
    assert panel.chart.view.scene().contextMenu[0].text().startswith("Export")


# -- in the window ----------------------------------------------------------------------------------------------------


def silent(open_window: OpenWindow, settings: store.Settings | None = None):
    return open_window(MICROPHONE, settings, build_source=lambda choice: Device())


def test_a_key_and_the_view_menu_show_and_hide_it(open_window: OpenWindow, qtbot) -> None:
    window = silent(open_window)
    dock = window.docks["timing"]
    assert dock.isHidden()
    assert dock.toggleViewAction() in window.toolbar.view_button.menu().actions()
    qtbot.keyClick(window, Qt.Key.Key_H)
    assert dock.isVisible()
    assert "timing" in window.sized
    assert window.size().height() == 720, "it finds room in a small window"
    qtbot.keyClick(window, Qt.Key.Key_H)
    assert dock.isHidden()
    dock.toggleViewAction().trigger()
    assert window.actions_by_name["timing"].isChecked()
    window.arrangement.enlarge("timing")
    assert [key for key, each in window.docks.items() if not each.isHidden()] == ["timing"]
    window.arrangement.end_enlargement()
    assert window.docks["waveform"].isVisible()
    window.do_layout()
    assert dock.isHidden()


def test_it_comes_back_with_the_layout(open_window: OpenWindow, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KWSCOPE_CONFIG_DIR", str(tmp_path))
    window = silent(open_window)
    window.actions_by_name["timing"].setChecked(True)
    window.close()
    settings, complaint = store.load()
    assert not complaint
    again = silent(open_window, settings)
    assert again.docks["timing"].isVisible()
    assert again.actions_by_name["timing"].isChecked()


def test_it_follows_the_engine_and_the_theme(open_window: OpenWindow, qtbot) -> None:
    window = silent(open_window)
    window.actions_by_name["timing"].setChecked(True)
    window.do_run()
    qtbot.waitUntil(lambda: window.timing.chart is not None and window.timing.chart.figures is not None, timeout=60_000)
    assert window.timing.chart.figures.median == 20.0, "what the engine says in Telemetry.elapsed_us"
    qtbot.waitUntil(lambda: "20.0 µs" in window.timing.numbers.text())
    window.do_theme()
    assert window.timing.chart.view.backgroundBrush().color().name().upper() == themes.DARK.surface
    window.do_reset()
    qtbot.waitUntil(lambda: window.timing.numbers.text() != "")

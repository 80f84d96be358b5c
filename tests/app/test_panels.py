"""Panels on made-up columns: the picture does not depend on how it came about, and every state has one."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app import theme as themes
from app.panels.bars import BarsPanel
from app.panels.delta import DeltaPanel
from app.panels.gate import GatePanel
from app.panels.pcen import PcenPanel
from app.panels.posteriors import PosteriorPanel
from app.panels.readout import ReadoutPanel
from app.panels.routing import RoutingPanel
from app.panels.snr import SnrPanel
from app.panels.spectrogram import SpectrogramPanel
from app.panels.timepanel import TimePanel, clock
from app.panels.truesnr import TrueSnrPanel, snr_around
from app.panels.waveform import WaveformPanel, amplitude
from kwscore.stream.history import History
from kwscore.stream.runner import Batch
from kwscore.stream.truesnr import estimate_db
from tests.app.fakes import SteadyFeed

TIME_PANELS = (
    *(WaveformPanel, SpectrogramPanel, SnrPanel, TrueSnrPanel, PcenPanel),
    *(RoutingPanel, DeltaPanel, GatePanel, PosteriorPanel),
)


def picture(panel) -> np.ndarray:
    """The panel's pixels (height, width, 4)."""
    image = panel.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).copy()


def shown(kind: type[TimePanel], feed: SteadyFeed, qtbot, theme: themes.Theme = themes.LIGHT) -> TimePanel:
    panel = kind(theme, feed)
    qtbot.addWidget(panel)
    panel.resize(700, 130)
    panel.show()
    return panel


@pytest.mark.parametrize("kind", TIME_PANELS)
@pytest.mark.parametrize("pitch", [1, 2, 3])
def test_a_scrolled_picture_equals_one_painted_at_once(kind: type[TimePanel], pitch: int, qapp, qtbot) -> None:
    feed = SteadyFeed()
    rolling, fresh = shown(kind, feed, qtbot), shown(kind, feed, qtbot)
    for end in (600, 601, 604, 608, 640, 641, 700):
        rolling.advance(end, pitch)
        rolling.grab()
    fresh.advance(700, pitch)
    difference = np.abs(picture(rolling).astype(int) - picture(fresh).astype(int))
    assert difference.max() <= 24  # smooth edges may round differently where strips meet
    assert (difference > 2).mean() < 0.001


@pytest.mark.parametrize("kind", TIME_PANELS)
@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK], ids=["light", "dark"])
def test_each_panel_paints_data_in_both_themes(kind: type[TimePanel], theme: themes.Theme, qapp, qtbot) -> None:
    feed = SteadyFeed()
    panel = shown(kind, feed, qtbot, theme)
    feed.end = 0
    panel.advance(0, 2)
    empty = picture(panel)
    feed.end = 900
    panel.advance(900, 2)
    full = picture(panel)
    assert len(np.unique(empty.reshape(-1, 4), axis=0)) > 3, "the empty state says what to do"
    assert (np.abs(full.astype(int) - empty).max(axis=2) > 8).mean() > 0.02
    assert panel.accessibleName()
    assert panel.about in panel.toolTip()


@pytest.mark.parametrize("kind", TIME_PANELS)
def test_the_cursor_reads_values(kind: type[TimePanel], qapp, qtbot) -> None:
    panel = shown(kind, SteadyFeed(), qtbot)
    panel.advance(900, 2)
    panel.set_cursor(850)
    assert panel.value_at_cursor()
    panel.set_cursor(None)
    assert panel.value_at_cursor() == ""


def test_newest_column_stands_at_the_right_edge(qapp, qtbot) -> None:
    panel = shown(SpectrogramPanel, SteadyFeed(), qtbot)
    panel.advance(900, 2)
    assert panel.x_of(900) == panel.plot.right()
    assert panel.column_at(panel.plot.right() - 1) == 899
    assert panel.column_at(panel.plot.right() - 3) == 898


def test_detections_and_truth_are_marked(qapp, qtbot) -> None:
    feed = SteadyFeed()
    panel = shown(WaveformPanel, feed, qtbot)
    panel.advance(400, 2)
    marked = picture(panel)
    feed.detections = feed.truths = lambda start, stop: []  # type: ignore[method-assign]
    panel.update()
    plain = picture(panel)
    line = round(panel.x_of(350)) - 1
    assert (marked[:, line] != plain[:, line]).any()
    low = slice(round(panel.plot.bottom()) - 6, round(panel.plot.bottom()))
    assert (marked[low] != plain[low]).any()


def test_readout_is_legible_and_fades(qapp, qtbot) -> None:
    feed = SteadyFeed()
    panel = ReadoutPanel(themes.LIGHT, feed)
    qtbot.addWidget(panel)
    panel.resize(340, 240)
    panel.show()
    panel.advance(355, "")
    assert panel.accessibleDescription() == "stop, score 0.90"
    ink = np.abs(picture(panel).astype(int) - picture(panel)[0, 0]).max(axis=2) > 60
    rows = np.flatnonzero(ink.any(axis=1))
    assert rows[-1] - rows[0] > 120
    feed.detections = lambda start, stop: []  # type: ignore[method-assign]
    panel.advance(800, "")
    assert panel.accessibleDescription() == "listening"


def test_bars_show_figures_and_thresholds(qapp, qtbot) -> None:
    feed = SteadyFeed()
    panel = BarsPanel(themes.DARK, feed)
    qtbot.addWidget(panel)
    panel.resize(340, 270)
    panel.show()
    panel.advance(500)
    assert np.allclose(panel.values, feed.columns(499, 500).posteriors[0])
    before = picture(panel)
    feed.thresholds = (0.2,) * 10
    panel.advance(500)
    assert (picture(panel) != before).any()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (67, "1:07"), (3727, "1:02:07")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_amplitude_scale() -> None:
    assert amplitude(0) == 1.0
    assert amplitude(-40) == pytest.approx(0.1)


def test_band_scale_agrees_with_the_mel_filterbank() -> None:
    from app.panels.bandmap import band_at, centre
    from kwscore.models.melbank import mel_filterbank

    bank = np.asarray(mel_filterbank())
    bank = bank if bank.shape[0] == 40 else bank.T
    for band in (10, 20, 30, 39):
        peak = float(np.average(np.arange(bank.shape[1]), weights=bank[band])) * 16_000 / 512
        assert centre(band) == pytest.approx(peak, rel=0.06)
        assert band_at(centre(band)) == pytest.approx(band + 0.5)


def test_a_score_rises_with_its_word_everywhere_and_then_stays(qapp, qtbot) -> None:
    from app.feed import Mark
    from app.history_feed import FOLLOWED, HistoryFeed
    from app.panels.log import LogPanel, LogRow
    from kwscore.constants import LABELS
    from tests.app.fakes import LoudnessEngine

    engine, feed = LoudnessEngine(), HistoryFeed()
    history = History.for_engine(engine)
    feed.attach(history, None, 0, engine.expert_names)
    log = LogPanel(themes.LIGHT)
    readout = ReadoutPanel(themes.LIGHT, feed)
    for panel in (log, readout):
        qtbot.addWidget(panel)

    def hear(posterior: float, hops: int) -> None:
        telemetry = engine.process(np.zeros(hops * 160, np.int16))
        posteriors = np.zeros((len(telemetry), len(LABELS)), np.float32)
        posteriors[:, LABELS.index("stop")] = posterior
        history.extend(Batch(np.zeros(hops * 160, np.int16), 0, 0, telemetry, posteriors, []))
        for mark in feed.follow():
            log.raise_score(mark.column, mark.score)
        feed.refresh(history.end, 500)
        readout.advance(history.end, "")

    hear(0.57, 103)
    feed.marks.append(Mark(history.end - 5, history.end, "stop", 0.57))
    log.add(LogRow(1.0, "yes", 0.3, 100.0, history.end - 40))
    log.add(LogRow(1.4, "stop", 0.57, 100.0, history.end))
    for posterior, hops, score in ((0.5, 5, "0.57"), (0.89, 5, "0.89"), (0.6, FOLLOWED, "0.89"), (0.99, 5, "0.89")):
        hear(posterior, hops)
        assert readout.accessibleDescription() == f"stop, score {score}"
        assert log.model.data(log.model.index(0, 2)) == score
        assert log.model.data(log.model.index(1, 2)) == "0.30"


@pytest.mark.parametrize("kind", [PcenPanel, GatePanel])
def test_what_an_engine_does_not_send_is_said(kind: type[TimePanel], qapp, qtbot) -> None:
    feed = SteadyFeed()
    feed._all |= {
        name: np.full_like(feed._all[name], np.nan) for name in ("pcen", "gate_mean", "gate_low", "gate_high")
    }
    panel = shown(kind, feed, qtbot)
    panel.advance(900, 2)
    painted = picture(panel)
    middle = painted[55:75, 200:500].astype(int)
    assert (np.abs(middle - middle[0, 0]).max(axis=2) > 60).any(), "a sentence stands in the middle"
    panel.set_cursor(850)
    assert panel.value_at_cursor() == ""


def test_estimate_and_truth_are_compared_on_one_scale(qapp, qtbot) -> None:
    feed = SteadyFeed()
    feed._all["snr"] = np.repeat(feed._all["snr"][:, :1], 40, axis=1)  # neighbours alike: a pixel more or less is none
    feed._all["true_snr"] = estimate_db(feed._all["snr"])
    feed._all["noise_level"][:] = np.nan  # no figures at words
    panel = shown(TrueSnrPanel, feed, qtbot)
    panel.advance(900, 2)
    painted = picture(panel).astype(int)
    assert isinstance(panel, TrueSnrPanel)
    assert panel.correlation == pytest.approx(1.0)
    plot = panel.plot.toRect()
    half = plot.height() // 2
    grey = painted[:, 250:500, :3].mean(axis=2)
    upper, lower = (grey[plot.top() + y : plot.top() + y + half - 26] for y in (22, half + 22))
    assert np.corrcoef(upper.ravel(), lower.ravel())[0, 1] > 0.9, "equal maps look equal"
    panel.set_cursor(850, 12.5 / 80)
    truth = feed.columns(850, 851).true_snr[0, 12]
    assert panel.value_at_cursor() == f"856 Hz: estimate {truth:.0f} dB, true {truth:.0f} dB".replace("-", "−")


def test_the_true_snr_of_the_second_around_each_word_is_a_figure(qapp, qtbot) -> None:
    feed = SteadyFeed()
    feed._all["noise_level"][:] = -30.0  # below -25
    panel = shown(TrueSnrPanel, feed, qtbot)
    assert isinstance(panel, TrueSnrPanel)
    panel.advance(900, 2)
    picture(panel)
    assert [(mark.label, round(snr, 6)) for mark, snr in panel._words] == [("stop", 5.0)], "said from 3.0 to 3.5 s"
    feed._all["noise_level"][300:310] = -10.0
    assert snr_around(feed, 325) == pytest.approx(-25 - 10 * np.log10(0.9 * 10**-3 + 0.1 * 10**-1), abs=1e-4)
    feed._all["noise_level"][340] = np.nan
    assert np.isnan(snr_around(feed, 325)), "not known of all of the second"
    assert np.isnan(snr_around(feed, 20)), "the second is not held whole"
    panel.set_cursor(500)
    assert panel.value_at_cursor() == "true SNR of the second around 5.0 dB"


def test_the_band_that_is_pointed_at_is_read(qapp, qtbot) -> None:
    feed = SteadyFeed()
    panel = shown(SpectrogramPanel, feed, qtbot)
    panel.advance(900, 2)
    panel.set_cursor(850, 12.5 / 40)
    level = feed.columns(850, 851).mel_db[0, 12]
    assert panel.value_at_cursor().startswith(f"856 Hz: {level:.0f} dB".replace("-", "−"))


def test_a_panel_must_paint(qapp) -> None:
    class Nothing(TimePanel):
        key = "nothing"

    with pytest.raises(TypeError, match="Nothing lacks paint_columns"):
        Nothing(themes.LIGHT, SteadyFeed())  # type: ignore[abstract]

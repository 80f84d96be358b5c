"""True SNR per band: a known mixture gives its known SNR, whatever the batches; the estimate reads back its formula."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.level import rms_dbfs
from kwscore.audio.mixing import StreamingMixer
from kwscore.audio.playlist import PlaylistSource
from kwscore.models.melbank import mel_filterbank
from kwscore.stream import StreamEngine
from kwscore.stream.detection import Detector
from kwscore.stream.history import History
from kwscore.stream.runner import Batch, Runner
from kwscore.stream.telemetry import Telemetry
from kwscore.stream.truesnr import SnrTruth, TrueSnr, agreement, band_snr_db, estimate_db, span_snr_db
from tests.stream.fakes import Blocks
from tests.stream.nets import DUAL, random_net

RNG = np.random.default_rng(0)
NONE = np.zeros(0, np.float32)


def noise(seconds: float, amplitude: float, seed: int = 0) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).normal(0, amplitude, round(16_000 * seconds))).astype(np.int16)


def batches(clean: np.ndarray, heard: np.ndarray, cuts: list[int], origin: int = 0) -> list[Batch]:
    """What a runner would deliver of a stream cut at ``cuts``."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(clean)}), len(clean)]
    found = []
    for begin, end in pairwise(edges):
        frames = [t for t in range(len(clean) // 160) if begin <= 160 * t + 511 + origin < end]
        records = [Telemetry(t, 160 * t + 511, 0.0, NONE, NONE, NONE, NONE, NONE, 1.0) for t in frames]
        none = np.zeros((len(records), 12), np.float32)
        found.append(Batch(heard[begin:end], begin, origin, records, none, [], clean=clean[begin:end]))
    return found


@pytest.mark.parametrize("snr", [-10, 0, 20])
def test_white_in_white_has_the_same_snr_in_every_band(snr: float) -> None:
    clean, added = noise(2, 4000, 1), noise(2, 4000 / 10 ** (snr / 20), 2)
    heard = (clean.astype(int) + added).clip(-32768, 32767).astype(np.int16)
    (batch,) = batches(clean, heard, [])
    found = TrueSnr().measure(batch).snr
    assert found.shape == (197, 40)
    assert np.abs(10 * np.log10((10 ** (found[:, 10:] / 10)).mean(0)) - snr).max() < 4
    assert abs(np.median(found) - snr) < 0.5


@pytest.mark.parametrize("snr", [-10, 0, 20])
def test_levels_of_the_hops_give_the_snr_of_a_span(snr: float) -> None:
    clean, added = noise(2, 4000, 1), noise(2, 4000 / 10 ** (snr / 20), 2)
    heard = (clean.astype(int) + added).clip(-32768, 32767).astype(np.int16)
    added = heard.astype(int) - clean
    (batch,) = batches(clean, heard, [])
    found = TrueSnr().measure(batch)
    hop = slice(352, 512)  # the newest one of the first frame
    assert found.clean_dbfs[0] == pytest.approx(rms_dbfs(clean[hop]), abs=1e-3)
    assert found.noise_dbfs[0] == pytest.approx(rms_dbfs(added[hop].astype(np.float32) / 32768), abs=1e-3)
    span = slice(50, 150)
    samples = slice(352 + 160 * 50, 352 + 160 * 150)
    power = [np.mean(each[samples].astype(float) ** 2) for each in (clean, added)]
    expected = 10 * np.log10(power[0] / power[1])
    assert span_snr_db(found.clean_dbfs[span], found.noise_dbfs[span]) == pytest.approx(expected, abs=1e-3)


def test_the_snr_of_a_span_is_known_only_where_all_its_noise_is() -> None:
    level = np.full(3, -20.0, np.float32)
    partly = np.array([-30, np.nan, -30], np.float32)
    assert span_snr_db(level, level - 10) == pytest.approx(10)
    assert np.isnan(span_snr_db(level, partly))
    assert np.isnan(span_snr_db(level[:0], level[:0]))


def test_a_tone_stands_in_its_band_only() -> None:
    clean = np.rint(8000 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16_000)).astype(np.int16)
    heard = clean + noise(0.5, 300)
    (batch,) = batches(clean, heard, [])
    mean = TrueSnr().measure(batch).snr.mean(0)
    assert mean.argmax() == mel_filterbank()[:, 32].argmax()  # bin 32 is 1 kHz
    assert mean.max() > 30
    assert mean[30:].max() < -20


@given(cuts=st.lists(st.integers(1, 7999), max_size=8), origin=st.sampled_from([0, 160, 1600]))
def test_batches_do_not_matter(cuts: list[int], origin: int) -> None:
    clean, heard = noise(0.5, 1000, 3), noise(0.5, 2000, 4)
    (whole,) = batches(clean, heard, [], origin)
    expected = TrueSnr().measure(whole)
    analyser = TrueSnr()
    parts = [analyser.measure(batch) for batch in batches(clean, heard, cuts, origin)]
    for name in SnrTruth._fields:
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(expected, name)), name


def test_without_noise_nothing_is_known() -> None:
    clean = noise(0.5, 1000)
    (batch,) = batches(clean, clean, [])
    assert np.isnan(TrueSnr().measure(batch).snr).all(), "a mixer that adds nothing"
    plain = Batch(clean, 0, 0, batch.telemetry, batch.posteriors, [])
    assert np.isnan(TrueSnr().measure(plain).snr).all(), "no mixer"
    assert np.isnan(band_snr_db(np.ones(2), np.zeros(2))).all()
    assert band_snr_db(np.zeros(1), np.ones(1))[0] == -60


def test_the_history_carries_it_and_the_estimate_agrees_with_it() -> None:
    """Bursts in steady noise at 0 dB: the network's estimate, read in dB, follows the truth."""
    burst = noise(4, 3000, 5).astype(float) * (np.arange(64_000) // 4000 % 2)
    speech = np.rint(burst).astype(np.int16)
    engine = StreamEngine(random_net(DUAL))
    mixer = StreamingMixer("white", 0.0, reference=-23.0)
    runner = Runner(Blocks(list(np.split(speech, 40))), engine, Detector(), mixer)
    history = History.for_engine(engine)
    while not runner.finished:
        history.extend(runner.step())
    view = history.view(None, 10_000)
    assert np.isfinite(view.true_snr).all()
    loud = (np.arange(len(view)) * 160 + 352) // 4000 % 2 == 1
    assert np.median(view.true_snr[loud]) > np.median(view.true_snr[~loud]) + 30
    settled = slice(100, None)
    assert agreement(estimate_db(view.snr[settled]), view.true_snr[settled]) > 0.5


@pytest.mark.parametrize("injected", [False, True])
def test_a_playlist_that_knows_its_items_without_noise_has_a_true_snr(injected: bool) -> None:
    """The demo through the runner, from any place on the source's clock: the second around each word."""
    source = PlaylistSource(pace="fast")
    source.start()
    base = 0
    while base < 27 * 25_600:  # up to the first noisy items
        base += len(source.read())
    engine = StreamEngine(random_net(DUAL))
    mixer = StreamingMixer("white", 0.0, reference=-27.0) if injected else None
    runner = Runner(source, engine, Detector(), mixer)
    history = History.for_engine(engine)
    while history.end < 1250:
        history.extend(runner.step())
    seen = 0
    for item in source.items[28:34]:
        middle = (item.start + item.end) // 2 - base
        column = (middle - 512) // 160 + 1
        view = history.view(column + 50, 100)
        measured = span_snr_db(view.clean_level, view.noise_level)
        assert item.snr_db is not None
        expected = item.snr_db
        if injected:  # both noises are noise: -27 dBFS more of it
            word = -27.0 - item.snr_db
            expected = -27.0 - 10 * np.log10(10 ** (word / 10) + 10**-2.7)
        assert measured == pytest.approx(expected, abs=1.0), item.caption
        assert np.isfinite(view.true_snr).all()
        seen += 1
    assert seen == 6
    first, quiet = source.items[27], source.items[34]
    column = (first.first + first.length // 2 - base) // 160
    alone = history.view(column + 10, 20).true_snr
    assert (alone == -60).all(), "noise alone: nothing is said"
    column = (quiet.first + quiet.length // 2 - base) // 160
    known = np.isfinite(history.view(column + 10, 20).true_snr).all()
    assert known is np.bool_(injected), "the quiet room between them has no noise of its own"


def test_the_estimate_reads_back_its_own_formula() -> None:
    width = mel_filterbank().sum(axis=1)
    for snr in (-3.0, 0.0, 6.0, 12.0):
        ratio = np.sqrt(1 + 10 ** (snr / 10)) / 1.5
        s = np.tanh(0.1 * width * ratio).astype(np.float32)
        assert np.allclose(estimate_db(s), snr, atol=0.3)
    assert (estimate_db(np.zeros(40, np.float32)) == -60).all()
    assert np.isfinite(estimate_db(np.ones(40, np.float32))).all()


def test_agreement() -> None:
    truth = RNG.normal(5, 8, (50, 40)).astype(np.float32)
    assert agreement(truth, truth) == pytest.approx(1.0)
    assert agreement(-truth + 10, truth) < -0.9
    assert abs(agreement(RNG.permuted(truth), truth)) < 0.1
    partly = truth.copy()
    partly[10:] = np.nan
    assert agreement(truth, partly) == pytest.approx(1.0)
    assert np.isnan(agreement(truth, np.full_like(truth, np.nan)))
    assert np.isnan(agreement(np.full_like(truth, 3.0), truth))

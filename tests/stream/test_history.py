"""The history: what goes in comes out, wherever the ring stands, from two threads."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from kwscore.errors import KWScopeError
from kwscore.stream import StreamEngine
from kwscore.stream.detection import DetectionSettings, Detector, Event
from kwscore.stream.history import History
from kwscore.stream.runner import Batch, Runner
from kwscore.stream.telemetry import Telemetry
from tests.stream.fakes import Blocks
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied


def record(frame: int, experts: int = 2, blocks: int = 2, value: float | None = None) -> Telemetry:
    v = np.float32(frame if value is None else value)
    band = np.full(40, v, np.float32)
    delta = np.arange(blocks * 24, dtype=np.float32).reshape(blocks, 24) + v
    logits = np.full(12, v, np.float32)
    return Telemetry(frame, 160 * frame + 511, float(v), band, band, np.full(experts, v), delta, logits, 20.0 + frame)


def fill(history: History, frames: int, first: int = 0) -> None:
    for i in range(first, first + frames):
        samples = np.arange(160, dtype=np.int16) - 80 + i % 100
        history.append(record(i), np.full(12, i), samples)


def test_everything_returns_aligned() -> None:
    history = History(2, 2, seconds=1)
    fill(history, 30)
    view = history.view()
    assert (view.start, view.end, len(view), history.first) == (0, 30, 30, 0)
    expected = np.arange(30)
    for field in ("frame", "level"):
        assert np.array_equal(getattr(view, field), expected)
    for field, width in {"mel": 40, "snr": 40, "routing": 2, "logits": 12, "posteriors": 12}.items():
        assert np.array_equal(getattr(view, field), np.repeat(expected[:, None], width, 1)), field
    assert np.allclose(view.delta_mean, expected[:, None] + [11.5, 35.5])
    assert np.allclose(view.delta_low, expected[:, None] + [2, 26])
    assert np.allclose(view.delta_high, expected[:, None] + [21, 45])
    assert np.array_equal(view.elapsed, 20 + expected)
    assert np.allclose(view.low * 32768, expected - 80)
    assert np.allclose(view.high * 32768, expected + 79)


@pytest.mark.parametrize("count", [99, 100, 101, 150, 250, 1234])
def test_the_ring_keeps_the_newest(count: int) -> None:
    history = History(2, 2, seconds=1)
    size = history.nbytes
    fill(history, count)
    view = history.view(frames=1000)
    assert (view.start, view.end) == (max(0, count - 100), count)
    assert np.array_equal(view.frame, np.arange(view.start, count))
    assert np.array_equal(view.mel[:, 0], view.frame)
    assert history.nbytes == size
    back = history.view(end_frame=count - 20, frames=30)
    assert np.array_equal(back.frame, np.arange(count - 50, count - 20))
    assert len(history.view(end_frame=-5)) == 0
    assert history.view(end_frame=10**9, frames=3).end == count


def test_elapsed_alone_equals_the_views_wherever_the_ring_stands() -> None:
    history = History(2, 2, seconds=1)
    assert [len(part) for part in history.elapsed(0, 5)[1:]] == [0]
    fill(history, 257)
    for start, stop in ((0, 1000), (157, 257), (200, 201), (240, 900), (-9, 170), (300, 310), (230, 200)):
        first, values = history.elapsed(start, stop)
        held = range(max(start, 157), min(stop, 257))
        assert np.array_equal(values, [20.0 + column for column in held])
        assert not len(held) or first == held[0]
    _, values = history.elapsed(200, 210)
    kept = values.copy()
    fill(history, 100, first=257)
    assert len(kept) == 10
    assert np.array_equal(values, kept)


def test_views_are_copies() -> None:
    history = History(2, 2, seconds=1)
    fill(history, 100)
    view = history.view()
    kept = view.mel.copy()
    fill(history, 77, first=100)
    assert np.array_equal(view.mel, kept)


def test_columns_go_on_over_a_reset() -> None:
    history = History(2, 2, seconds=1)
    fill(history, 30)
    fill(history, 20)
    view = history.view()
    assert view.end == 50
    assert view.frame.tolist() == [*range(30), *range(20)]
    history.clear()
    assert (history.end, len(history.view())) == (0, 0)


def test_events_lie_on_the_columns_and_age_out() -> None:
    history = History(2, 2, seconds=1)
    fill(history, 40)
    fill(history, 20)  # reset after column 40
    event = Event("yes", 0, 0.9, 0, 0, 0, 5, 9, 19)
    history.add_event(event, record(19))
    (mark,) = history.view().events
    assert (mark.start, mark.peak, mark.decided, mark.event) == (45, 49, 59, event)
    assert history.view(end_frame=45).events == ()
    fill(history, 120, first=20)
    later = Event("no", 1, 0.9, 0, 0, 0, 137, 138, 139)
    history.add_event(later, record(139))
    assert [m.event for m in history.view().events] == [later]


def test_extend_equals_append() -> None:
    engine = StreamEngine(random_net(DUAL, seed=4))
    pcm = varied(3.0)
    settings = DetectionSettings(smoothing_ms=30, threshold=0.12, minimum_ms=10, refractory_ms=200, release=0.99)
    one, other = History.for_engine(engine, 2), History.for_engine(engine, 2)
    detector = Detector(settings)
    for r in engine.process(pcm):
        event = detector.update(r)
        one.append(r, detector.posterior, pcm[r.sample - 159 : r.sample + 1])
        if event:
            one.add_event(event, r)
    cuts = np.sort(np.random.default_rng(0).integers(0, len(pcm), 90))
    runner = Runner(Blocks([b for b in np.split(pcm, cuts) if len(b)]), engine, Detector(settings))
    while not runner.finished:
        other.extend(runner.step())
    a, b = one.view(), other.view()
    assert a.events
    assert a.events == b.events
    for field in ("frame", "low", "high", "level", "mel", "snr", "routing", "delta_mean", "logits", "posteriors"):
        assert np.array_equal(getattr(a, field), getattr(b, field)), field


def test_a_batch_longer_than_the_history() -> None:
    history = History(2, 2, seconds=0.5)
    batch = Batch(
        np.zeros(160 * 200, np.int16), 0, 0, [record(i) for i in range(195)], np.zeros((195, 12), np.float32), []
    )
    history.extend(batch)
    assert history.view().frame.tolist() == list(range(145, 195))


def test_reader_and_writer_in_two_threads() -> None:
    history = History(2, 2, seconds=0.3)
    stop = threading.Event()
    torn: list[str] = []

    def read() -> None:
        while not stop.is_set():
            view = history.view()
            if not (np.array_equal(view.mel[:, 39], view.frame) and np.array_equal(view.posteriors[:, 0], view.frame)):
                torn.append("fields disagree")
            if not np.array_equal(view.frame, np.arange(view.start, view.end)):
                torn.append("columns disagree")

    thread = threading.Thread(target=read)
    thread.start()
    fill(history, 3000)
    stop.set()
    thread.join()
    assert torn == []


def test_networks_without_routing_or_state_space() -> None:
    history = History(0, 3, seconds=1)
    empty = np.zeros((3, 0), np.float32)
    one = record(0, experts=0)
    history.append(
        Telemetry(0, 511, -9.0, one.mel, one.snr, one.routing, empty, one.logits, 1.0), np.zeros(12), varied(0.01)
    )
    view = history.view()
    assert view.routing.shape == (1, 0)
    assert view.delta_mean.shape == (1, 3)


def test_a_length_that_is_not_possible() -> None:
    with pytest.raises(KWScopeError):
        History(2, 2, seconds=0)


def test_front_end_and_gate_come_along_where_they_are_known() -> None:
    history, whole = History(2, 2, seconds=1), record(0)
    gate = np.array([[0.2, 0.4, 0.9], [1.0, 1.0, 1.3]], np.float32)
    known = dataclasses.replace(whole, pcen=np.linspace(0, 1, 40, dtype=np.float32), gate=gate)
    for telemetry in (known, dataclasses.replace(whole, frame=1)):
        history.append(telemetry, np.zeros(12), varied(0.01))
    view = history.view()
    assert np.array_equal(view.pcen[0], known.pcen)
    assert np.allclose([view.gate_low[0], view.gate_mean[0], view.gate_high[0]], [[0.2, 1.0], [0.5, 1.1], [0.9, 1.3]])
    for field in ("pcen", "gate_mean", "gate_low", "gate_high"):
        assert np.isnan(getattr(view, field)[1]).all(), field

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kwscore.constants import CLIP_SAMPLES, WORDS
from kwscore.data.longstream import SCENE, long_stream, word_bounds
from kwscore.data.validation import load_validation
from kwscore.evaluation.longrun import detections, error_curve
from kwscore.stream.detection import DetectionSettings
from kwscore.stream.telemetry import Telemetry
from tests.data.corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("long"))


def test_long_stream_holds_the_words_it_lists(corpus: Path) -> None:
    mix = load_validation(corpus)
    samples, truth = long_stream(mix, minutes=3)
    assert len(samples) == 3 * SCENE
    assert len(truth) > 20
    assert {u.word for u in truth} <= set(WORDS)
    quiet = [u for u in truth if u.end < SCENE]
    inside = np.concatenate([samples[u.start : u.end] for u in quiet]).astype(float)
    before = np.concatenate([samples[u.start - 16_000 : u.start - 8_000] for u in quiet]).astype(float)
    assert 10 * np.log10((inside**2).mean() / (before**2).mean()) > 20
    again, _ = long_stream(mix, minutes=3)
    np.testing.assert_array_equal(samples, again)


def test_word_bounds_find_the_loud_part() -> None:
    clip = np.zeros(CLIP_SAMPLES, np.int16)
    clip[6400:9600] = 4000
    assert word_bounds(clip) == (6400, 9600)


def _record(frame: int, word: int, confidence: float) -> Telemetry:
    logits = np.zeros(12, np.float32)
    logits[word] = confidence
    none = np.zeros(0, np.float32)
    return Telemetry(frame, 160 * frame + 511, -20.0, none, none, none, none, logits, 1.0)


def test_error_curve_trades_misses_for_false_accepts(corpus: Path) -> None:
    _, truth = long_stream(load_validation(corpus), minutes=1)
    records = [_record(t, 10, 8.0) for t in range(6000)]
    for i, word in enumerate(truth):  # every second word is heard clearly, the others hardly
        last = word.end // 160
        for t in range(last - 5, last + 30):
            records[t] = _record(t, WORDS.index(word.word), 8.0 if i % 2 else 3.0)
    curve = dict(error_curve(records, truth, 60 * 16_000, DetectionSettings(refractory_ms=300), (0.3, 0.9)))
    assert curve[0.3].miss_rate < 0.1
    assert 0.4 < curve[0.9].miss_rate < 0.6
    assert curve[0.9].false_accepts_per_hour == 0
    assert len(detections(records, DetectionSettings(threshold=0.9))) == len(curve[0.9].hits)

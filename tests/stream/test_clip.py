"""A piece of sound at once, a clean word of the demo, and a word's figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kwscore.audio.rendition import clean_rendition
from kwscore.constants import LABELS, WORDS
from kwscore.errors import KWScopeError
from kwscore.stream import StreamEngine
from kwscore.stream.clip import SPOKEN, first_peak, hear, word_figures
from tests.stream.nets import DUAL, random_net
from tests.stream.signals import varied


def test_what_is_heard_at_once_is_what_is_heard_live() -> None:
    engine, pcm = StreamEngine(random_net(DUAL)), varied(1.5)
    view = hear(engine, pcm).view(None, 10_000)
    records = StreamEngine(random_net(DUAL)).process(pcm)
    assert len(view) == len(records)
    assert np.array_equal(view.logits, np.stack([r.logits for r in records]))
    assert np.array_equal(view.pcen, np.stack([r.pcen for r in records]))
    again = hear(engine, pcm).view(None, 10_000)
    assert np.array_equal(view.logits, again.logits), "every piece begins from reset"


def test_figures_of_a_word() -> None:
    view = hear(StreamEngine(random_net(DUAL)), varied(2.0)).view(None, 10_000)
    figures = word_figures(view, "left", 120)
    spoken = slice(121 - SPOKEN, 121)
    assert figures.snr == pytest.approx(view.snr[spoken].mean())
    assert np.allclose(figures.routing, view.routing[spoken].mean(axis=0))
    assert np.allclose(figures.gate, view.gate_mean[spoken].mean(axis=0))
    best = 121 - SPOKEN + int(view.posteriors[121 - SPOKEN :, LABELS.index("left")].argmax())
    assert figures.posterior == view.posteriors[best, LABELS.index("left")]
    assert figures.runner_up == np.delete(view.posteriors[best], LABELS.index("left")).max()
    with pytest.raises(KWScopeError, match="no longer in memory"):
        word_figures(view, "left", view.end)


def test_the_peak_is_where_the_plateau_begins() -> None:
    assert first_peak(np.array([0.1, 0.5, 0.97, 0.975, 0.99, 0.6], np.float32)) == 3
    assert first_peak(np.array([0.9], np.float32)) == 0


@pytest.mark.parametrize("word", WORDS)
def test_the_demo_has_every_word_in_clean(word: str) -> None:
    rendition = clean_rendition(word)
    assert rendition.samples.dtype == np.int16
    assert 16_000 < rendition.start < rendition.end <= len(rendition.samples)
    power = rendition.samples.astype(float) ** 2
    assert power[rendition.start : rendition.end].mean() > 100 * power[8000:24_000].mean(), "the word is where it says"


def test_a_playlist_without_the_word_says_so(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(16_000, np.int16), 16_000)
    item = {"file": "a.wav", "label": "yes", "start": 0.1, "end": 0.9, "noise": "white", "snr_db": 0}
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"title": "t", "items": [item]}))
    with pytest.raises(KWScopeError, match="no clean 'yes'"):
        clean_rendition("yes", path)

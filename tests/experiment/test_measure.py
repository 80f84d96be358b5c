"""One unit: what the engine hears, when it is read, what is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kwscore.audio.level import active_speech_dbfs, rms_dbfs
from kwscore.constants import CLIP_SAMPLES, LABELS, SAMPLE_RATE
from kwscore.data.augment import to_pcm
from kwscore.errors import KWScopeError
from kwscore.evaluation.noisy import Condition, streams
from kwscore.experiment.material import Speech, load_speech
from kwscore.experiment.measure import Unit, measure, stream_mixer
from kwscore.experiment.plan import Plan, Source
from kwscore.stream.detection import DetectionSettings
from tests.experiment.fakes import NETWORK, ToyEngine, make_folder, make_playlist

SETTINGS = DetectionSettings()
YES, SILENCE, UNKNOWN = (LABELS.index(label) for label in ("yes", "silence", "unknown"))


def unit(condition: Condition = Condition(), engine: str = "float", seed: int = 5) -> Unit:  # noqa: B008 (frozen)
    return Unit(NETWORK, engine, condition, seed)


@pytest.fixture
def folder(tmp_path: Path) -> Speech:
    return load_speech(Plan(source=Source("folder", str(make_folder(tmp_path / "words"))), noises=(), snrs=()))


def test_each_clip_is_heard_from_reset_as_evaluate_mixes_it(folder: Speech) -> None:
    engine, condition = ToyEngine(), Condition("pink", 3.0)
    measure(unit(condition), folder, engine, None)
    expected = np.concatenate([to_pcm(block) for block in streams(folder.clips, condition, 5)])
    heard = [pcm for pcm in engine.heard if len(pcm)]
    np.testing.assert_array_equal(np.stack(heard), expected)


def test_the_snr_over_a_clip_is_true(folder: Speech) -> None:
    engine = ToyEngine()
    measure(unit(Condition("white", 6.0)), folder, engine, None)
    clip = folder.clips.audio[-1].astype(float)
    noise = engine.heard[-1].astype(float) - clip
    assert 10 * np.log10((clip**2).mean() / (noise**2).mean()) == pytest.approx(6.0, abs=0.05)


def test_answers_and_detections_of_single_clips_are_counted(folder: Speech) -> None:
    counts = measure(unit(), folder, ToyEngine(), SETTINGS)
    # three loud "yes", two quiet clips, a loud one that is another word
    assert counts.confusion[YES, YES] == 3
    assert counts.confusion[SILENCE, SILENCE] == 2
    assert counts.confusion[UNKNOWN, YES] == 1
    assert counts.confusion.sum() == 6
    assert counts.events is not None
    assert {k: counts.events[k] for k in ("words", "hits", "misses", "false_accepts")} == {
        "words": 3, "hits": 3, "misses": 0, "false_accepts": 1,
    }  # fmt: skip
    assert counts.events["samples"] == 6 * CLIP_SAMPLES
    assert counts.latencies == ()  # nobody knows where in its clip a word ends
    assert counts.hop_us == 7.0


def test_without_detection_none_are_counted(folder: Speech) -> None:
    assert measure(unit(), folder, ToyEngine(), None).events is None


def test_latency_is_told_where_words_have_ends(tmp_path: Path) -> None:
    source = Source(where=str(make_playlist(tmp_path / "list")))
    for mode in ("reset", "stream"):
        speech = load_speech(Plan(source=source, noises=(), snrs=(), mode=mode))
        counts = measure(unit(), speech, ToyEngine(), SETTINGS)
        # loud from 0.5 s on: smoothing and hold are over well before the word's end at 0.9 s
        assert len(counts.latencies) == 1
        assert -400 < counts.latencies[0] < 0


def test_a_stream_is_heard_whole_and_read_after_each_word(tmp_path: Path) -> None:
    source = Source(where=str(make_playlist(tmp_path / "list")), clean_only=False)
    speech = load_speech(Plan(source=source, noises=(), snrs=(), mode="stream"))
    engine = ToyEngine()
    counts = measure(unit(), speech, engine, SETTINGS)
    heard = [pcm for pcm in engine.heard if len(pcm)]
    assert len(heard) == 1
    np.testing.assert_array_equal(heard[0], speech.pcm)
    # 0.25 s after the words it is quiet again
    assert counts.confusion[:, SILENCE].sum() == 3
    assert counts.events is not None
    assert (counts.events["hits"], counts.events["misses"]) == (1, 1)  # the toy takes "no" for "yes"
    late = replace(speech, reads=np.array([round(0.85 * SAMPLE_RATE), *speech.reads[1:].tolist()]))
    assert measure(unit(), late, ToyEngine(), None).confusion[YES, YES] == 1


@pytest.mark.parametrize("noise", ["white", "recorded rain"])
def test_a_stream_is_mixed_as_live_sound_is_at_a_true_snr(folder: Speech, noise: str) -> None:
    rng = np.random.default_rng(1)
    recordings = [rng.integers(-9000, 9000, 50_000).astype(np.int16)]
    material = replace(folder.clips.material, noise={"rain": recordings})
    pcm = folder.clips.audio[-3:].ravel()
    speech = replace(folder, clips=replace(folder.clips, material=material), pcm=pcm, reads=np.array([len(pcm)]))
    one = unit(Condition(noise, 10.0))
    mixed = stream_mixer(one, speech, "whole").process(pcm)
    added = mixed.astype(np.int32) - pcm
    assert active_speech_dbfs(pcm) - rms_dbfs(added[SAMPLE_RATE:].astype(np.int16)) == pytest.approx(10.0, abs=0.3)
    engine = ToyEngine()
    measure(one, replace(speech, clips=replace(speech.clips, labels=speech.labels[:1])), engine, None)
    np.testing.assert_array_equal(engine.heard[-1], mixed)
    np.testing.assert_array_equal(stream_mixer(one, speech, "whole").process(pcm), mixed)
    other = stream_mixer(unit(Condition(noise, 10.0), seed=6), speech, "whole").process(pcm)
    assert not np.array_equal(other, mixed)
    fixed = stream_mixer(one, speech, -40.0).process(pcm).astype(np.int32) - pcm
    assert rms_dbfs(fixed[SAMPLE_RATE:].astype(np.int16)) == pytest.approx(-50.0, abs=0.5)


def test_a_board_that_loses_an_answer_is_asked_again(folder: Speech) -> None:
    engine = ToyEngine()
    engine.drop = {96, 40}
    counts = measure(unit(engine="board:sim"), folder, engine, SETTINGS)
    assert counts.confusion.sum() == 6
    assert counts.lost == 2
    assert len([pcm for pcm in engine.heard if len(pcm)]) == 7  # one clip was played twice

    class Deaf(ToyEngine):
        def process(self, samples):
            return super().process(samples)[:-1]

    with pytest.raises(KWScopeError, match="3 times in a row"):
        measure(unit(engine="board:sim"), folder, Deaf(), SETTINGS)


def test_progress_counts_clips_and_may_stop(folder: Speech) -> None:
    seen: list[int] = []
    measure(unit(), folder, ToyEngine(), None, step=seen.append)
    assert seen == list(range(6))

    def stop(clips: int) -> None:
        if clips == 4:
            raise InterruptedError

    engine = ToyEngine()
    with pytest.raises(InterruptedError):
        measure(unit(), folder, engine, None, step=stop)
    assert len([pcm for pcm in engine.heard if len(pcm)]) == 4

"""What an experiment plays: playlists, folders, Speech Commands; and its noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwscore.constants import CLIP_SAMPLES, LABELS, SAMPLE_RATE
from kwscore.errors import KWScopeError
from kwscore.evaluation.sets import load_set
from kwscore.experiment.material import READ_AFTER, describe, load_speech
from kwscore.experiment.plan import Plan, Source
from tests.evaluation.corpora import make_full_corpus
from tests.experiment.fakes import make_folder, make_playlist

CLEAN = Plan(noises=(), snrs=())


def test_the_demo_without_the_items_that_have_noise() -> None:
    speech = load_speech(CLEAN)
    assert len(speech.labels) == 37
    assert len(speech.pcm) == 0
    assert len(load_speech(replace(CLEAN, source=Source(clean_only=False))).labels) == 72
    assert "2 yes" in describe(speech)


def test_a_playlists_clip_ends_a_quarter_second_after_its_word(tmp_path: Path) -> None:
    path = make_playlist(tmp_path / "list")
    speech = load_speech(replace(CLEAN, source=Source(where=str(path))))
    assert [LABELS[i] for i in speech.labels] == ["yes", "silence"]
    sound, _ = soundfile.read(path.parent / "0.wav", dtype="int16")
    end = round(0.9 * SAMPLE_RATE) + READ_AFTER
    np.testing.assert_array_equal(speech.clips.audio[0], sound[end - CLIP_SAMPLES : end])
    start, stop = speech.spans[0]
    word = speech.clips.audio[0][start:stop]
    assert len(word) == round(0.4 * SAMPLE_RATE)
    assert np.count_nonzero(word) == np.count_nonzero(speech.clips.audio[0])


def test_a_playlist_as_one_stream_keeps_its_words_places(tmp_path: Path) -> None:
    path = make_playlist(tmp_path / "list")
    plan = replace(CLEAN, source=Source(where=str(path), clean_only=False), mode="stream")
    speech = load_speech(plan)
    assert len(speech.pcm) == round(4.3 * SAMPLE_RATE)
    assert [(u.word, u.start / SAMPLE_RATE, u.end / SAMPLE_RATE) for u in speech.truth] == [
        ("yes", 0.5, 0.9),
        ("no", 3.7, 4.0),
    ]
    assert speech.reads.tolist() == [round(t * SAMPLE_RATE) for t in (1.15, 3.5, 4.25)]


def test_a_folder_of_words(tmp_path: Path) -> None:
    top = make_folder(tmp_path / "words")
    soundfile.write(top / "yes" / "slow.wav", np.ones(48_000 * 2) * 0.1, 48_000)
    (top / "yes" / "empty.wav").touch()
    said: list[str] = []
    speech = load_speech(replace(CLEAN, source=Source("folder", str(top))), said.append)
    counts = np.bincount(speech.labels, minlength=12)
    assert (counts[0], counts[LABELS.index("silence")], counts[LABELS.index("unknown")]) == (4, 2, 1)
    assert speech.clips.audio.shape == (7, CLIP_SAMPLES)
    assert len(said) == 1
    assert "empty.wav" in said[0]


def test_a_stream_of_clips_is_shuffled_but_always_alike(tmp_path: Path) -> None:
    plan = replace(CLEAN, source=Source("folder", str(make_folder(tmp_path / "w"))), mode="stream", gap_s=0.25)
    speech, again = load_speech(plan), load_speech(plan)
    step = CLIP_SAMPLES + SAMPLE_RATE // 4
    assert len(speech.pcm) == 6 * step
    assert speech.clips.index.tolist() != list(range(6))
    np.testing.assert_array_equal(speech.pcm, again.pcm)
    for number, audio in enumerate(speech.clips.audio):
        np.testing.assert_array_equal(speech.pcm[number * step : (number + 1) * step][-CLIP_SAMPLES:], audio)
    assert [u.word for u in speech.truth] == [LABELS[i] for i in speech.labels if LABELS[i] != "silence"]


def test_speech_commands_are_those_of_evaluate(tmp_path: Path) -> None:
    corpus = make_full_corpus(tmp_path)
    source = Source("speech_commands", str(corpus), split="validation")
    speech = load_speech(Plan(source=source, noises=("recorded street",), snrs=(0.0,)))
    data = load_set(corpus, "validation")
    np.testing.assert_array_equal(speech.clips.audio, data.audio)
    assert speech.clips.fingerprint == data.fingerprint
    street = speech.clips.material.noise["street"]
    assert [len(x) for x in street] == [len(x) for x in data.material.noise["street"]]
    few = load_speech(Plan(source=replace(source, clips=12), noises=("white",), snrs=(0.0,)))
    assert len(few.labels) < len(data.labels)
    assert set(few.clips.index) <= set(data.index)


def test_noise_of_ones_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    (tmp_path / "noise" / "rain").mkdir(parents=True)
    for name in ("a", "b"):
        soundfile.write(tmp_path / "noise" / "rain" / f"{name}.wav", rng.normal(0, 0.1, 9000), SAMPLE_RATE)
    soundfile.write(tmp_path / "fan.wav", rng.normal(0, 0.1, 9000), SAMPLE_RATE)
    plan = Plan(noises=("recorded rain", "fan.wav", "white"), snrs=(0.0,), recordings="noise", base=tmp_path)
    noise = load_speech(plan).clips.material.noise
    assert {kind: len(found) for kind, found in noise.items()} == {"rain": 2, "fan": 1}


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(100), SAMPLE_RATE)
    for plan, words in (
        (replace(CLEAN, source=Source("folder", "none")), "no folder"),
        (replace(CLEAN, source=Source("folder", "empty")), "sub-folders"),
        (replace(CLEAN, source=Source("playlist", "none.json")), "no playlist"),
        (replace(CLEAN, source=Source("speech_commands", "empty")), "Speech Commands"),
        (Plan(noises=("recorded rain",), snrs=(0.0,)), "'recorded rain'"),
        (Plan(noises=("recorded rain",), snrs=(0.0,), recordings="none"), "no noise folder"),
        (Plan(noises=("silent.wav",), snrs=(0.0,)), "silent"),
        (Plan(noises=("none.wav",), snrs=(0.0,)), "none.wav"),
    ):
        with pytest.raises(KWScopeError, match=words):
            load_speech(replace(plan, base=tmp_path))


def test_a_playlist_of_noise_alone_says_what_to_do(tmp_path: Path) -> None:
    path = make_playlist(tmp_path)
    path.write_text(path.read_text().replace('"none"', '"white"'))
    with pytest.raises(KWScopeError, match="clean_only"):
        load_speech(replace(CLEAN, source=Source(where=str(path))))

"""Synthetic words: vocabulary rules, clip shape and level, determinism, missing synthesizers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwscore.constants import WORDS
from kwscore.data import synth, vocabulary, voices
from kwscore.data.voices import Utterance
from kwscore.errors import KWScopeError

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
needs_any = pytest.mark.skipif(not voices.installed_voices(), reason="needs a speech synthesizer")


def test_vocabulary_never_meets_the_excluded_words() -> None:
    words = vocabulary.UNKNOWN_VOCABULARY
    assert len(words) > 1200
    assert len(set(words)) == len(words)
    assert all(word.isascii() and word.isalpha() and word == word.lower() for word in words)
    assert not set(words) & vocabulary.EXCLUDED
    assert set(vocabulary.EXCLUDED) >= {
        *WORDS,
        "backward",
        "bird",
        "sheila",
        "wow",
        "visual",
        "two",
        "know",
        "to",
        "for",
    }
    # simple inflections of words that validation keeps unheard
    inflected = {w + s for w in vocabulary.UNHEARD_WORDS for s in ("s", "es", "ed", "d", "ing", "er", "ie", "gy")}
    assert not set(words) & inflected


@needs_espeak
@pytest.mark.parametrize("accent", ["en-us", "en-gb"])
def test_no_vocabulary_word_is_a_homophone_of_an_excluded_one(accent: str) -> None:
    forbidden = set(voices.pronunciations(sorted(vocabulary.EXCLUDED - vocabulary.HOMOPHONES), accent))
    said = voices.pronunciations(vocabulary.UNKNOWN_VOCABULARY, accent)
    assert [w for w, p in zip(vocabulary.UNKNOWN_VOCABULARY, said, strict=True) if p in forbidden] == []


@needs_espeak
def test_accents_that_turn_a_word_into_a_keyword_are_not_used() -> None:
    assert voices.pronunciations(["off"], "en-us") == voices.pronunciations(["of"], "nl")
    clashes = synth._clashes(["of", "dawn", "guess"])
    assert ("of", "nl") in clashes
    assert ("dawn", "it") in clashes
    assert not any(word == "guess" for word, _ in clashes)
    plan = synth._plan(["of"], 300, 1, ["espeak-ng"])
    assert {u.voice.split("+")[0] for u in plan}.isdisjoint(accent for _, accent in clashes if _ == "of")


@needs_espeak
def test_keywords_are_said_by_english_voices_only() -> None:
    plan = synth._plan(list(WORDS), 30, 1, ["espeak-ng"])
    assert {u.voice.split("+")[0] for u in plan} <= set(voices.ENGLISH)


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 30_000), seed=st.integers(0, 2**32 - 1))
def test_placed_words_lie_whole_in_the_clip_at_the_drawn_peak(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    word = rng.uniform(-1, 1, length).astype(np.float32)
    clip, facts = synth.place(word, rng)
    assert clip.shape == (16_000,)
    assert clip.dtype == np.int16
    assert 0 <= facts["start"] < facts["end"] <= 16_000
    assert facts["cut"] == (length > synth.LONGEST)
    assert facts["end"] - facts["start"] == min(length, synth.LONGEST)
    # room tone, 32 dB or more below, adds less than 1 dB; a fade may take the largest sample of a cut word
    peak = 20 * np.log10(np.abs(clip.astype(np.float64)).max() / 32768)
    assert facts["peak_dbfs"] - 1 < peak < facts["peak_dbfs"] + 1
    assert np.abs(clip).max() < 32767
    assert np.count_nonzero(clip) > 8_000  # never digital silence


def test_trim_keeps_the_word_and_drops_the_pauses() -> None:
    t = np.arange(4_000) / 16_000
    word = (0.5 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)
    padded = np.concatenate((np.zeros(5_000, np.float32), word, np.zeros(9_000, np.float32)))
    trimmed = synth.trim(padded)
    assert 4_000 <= len(trimmed) <= 4_000 + 240 + 480 + 160
    assert np.sum(trimmed**2) == pytest.approx(np.sum(word**2), rel=0.02)
    assert len(synth.trim(np.zeros(3_000, np.float32))) == 0
    assert len(synth.trim(np.zeros(10, np.float32))) == 0


def test_trim_keeps_a_closure_within_the_word() -> None:
    burst = np.full(800, 0.3, np.float32)
    word = np.concatenate((burst, np.zeros(2_400, np.float32), burst * 0.1))  # "up": closure, then a weak release
    assert len(synth.trim(np.pad(word, 3_000))) >= len(word)


@needs_any
def test_corpus_is_complete_and_deterministic(tmp_path: Path) -> None:
    words = ["guess", "uptown", "vegetable"]
    told: list[tuple[int, int]] = []
    first = synth.make_synthetic_words(tmp_path / "a", words, 6, 5, progress=lambda *at: told.append(at))
    second = synth.make_synthetic_words(tmp_path / "b", words, 6, 5)
    other = synth.make_synthetic_words(tmp_path / "c", words, 6, 6)
    assert first.clips.shape == (18, 16_000)
    assert [row["word"] for row in first.rows] == [word for word in words for _ in range(6)]
    assert told[-1] == (18, 18)
    np.testing.assert_array_equal(first.clips, second.clips)
    assert first.rows == second.rows
    assert not np.array_equal(first.clips, other.clips)
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"words.npy", "index.json"}
    for clip, row in zip(first.clips, first.rows, strict=True):
        inside = np.abs(clip[row["start"] : row["end"]].astype(np.float64)).max()
        outside = np.abs(np.delete(clip, slice(row["start"], row["end"])).astype(np.float64)).max()
        assert inside > 5 * outside
        assert 0.12 <= (row["end"] - row["start"]) / 16_000 <= 0.95


@needs_any
@pytest.mark.parametrize("engine", list(voices.PACKAGES))
def test_tempo_and_warp_shorten_the_word(engine: str) -> None:
    if engine not in voices.installed_voices():
        pytest.skip(f"needs {engine}")
    voice = voices.installed_voices()[engine][-1]
    said = [Utterance("monday", engine, voice, tempo, 1.0, warp) for tempo, warp in ((1, 1), (1.5, 1), (1, 1.2))]
    plain, fast, small = (len(synth.trim(samples)) for _, samples in sorted(voices.speak(said), key=lambda s: s[0]))
    assert fast < 0.85 * plain
    assert small == pytest.approx(plain / 1.2, rel=0.1)


def test_missing_synthesizers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "installed_voices", dict)
    with pytest.raises(KWScopeError, match=r"apt-get install espeak-ng flite festival"):
        synth.make_synthetic_words(tmp_path, ["guess"], 1, 0)
    with pytest.raises(KWScopeError, match="no speech synthesizer 'siri'"):
        synth.make_synthetic_words(tmp_path, ["guess"], 1, 0, engines=["siri"])


@needs_espeak
def test_a_missing_one_is_left_out_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = {"espeak-ng": voices.installed_voices()["espeak-ng"]}
    for module in (synth, voices):
        monkeypatch.setattr(module, "installed_voices", lambda: only)
    sentences: list[str] = []
    made = synth.make_synthetic_words(tmp_path, ["guess"], 4, 0, warn=sentences.append)
    assert {row["engine"] for row in made.rows} == {"espeak-ng"}
    assert [s.split()[0] for s in sentences] == ["flite", "festival"]
    with pytest.raises(KWScopeError, match="flite is not installed"):
        list(voices.speak([Utterance("guess", "flite", "slt")]))


def test_bad_requests_and_damaged_corpora_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="at least one word"):
        synth.make_synthetic_words(tmp_path, [], 1, 0)
    with pytest.raises(KWScopeError, match="no synthetic words in"):
        synth.open_synthetic_words(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(KWScopeError, match="damaged"):
        synth.open_synthetic_words(tmp_path)
    np.save(tmp_path / "words.npy", np.zeros((3, 16_000), np.int16))
    (tmp_path / "index.json").write_text(json.dumps({"rows": [{"word": "guess"}]}))
    with pytest.raises(KWScopeError, match="do not belong together"):
        synth.open_synthetic_words(tmp_path)
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(KWScopeError, match="damaged"):
        synth.open_synthetic_words(tmp_path)


@needs_any
def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KWScopeError, match="cannot be written"):
        synth.make_synthetic_words(tmp_path / "file" / "sub", ["guess"], 1, 0)

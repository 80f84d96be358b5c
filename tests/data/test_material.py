from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwscore.constants import CLIP_SAMPLES, SILENCE, UNKNOWN
from kwscore.data.held_out import UNHEARD_WORDS
from kwscore.data.longstream import word_bounds
from kwscore.data.material import data_key, load_material, loudest_second, tell_skipped
from kwscore.data.speech_commands import find_corpus, load_clips, official_split
from kwscore.data.streams import StreamMaker, StreamRecipe
from kwscore.data.validation import CONDITIONS, load_validation
from kwscore.errors import KWScopeError
from tests.data.corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def test_official_split_follows_the_published_hash() -> None:
    # computed with the function that Speech Commands ships in its README
    assert official_split("bed/0a7c2a8d_nohash_0.wav") == official_split("x/0a7c2a8d_nohash_3.wav")
    parts = [official_split(f"{i:08x}_nohash_0.wav") for i in range(4000)]
    assert 0.08 < parts.count("validation") / 4000 < 0.12
    assert 0.08 < parts.count("test") / 4000 < 0.12


def test_a_speaker_that_hashes_to_test_is_never_trained_on(corpus: Path) -> None:
    for clip in find_corpus(corpus).select("train"):
        assert official_split(clip.path.name) != "test"


def test_sides_share_no_speaker_and_unheard_words_are_validation_only(corpus: Path) -> None:
    found = find_corpus(corpus)
    speakers = [{c.speaker for c in found.select(s)} for s in ("train", "validation")]
    assert not speakers[0] & speakers[1]
    train, held_out = load_material(corpus, "train"), load_material(corpus, "validation")
    assert set(train.groups["words"]) == {"bed", "cat"}
    assert set(held_out.groups["words"]) == {"eight", "tree"} <= UNHEARD_WORDS
    assert len(train.noise["street"]) == 2
    assert len(held_out.noise["street"]) == 1
    assert sum(map(len, train.noise["background"])) == 4 * sum(map(len, held_out.noise["background"]))


def test_missing_layout_and_broken_clips_are_named(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match=str(tmp_path)):
        find_corpus(tmp_path)
    bad = tmp_path / "yes" / "ab_nohash_0.wav"
    bad.parent.mkdir()
    bad.write_bytes(b"RIFF")
    empty = tmp_path / "yes" / "cd_nohash_0.wav"
    soundfile.write(empty, np.zeros(0, np.int16), 16_000)
    skipped: list[str] = []
    audio, kept = load_clips(find_corpus(tmp_path).clips, skipped)
    assert len(audio) == len(kept) == 0
    assert len(skipped) == 2
    assert str(bad) in skipped[0]
    assert str(empty) in skipped[1]


def test_recordings_that_cannot_be_used_are_named_and_left_out(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    background, street = corpus / "_background_noise_", tmp_path / "noise" / "street"
    (background / "hum_0.wav").write_bytes(b"")
    soundfile.write(background / "hum_1.wav", np.zeros(0, np.int16), 16_000)
    soundfile.write(street / "cars_2.wav", np.zeros(16_000, np.int16), 16_000)
    cut = sorted((corpus / "yes").glob("*.wav"))[2]
    cut.write_bytes(cut.read_bytes()[:9000])
    soundfile.write(tmp_path / "speech" / "reading" / "0.wav", np.zeros(20_000, np.int16), 8_000)
    mix = load_validation(corpus)
    assert len(mix.material.noise["background"]) == 1
    assert "street" not in mix.material.noise
    said = " ".join(mix.material.skipped)
    for name in ("hum_0.wav cannot be read", "hum_1.wav is empty", "cars_2.wav holds only zeros", "ends early"):
        assert name in said
    for make in CONDITIONS.values():
        assert len(make(mix)) == len(mix.labels)
    told: list[str] = []
    tell_skipped(mix.material.skipped, told.append, named=1)
    assert told == [mix.material.skipped[0], f"{len(mix.material.skipped)} files were left out. The first are named."]


def test_speech_without_sound_does_not_hang(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    for path in (tmp_path / "speech" / "reading").glob("*.wav"):
        soundfile.write(path, np.ones(40_000, np.int16), 16_000)
    for word in ("eight", "tree"):
        for path in (corpus / word).glob("*.wav"):
            path.unlink()
    told: list[str] = []
    mix = load_validation(corpus, progress=told.append)
    assert UNKNOWN not in mix.labels
    assert any("'unknown' has 0 clips instead of 2" in line for line in told)


def test_a_handful_of_clips_is_a_mix(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=3)
    (corpus / "validation_list.txt").write_bytes(b"yes/00000002_nohash_0.wav\n\xff\xfe no text\n")
    assert list(load_validation(corpus).labels) == [0, UNKNOWN, SILENCE]


def test_missing_noise_is_said(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    for path in (corpus / "_background_noise_").iterdir():
        path.unlink()
    told: list[str] = []
    load_validation(corpus, progress=told.append)
    assert any("'silence' is cut from the other noise recordings alone" in line for line in told)
    with pytest.raises(KWScopeError, match="holds none of the folders noise, speech"):
        load_validation(corpus, corpus)
    (tmp_path / "empty" / "noise").mkdir(parents=True)
    load_validation(corpus, tmp_path / "empty", progress=told.append)
    assert any("'silence' is digital silence" in line for line in told)


def test_a_manifest_that_is_no_table_is_named(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    (tmp_path / "noise" / "manifest.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KWScopeError, match=r"manifest\.csv cannot be read as a table"):
        load_validation(corpus)


def test_a_silent_word_has_bounds() -> None:
    assert word_bounds(np.zeros(16_000, np.int16)) == (0, 16_000)


def test_data_key_changes_with_the_recordings(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    before = data_key(corpus)
    assert before == data_key(corpus)
    (corpus / "yes" / "00000000_nohash_0.wav").unlink()
    assert data_key(corpus) != before


def test_loudest_second_holds_the_burst() -> None:
    x = np.zeros(48_000, np.int16)
    x[30_000:31_000] = 5000
    assert np.sum(loudest_second(x) != 0) == 1000
    assert len(loudest_second(x[:5000])) == CLIP_SAMPLES


def test_streams_are_drawn_from_their_own_generator(corpus: Path) -> None:
    maker = StreamMaker(load_material(corpus, "train"), StreamRecipe())
    first = [maker.make(np.random.default_rng([5, i])) for i in range(40)]
    again = maker.make(np.random.default_rng([5, 17]))
    np.testing.assert_array_equal(first[17].pcm, again.pcm)
    ends = np.stack([s.ends for s in first])
    labels = np.stack([s.labels for s in first])
    assert ((ends >= 0) == (labels >= 0)).all()
    assert ends.max() < StreamRecipe().frames
    assert {SILENCE, UNKNOWN} <= set(labels.ravel().tolist())
    levels = [np.sqrt(np.mean((s.pcm / 32768.0) ** 2)) for s in first]
    assert 20 * np.log10(max(levels) / (min(level for level in levels if level > 0))) > 20  # from quiet to loud


def test_validation_mix_is_balanced_and_fixed(corpus: Path) -> None:
    mix = load_validation(corpus)
    words = int((mix.labels < 10).sum())
    assert words == 20
    assert (mix.labels == SILENCE).sum() == (mix.labels == UNKNOWN).sum() == 2
    np.testing.assert_array_equal(mix.audio, load_validation(corpus).audio)


@pytest.mark.parametrize("kind", ["white", "pink", "factory", "street", "babble"])
def test_noise_conditions_have_the_snr_they_name(corpus: Path, kind: str) -> None:
    mix = load_validation(corpus)
    clean = mix.audio[:6].astype(np.float64)
    noise = CONDITIONS[f"{kind} 0 dB"](mix)[:6].astype(np.float64) - clean
    snr = 10 * np.log10((clean**2).mean(1) / (noise**2).mean(1))
    np.testing.assert_allclose(snr, 0.0, atol=0.1)


def test_context_conditions_end_with_the_clip(corpus: Path) -> None:
    mix = load_validation(corpus)
    for name in ("after a word", "after room noise", "white step"):
        np.testing.assert_array_equal(CONDITIONS[name](mix)[:, CLIP_SAMPLES:], mix.audio)
    with_context = CONDITIONS["noise step"](mix)
    np.testing.assert_array_equal(with_context[:, CLIP_SAMPLES:], CONDITIONS["noise step, from reset"](mix))
    before, after = with_context[:, :8000].astype(float), with_context[:, 8000:16000].astype(float)
    assert np.median(10 * np.log10((after**2).mean(1) / ((before**2).mean(1) + 1e-3))) > 20

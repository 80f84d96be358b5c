from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwscore.constants import SILENCE, UNKNOWN
from kwscore.data.validation import load_validation, noisy
from kwscore.errors import KWScopeError
from kwscore.evaluation.noisy import Condition, grid, parse_condition, recorded_noises, streams
from kwscore.evaluation.sets import EvaluationSet, load_set, subset
from tests.data.corpus import make_corpus
from tests.evaluation.corpora import make_full_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_full_corpus(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def data(corpus: Path) -> EvaluationSet:
    return load_set(corpus, "validation")


def test_the_official_split_is_taken_where_there_is_one(corpus: Path, tmp_path: Path) -> None:
    official = load_set(corpus)
    words = int((official.labels < 10).sum())
    assert official.split == "test"
    assert words > 10
    for label in (SILENCE, UNKNOWN):
        assert (official.labels == label).sum() == math.ceil(words / 10)
    assert load_set(make_corpus(tmp_path)).split == "validation"
    np.testing.assert_array_equal(load_set(corpus).audio, official.audio)


def test_validation_is_the_known_mix(corpus: Path, data: EvaluationSet) -> None:
    known = load_validation(corpus)
    np.testing.assert_array_equal(data.audio, known.audio)
    np.testing.assert_array_equal(data.labels, known.labels)


def test_published_mix_takes_every_other_word_and_500_pieces_of_silence(corpus: Path) -> None:
    data = load_set(corpus, "test", "published")
    others = len([n for n in (corpus / "testing_list.txt").read_text().split() if n.split("/")[0] in ("bed", "cat")])
    assert (data.labels == UNKNOWN).sum() >= others > 0
    assert (data.labels == SILENCE).sum() == 500
    assert data.constant_answer > 50
    assert not data.pcm


def test_the_official_test_archive_is_taken_clip_by_clip(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "speech_commands_test_set_v0.02"
    names = [n for n in (corpus / "testing_list.txt").read_text().split() if n.split("/")[0] in ("yes", "no")]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(corpus / name, folder / name)
    (folder / "testing_list.txt").write_text("\n".join(names) + "\n")
    for kind, count in (("_silence_", 3), ("_unknown_", 4)):
        (folder / kind).mkdir()
        for i in range(count):
            soundfile.write(folder / kind / f"{i}.wav", np.full(16_000, i + 1, np.int16), 16_000)
    data = load_set(folder)
    assert [(data.labels == label).sum() for label in (SILENCE, UNKNOWN)] == [3, 4]
    assert data.audio[data.labels == UNKNOWN][:, 0].tolist() == [1, 2, 3, 4]


def test_missing_parts_are_named(tmp_path: Path) -> None:
    corpus = make_full_corpus(tmp_path)
    shutil.rmtree(corpus / "_background_noise_")
    with pytest.raises(KWScopeError, match="_background_noise_"):
        load_set(corpus, "test")
    shutil.rmtree(tmp_path / "noise")
    with pytest.raises(KWScopeError, match="no noise recordings"):
        recorded_noises(load_set(corpus, "validation").material)
    with pytest.raises(KWScopeError, match="no split 'train'"):
        load_set(corpus, "train")


def test_unreadable_files_are_left_out_and_named(tmp_path: Path) -> None:
    corpus = make_full_corpus(tmp_path)
    whole = load_set(corpus, "test")
    name = next(n for n in (corpus / "testing_list.txt").read_text().split() if n.startswith("yes/"))
    (corpus / name).write_bytes(b"no sound")
    said: list[str] = []
    less = load_set(corpus, "test", progress=said.append)
    assert (less.labels < 10).sum() == (whole.labels < 10).sum() - 1
    assert any(name in s for s in said)
    assert "1 file was left out." in said


def test_a_condition_is_the_same_alone_in_a_grid_and_in_a_subset(data: EvaluationSet) -> None:
    condition = parse_condition("pink -5 dB")
    whole = np.concatenate(list(streams(data, condition, 7, batch=16)))
    again = np.concatenate(list(streams(data, grid(("white", "pink"))[10], 7, batch=5)))
    assert grid(("white", "pink"))[10] == condition
    np.testing.assert_array_equal(whole, again)
    part = subset(data, 12, seed=3)
    assert len(part.labels) < len(data.labels)
    np.testing.assert_array_equal(np.concatenate(list(streams(part, condition, 7))), whole[part.index])


def test_published_noise_from_reset_is_that_of_the_cards(data: EvaluationSet) -> None:
    ours = np.concatenate(list(streams(data, Condition("factory", 0.0), 2026)))
    np.testing.assert_array_equal(np.rint(ours * 32768).astype(np.int16), noisy(data.audio, "factory", 0.0))


@pytest.mark.parametrize("noise", ["street", "recorded street"])
@pytest.mark.parametrize("mid", [False, True])
def test_the_snr_is_that_of_the_clips_own_second(data: EvaluationSet, noise: str, mid: bool) -> None:
    noisy_one, clean = (
        np.concatenate(list(streams(data, c, 1)))[:, -16_000:].astype(np.float64)
        for c in (Condition(noise, 5.0, mid), Condition())
    )
    words = data.labels < 10
    snr = 10 * np.log10((clean[words] ** 2).mean(1) / ((noisy_one - clean)[words] ** 2).mean(1))
    np.testing.assert_allclose(snr, 5.0, atol=0.1)


def test_mid_stream_has_another_word_and_the_noise_before(data: EvaluationSet) -> None:
    clean = np.concatenate(list(streams(data, Condition(mid_stream=True), 1)))
    assert clean.shape == (len(data.labels), 32_000)
    bank = {row.tobytes() for row in data.material.words}
    assert all(np.rint(x[:16_000] * 32768).astype(np.int16).tobytes() in bank for x in clean)


def test_published_mixtures_are_not_clipped(corpus: Path) -> None:
    data = load_set(corpus, "test", "published")
    loud = next(streams(data, Condition("white", -15.0), 1))
    assert np.abs(loud).max() > 1


@pytest.mark.parametrize("name", ["clean", "white -15 dB", "recorded cafe 2.5 dB, mid-stream", "noise step", "-20 dB"])
def test_names_are_read_back(name: str) -> None:
    assert parse_condition(name).name == name


def test_unknown_names_say_what_there_is(data: EvaluationSet) -> None:
    with pytest.raises(KWScopeError, match=r"brown.*recorded street"):
        parse_condition("brown 0 dB", data.material)
    with pytest.raises(KWScopeError, match="not known"):
        parse_condition("underwater")


def test_a_subset_keeps_the_shares(data: EvaluationSet) -> None:
    part = subset(data, len(data.labels) // 2, seed=1)
    whole, half = (np.bincount(x.labels, minlength=12) for x in (data, part))
    assert (np.abs(half - whole / 2) <= 1).all()
    assert part.fingerprint != data.fingerprint
    np.testing.assert_array_equal(subset(data, len(data.labels) // 2, seed=1).index, part.index)
    assert not np.array_equal(subset(data, len(data.labels) // 2, seed=2).index, part.index)

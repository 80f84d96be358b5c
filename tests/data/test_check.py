from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwscore.data.check import check_folder
from kwscore.errors import KWScopeError
from tests.data.corpus import OTHERS, make_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path, speakers=3)


def test_a_sound_folder_is_good_and_counted(corpus: Path) -> None:
    report = check_folder(corpus)
    assert "speakers in two splits" not in report.problems
    assert report.counts["yes"]["validation"] == 1
    assert sum(report.counts["yes"].values()) == 3
    assert report.facts["clips"] == 3 * (10 + len(OTHERS))
    assert report.facts["background_files"] == 3
    assert report.facts["official"] is False
    assert report.good, report.problems
    assert any("Not the whole official data set" in note for note in report.notes)


def test_every_kind_of_bad_file_is_named(corpus: Path) -> None:
    clips = sorted((corpus / "yes").glob("*.wav")) + sorted((corpus / "no").glob("*.wav"))
    clips[0].write_bytes(b"")
    clips[1].write_bytes(b"RIFF and nothing else")
    soundfile.write(clips[2], np.ones(8000, np.int16), 8000)
    soundfile.write(clips[3], np.zeros(16_000, np.int16), 16_000)
    soundfile.write(clips[4], np.ones((16_000, 2), np.int16), 16_000)
    soundfile.write(clips[5], np.zeros(0, np.int16), 16_000)
    soundfile.write(sorted((corpus / "go").glob("*.wav"))[0], np.ones(9_000, np.int16), 16_000)
    half = sorted((corpus / "go").glob("*.wav"))[1]
    half.write_bytes(half.read_bytes()[:5000])
    report = check_folder(corpus)
    found = {kind: [Path(s.split(" ")[0]).name for s in sentences] for kind, sentences in report.problems.items()}
    assert found == {
        "empty": [p.name for p in (clips[5], clips[0])],
        "unreadable": [clips[1].name],
        "wrong rate": [clips[2].name],
        "silent": [clips[3].name],
        "not mono": [clips[4].name],
        "cut": [half.name],
    }
    assert report.facts["shorter_than_1_s"] == 1
    assert not report.good
    assert "silent" not in check_folder(corpus, read_clips=False).problems


def test_the_official_test_archive_is_usable_as_it_is(corpus: Path, tmp_path: Path) -> None:
    from kwscore.data.speech_commands import find_corpus, official_split

    archive = tmp_path / "speech_commands_test_set_v0.02"
    speaker = next(n for i in range(99) if official_split(n := f"{i:08x}_nohash_0.wav") == "test")
    for word in (*(c.word for c in find_corpus(corpus).clips if c.label < 10), "_unknown_", "_silence_"):
        (archive / word).mkdir(parents=True, exist_ok=True)
        samples = np.zeros(16_000, np.int16) if word == "_silence_" else np.ones(16_000, np.int16)
        soundfile.write(archive / word / ("1.wav" if word[0] == "_" else speaker), samples, 16_000)
    report = check_folder(archive)
    assert report.good, report.problems
    assert report.notes == ["The official test archive, for evaluation only: 12 of 4,890 clips."]
    assert report.counts["_silence_"] == {"train": 0, "validation": 0, "test": 1}
    (archive / "_unknown_" / "1.wav").write_bytes(b"")
    assert set(check_folder(archive).problems) == {"empty"}


def test_missing_parts_are_problems(corpus: Path) -> None:
    shutil.rmtree(corpus / "_background_noise_")
    shutil.rmtree(corpus / "stop")
    report = check_folder(corpus)
    assert set(report.problems) == {"missing noise", "missing words", "listed but missing"}
    assert "stop" in report.problems["missing words"][0]


def test_a_speaker_in_two_splits_is_a_problem(corpus: Path) -> None:
    lines = (corpus / "validation_list.txt").read_text().split()
    (corpus / "validation_list.txt").write_text("\n".join(lines[1:]) + "\n")
    assert "speakers in two splits" in check_folder(corpus).problems


def test_no_layout_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="does not hold Speech Commands"):
        check_folder(tmp_path)

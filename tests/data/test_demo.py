"""The demo playlist that ships: manifest and files agree, nothing clips, the noises are as loud as stated."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assets import make_demo
from assets.make_demo import ITEM, LEAD, WINDOW, Line
from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.audio.playlist import load_manifest
from kwscore.constants import LABELS, SAMPLE_RATE, WORDS
from kwscore.errors import KWScopeError

DEMO = make_demo.DEST


@pytest.fixture(scope="module")
def sounds() -> list[tuple[dict[str, object], np.ndarray]]:
    entries = json.loads((DEMO / "playlist.json").read_text(encoding="utf-8"))["items"]
    found = []
    for entry in entries:
        samples, rate = soundfile.read(DEMO / entry["file"], dtype="float32")
        assert (rate, samples.ndim) == (SAMPLE_RATE, 1), entry["file"]
        found.append((entry, samples))
    return found


def _db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12))


def test_committed_playlist_is_the_one_that_the_plan_makes(sounds) -> None:
    made = [(e["label"], e["noise"], e["snr_db"], e["caption"], e["file"]) for e, _ in sounds]
    assert made == [
        (make_demo.label(line), line.noise, line.snr_db, make_demo.caption(line), make_demo.file_name(number, line))
        for number, line in enumerate(make_demo.PLAN, 1)
    ]
    assert {path.name for path in DEMO.iterdir()} == {"playlist.json", "clean", *(e["file"] for e, _ in sounds)}
    clean = {e["file"]: e.get("clean") for e, _ in sounds}
    for line, (entry, _) in zip(make_demo.PLAN, sounds, strict=True):
        wanted = None if line.noise == "none" else f"clean/{make_demo.clean_name(line)}"
        assert clean[entry["file"]] == wanted, entry["file"]
    assert {f"clean/{path.name}" for path in (DEMO / "clean").iterdir()} == set(clean.values()) - {None}


def test_it_covers_all_words_noises_and_snrs(sounds) -> None:
    seen = Counter((e["noise"], e["snr_db"]) for e, _ in sounds if e["label"] in WORDS)
    for noise in PUBLISHED_NOISES:
        assert all(seen[noise, snr] >= 2 for snr in (10, 5, 0)), noise
    assert {e["label"] for e, _ in sounds if e["noise"] == "none"} == set(LABELS)
    assert {e["label"] for e, _ in sounds if e["noise"] != "none"} >= set(WORDS)


def test_it_is_short_and_small(sounds) -> None:
    assert 90 <= sum(len(s) for _, s in sounds) / SAMPLE_RATE <= 120
    assert sum(path.stat().st_size for path in DEMO.rglob("*")) < 1_500_000


def test_without_its_noise_every_noisy_item_has_the_stated_snr(sounds) -> None:
    """In what is really heard: the second around the word, decoded from Opus."""
    window = slice(LEAD, LEAD + WINDOW)
    noisy = [(entry, samples) for entry, samples in sounds if entry["noise"] != "none"]
    assert len(noisy) == 35
    for entry, samples in noisy:
        clean, rate = soundfile.read(DEMO / entry["clean"], dtype="float32")
        assert (rate, len(clean)) == (SAMPLE_RATE, ITEM), entry["clean"]
        start, end = round(entry["start"] * SAMPLE_RATE), round(entry["end"] * SAMPLE_RATE)
        if entry["label"] == "silence":
            assert not clean.any()
            continue
        assert not clean[:start].any(), entry["clean"]
        assert not clean[end:].any(), entry["clean"]
        measured = _db(clean[window]) - _db((samples - clean)[window])
        low = 1.0 if entry["noise"] == "pink" else 0.0  # Opus leaves out what lies below hearing
        assert entry["snr_db"] - 0.35 < measured < entry["snr_db"] + 0.1 + low, entry["file"]


def test_no_item_clips_and_every_word_stands_out_where_the_manifest_says(sounds) -> None:
    for entry, samples in sounds:
        name = entry["file"]
        assert len(samples) == ITEM, name
        assert np.abs(samples).max() < 0.99, name
        assert np.count_nonzero(samples) > ITEM // 2, name  # a room, not digital silence
        start, end = round(entry["start"] * SAMPLE_RATE), round(entry["end"] * SAMPLE_RATE)
        assert 0 <= start < end <= ITEM, name
        if entry["label"] == "silence":
            assert (start, end) == (0, ITEM), name
        else:
            assert LEAD <= start < end <= LEAD + WINDOW, name
            assert 0.15 * SAMPLE_RATE < end - start < 0.95 * SAMPLE_RATE, name
            if entry["noise"] == "none":
                around = np.concatenate((samples[: start - 80], samples[end + 80 :]))
                assert _db(samples[start:end]) > _db(around) + 25, name


def test_words_are_as_loud_as_each_other(sounds) -> None:
    levels = [_db(s[LEAD : LEAD + WINDOW]) for e, s in sounds if e["label"] != "silence" and e["noise"] == "none"]
    assert min(levels) > -33
    assert max(levels) < -26


def test_the_playlist_source_takes_it() -> None:
    title, items = load_manifest(DEMO / "playlist.json")
    assert title == make_demo.TITLE
    assert len(items) == len(make_demo.PLAN)


@pytest.mark.parametrize("noise", PUBLISHED_NOISES)
@pytest.mark.parametrize("snr", [10.0, 0.0])
def test_noise_is_mixed_at_the_stated_snr(noise: str, snr: float) -> None:
    word = (0.05 * np.sin(np.arange(6_000) / 5)).astype(np.float32)
    plan = [Line(None, "", noise, snr), Line("yes", "Sal", noise, snr), Line("no", "Sal", noise, snr - 5)]
    silent = np.zeros(0, np.float32)
    items = make_demo.compose(plan, [silent, word, word], seed=1)
    for item, line in zip(items[1:], plan[1:], strict=True):
        clean = np.zeros(ITEM, np.float32)
        clean[item.start : item.end] = word
        window = slice(LEAD, LEAD + WINDOW)
        measured = _db(clean[window]) - _db((item.samples - clean)[window])
        assert measured == pytest.approx(line.snr_db, abs=0.1)
    assert (items[0].start, items[0].end) == (0, ITEM)


def test_items_of_a_section_join_without_a_seam() -> None:
    plan = [Line(None, "", "pink", 5.0)] * 3
    silent = np.zeros(0, np.float32)
    items = make_demo.compose(plan, [silent] * 3)
    joined = np.concatenate([item.samples for item in items])
    step = np.abs(np.diff(joined))
    assert step[ITEM - 1] <= np.percentile(step, 99.9)
    assert _db(joined[:160]) < _db(joined[LEAD : LEAD + WINDOW]) - 20  # fades in


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_plan_gives_the_same_sound_and_leaves_equal_files_alone(tmp_path: Path) -> None:
    plan = [Line(None), Line("yes", "Sal", "white", 5.0)]
    word = (0.05 * np.sin(np.arange(6_000) / 5)).astype(np.float32)
    items = make_demo.compose(plan, [word[:0], word])
    make_demo.write(items, tmp_path)
    first = contents(tmp_path)
    assert set(first) == {"01-quiet.opus", "02-yes-white-5dB.opus", "clean/yes-sal.flac", "playlist.json"}
    make_demo.write(make_demo.compose(plan, [word[:0], word]), tmp_path)
    assert contents(tmp_path) == first
    make_demo.write(make_demo.compose(plan[:1], [word[:0]]), tmp_path)
    assert set(contents(tmp_path)) == {"playlist.json", "01-quiet.opus"}


def test_a_bad_plan_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="names the voice 'Zoe'"):
        make_demo.say([Line("yes", "Zoe")])
    with pytest.raises(KWScopeError, match="gives no SNR"):
        make_demo.compose([Line(None, "", "white", None)], [np.zeros(0, np.float32)])
    loud = make_demo.compose([Line("yes", "Sal", "white", -30.0)], [np.full(8_000, 0.5, np.float32)])
    with pytest.raises(KWScopeError, match="would clip"):
        make_demo.write(loud, tmp_path)

"""Playlists: no gap, no drift of the truth, loops, and manifests that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwscore.audio.playlist import DEMO_MANIFEST, PlaylistSource, Truth
from kwscore.audio.source import Source, SourceState
from kwscore.constants import LABELS
from kwscore.errors import KWScopeError

LENGTHS = (16_000, 12_345, 20_001)
WORDS = ("yes", "silence", "go")


def samples(k):
    return np.random.default_rng(k).integers(-9_000, 9_000, LENGTHS[k]).astype(np.int16)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    items = []
    for k, word in enumerate(WORDS):
        soundfile.write(tmp_path / "clips" / f"{k}.flac", samples(k), 16_000)
        items.append({"file": f"clips/{k}.flac", "label": word, "start": 0.1, "end": 0.6, "caption": f"item {k}"})
        items[-1] |= {"noise": "none", "snr_db": None}
    items[2] |= {"noise": "white", "snr_db": 5}
    path = tmp_path / "playlist.json"
    path.write_text(json.dumps({"title": "Three", "items": items}))
    return path


def whole():
    return np.concatenate([samples(k) for k in range(3)])


def test_items_follow_each_other_without_a_gap(manifest):
    source = PlaylistSource(manifest, "fast")
    assert isinstance(source, Source)
    assert (source.name, source.title, source.length) == ("Three", "Three", sum(LENGTHS))
    for _ in range(2):  # a stopped playlist starts again
        source.start()
        parts = []
        while source.status().state is SourceState.RUNNING:
            parts.append(source.read())
        np.testing.assert_array_equal(np.concatenate(parts), whole())
        assert source.status().position == sum(LENGTHS)
        source.stop()


def test_truth_is_on_the_clock_of_the_stream(manifest):
    source = PlaylistSource(manifest, "fast")
    second = LENGTHS[0] + LENGTHS[1]
    assert source.truth() == [
        Truth("yes", 1_600, 9_600, "item 0"),
        Truth("silence", LENGTHS[0] + 1_600, LENGTHS[0] + 9_600, "item 1"),
        Truth("go", second + 1_600, second + 9_600, "item 2"),
    ]
    assert [t.word for t in source.truth(since=9_600)] == ["silence", "go"]
    assert (source.items[2].noise, source.items[2].snr_db) == ("white", 5.0)


def with_clean(manifest: Path) -> np.ndarray:
    """The last item gets a version without noise; returns it."""
    clean = samples(2) // 4
    soundfile.write(manifest.parent / "clean.flac", clean, 16_000)
    content = json.loads(manifest.read_text())
    content["items"][2]["clean"] = "clean.flac"
    manifest.write_text(json.dumps(content))
    return clean


@pytest.mark.parametrize("loop", [False, True])
def test_what_is_known_without_its_noise_is_told_wherever_it_is_asked(manifest, loop):
    clean = with_clean(manifest)
    source = PlaylistSource(manifest, "fast", loop=loop)
    first = LENGTHS[0] + LENGTHS[1]
    expected = np.concatenate([whole()[:first], clean])
    heard = np.tile(whole(), 2)
    for start, length in ((0, first), (first - 100, 300), (first + 7, 50), (0, source.length), (source.length - 5, 20)):
        part = heard[start : start + length]
        found = source.clean_of(part, start)
        if start + length <= first:
            assert found is None, "nothing is known of these items"
            continue
        wanted = np.concatenate([expected, expected if loop else heard[: source.length]])[start : start + length]
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(part, heard[start : start + length])  # what was heard stays as it is


def test_a_clean_version_that_was_lost_meanwhile_is_not_known(manifest):
    with_clean(manifest)
    source = PlaylistSource(manifest, "fast")
    first = LENGTHS[0] + LENGTHS[1]
    (manifest.parent / "clean.flac").unlink()
    assert source.clean_of(samples(2), first) is None
    source.start()
    while source.status().state is SourceState.RUNNING:
        source.read()
    assert not source.status().message


def test_current_item(manifest):
    source = PlaylistSource(manifest, "fast")
    assert source.current is None
    source.start()
    seen: list[str] = []
    while source.status().state is SourceState.RUNNING:
        source.read()
        assert source.current is not None
        if not seen or seen[-1] != source.current.label:
            seen.append(source.current.label)
    assert seen == list(WORDS)
    assert source.item_at(LENGTHS[0] - 1) is source.items[0]
    assert source.item_at(LENGTHS[0]) is source.items[1]
    assert source.item_at(sum(LENGTHS)) is None
    assert source.item_at(-1) is None


def test_loop_goes_on_without_a_gap_and_its_truth_moves_with_it(manifest):
    source = PlaylistSource(manifest, "fast", loop=True)
    source.start()
    heard = np.zeros(0, np.int16)
    while len(heard) < 2.5 * sum(LENGTHS):
        heard = np.concatenate((heard, source.read()))
    np.testing.assert_array_equal(heard, np.tile(whole(), 3)[: len(heard)])
    assert len(source.truth()) == 9
    third = source.truth(since=2 * sum(LENGTHS))
    assert third[0] == Truth("yes", 2 * sum(LENGTHS) + 1_600, 2 * sum(LENGTHS) + 9_600, "item 0")
    assert len(third) == 3
    assert source.item_at(2 * sum(LENGTHS) + 5) is source.items[0]
    source.stop()


def test_items_at_another_rate_keep_the_truth_in_place(manifest):
    folder = manifest.parent
    x = 0.3 * np.sin(np.arange(44_100) * 0.05)
    soundfile.write(folder / "odd.wav", np.stack((x, x), 1), 44_100)
    content = json.loads(manifest.read_text())
    content["items"][1]["file"] = "odd.wav"
    manifest.write_text(json.dumps(content))
    source = PlaylistSource(manifest, "fast")
    source.start()
    parts = []
    while source.status().state is SourceState.RUNNING:
        parts.append(source.read())
    heard = np.concatenate(parts)
    assert len(heard) == source.length
    np.testing.assert_array_equal(heard[source.items[2].first :], samples(2))


def test_an_item_that_proves_short_keeps_its_place(manifest):
    path = manifest.parent / "clips" / "1.flac"
    path.write_bytes(path.read_bytes()[:-6_000])
    source = PlaylistSource(manifest, "fast")
    source.start()
    parts = []
    while source.status().state is SourceState.RUNNING:
        parts.append(source.read())
    heard = np.concatenate(parts)
    np.testing.assert_array_equal(heard[LENGTHS[0] + LENGTHS[1] :], samples(2))
    assert "1.flac is damaged or cut short" in source.status().message


def bad_item(**changes):
    def change(content):
        content["items"][1].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("items"), "has no list 'items'"),
        (lambda c: c["items"].clear(), "has no list 'items'"),
        (bad_item(file=3), "Item 2 .* names no 'file'"),
        (bad_item(file="gone.wav"), "no file .*gone.wav"),
        (bad_item(label="maybe"), "Item 2 .* has the label 'maybe'"),
        (bad_item(start=0.7), "no valid 'start' and 'end'"),
        (bad_item(start="x"), "no valid 'start' and 'end'"),
        (bad_item(end=5.0), "beyond the file's end"),
        (bad_item(snr_db="loud"), "'snr_db' 'loud'"),
        (bad_item(clean=3), "Item 2 .* 'clean' 3"),
        (bad_item(clean="gone.flac"), "no file .*gone.flac"),
        (bad_item(clean="clips/0.flac"), "Item 2 .* are not equally long"),
    ],
)
def test_a_wrong_manifest_is_one_sentence(manifest, change, message):
    content = json.loads(manifest.read_text())
    change(content)
    manifest.write_text(json.dumps(content))
    with pytest.raises(KWScopeError, match=message) as caught:
        PlaylistSource(manifest)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"title"', "null", b"\xff\xfe\x00"])
def test_a_corrupt_manifest_is_one_sentence(tmp_path, text):
    path = tmp_path / "playlist.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(KWScopeError, match=r"playlist\.json") as caught:
        PlaylistSource(path)
    assert "\n" not in str(caught.value)


def test_an_absent_manifest_is_one_sentence(tmp_path):
    with pytest.raises(KWScopeError, match=r"no playlist .*none\.json"):
        PlaylistSource(tmp_path / "none.json")


@pytest.mark.skipif(not DEMO_MANIFEST.exists(), reason="the demo playlist has not been made yet")
def test_the_demo_plays_every_word_with_truth_inside_it():
    source = PlaylistSource(None, "fast")
    assert source.name == "Demo playlist"
    assert {item.label for item in source.items} >= set(LABELS[:10])
    source.start()
    total = 0
    while source.status().state is SourceState.RUNNING:
        total += len(source.read())
    assert total == source.length
    assert source.status().message == ""
    assert all(t.end <= total for t in source.truth())

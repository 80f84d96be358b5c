"""Settings survive a round trip, and nothing that happens to the file stops the window."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import settings as store
from app.sources import DEMO, MICROPHONE, Choice
from kwscore.stream.detection import DetectionSettings


def test_round_trip(tmp_path: Path) -> None:
    kept = store.Settings(theme="dark", source="demo", pitch=3, detection=DetectionSettings(threshold=0.7).to_dict())
    assert store.save(kept, tmp_path) == ""
    assert store.load(tmp_path) == (kept, "")
    assert [path.name for path in tmp_path.iterdir()] == [store.FILE]


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert store.load(tmp_path) == (store.Settings(), "")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"theme": "dark"}',
        '{"version": 0}',
        '{"version": 1, "pitch": "wide"}',
        "\udc80",
        "[" * 9000,
    ],
)
def test_a_damaged_file_is_kept_and_defaults_are_used(tmp_path: Path, content: str) -> None:
    path = tmp_path / store.FILE
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    before = path.read_bytes()
    settings, sentence = store.load(tmp_path)
    assert settings == store.Settings()
    assert str(tmp_path / (store.FILE + ".bad")) in sentence
    assert (tmp_path / (store.FILE + ".bad")).read_bytes() == before
    assert store.save(settings, tmp_path) == ""


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    path.write_text(json.dumps({"version": store.VERSION + 1, "theme": "neon"}))
    before = path.read_text()
    settings, sentence = store.load(tmp_path)
    assert settings == store.Settings()
    assert "newer" in sentence
    assert "not saved" in store.save(settings, tmp_path)
    assert path.read_text() == before


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = store.save(store.Settings(), tmp_path / "file" / "folder")
    assert store.OVERRIDE in sentence
    assert "\n" not in sentence


def test_folder_override(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.OVERRIDE, str(tmp_path))
    assert store.config_folder() == tmp_path
    monkeypatch.delenv(store.OVERRIDE)
    assert store.config_folder().name == "kwscope"


@given(st.sampled_from([DEMO, MICROPHONE]) | st.builds(Choice, st.sampled_from(["mic", "file"]), st.text(min_size=1)))
def test_choices_survive_being_written(choice: Choice) -> None:
    assert Choice.parse(choice.as_text()) == choice


def test_a_plain_path_is_a_file() -> None:
    assert Choice.parse("sounds/a.wav") == Choice("file", "sounds/a.wav")
    assert Choice.parse("/a.wav") == Choice("file", "/a.wav")
    assert Choice.parse("C:/a.wav") == Choice("file", "C:/a.wav")


def test_a_folder_that_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bad = tmp_path / "file" / "folder"
    assert store.probe(bad) == store.save(store.Settings(), bad)
    assert store.OVERRIDE in store.probe(bad)
    assert store.probe(tmp_path / "new") == ""
    assert list((tmp_path / "new").iterdir()) == []

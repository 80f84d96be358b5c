"""Plans: read, checked field by field, written with comments and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwscore.audio.noise import PUBLISHED_NOISES
from kwscore.errors import KWScopeError
from kwscore.experiment.example import plan_text, save_plan
from kwscore.experiment.plan import Plan, Source, check_plan, load_plan, noise_label, parse_plan
from kwscore.stream.detection import DetectionSettings


def test_an_empty_file_is_a_whole_plan() -> None:
    assert parse_plan({}) == Plan()


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_the_example_reads_as_what_it_was_made_from(tmp_path: Path, suffix: str) -> None:
    path = save_plan(Plan(title='The "demo"'), tmp_path / f"example{suffix}")
    plan = load_plan(path)
    assert plan == Plan(title='The "demo"', base=tmp_path)
    if suffix == ".toml":
        comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert len(comments) > len(json.loads(plan_text(plan, ".json")))


plans = st.builds(
    Plan,
    title=st.text(max_size=20),
    source=st.one_of(
        st.builds(Source, where=st.just("demo"), clean_only=st.booleans()),
        st.builds(Source, kind=st.just("folder"), where=st.text("ab/ é\"\\'", min_size=1).filter(str.strip)),
        st.builds(
            Source,
            kind=st.just("speech_commands"),
            where=st.just("sc"),
            clips=st.integers(12, 5000),
            split=st.sampled_from(["auto", "test", "validation"]),
            extra_dir=st.one_of(st.none(), st.just("extra")),
        ),
    ),
    noises=st.lists(
        st.sampled_from([*PUBLISHED_NOISES, "recorded street", "my/rain.wav"]), min_size=1, unique=True
    ).map(tuple),
    snrs=st.lists(st.floats(-60, 60, allow_nan=False), min_size=1, unique=True).map(lambda s: tuple(sorted(set(s)))),
    clean=st.booleans(),
    seeds=st.lists(st.integers(0, 2**40), min_size=1, unique=True).map(tuple),
    engines=st.lists(
        st.sampled_from(["float", "integer", "board:sim", "board:/dev/ttyUSB1"]), min_size=1, unique=True
    ).map(tuple),
    mode=st.sampled_from(["reset", "stream"]),
    detection=st.one_of(
        st.none(), st.builds(DetectionSettings, threshold=st.floats(0.01, 1), word_thresholds=st.just({"yes": 0.25}))
    ),
)


@given(plans, st.sampled_from([".toml", ".json"]))
def test_every_plan_survives_its_file(tmp_path: Path, plan: Plan, suffix: str) -> None:
    path = save_plan(plan, tmp_path / f"plan{suffix}")
    assert load_plan(path).to_dict() == check_plan(plan).to_dict()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], ["the file"]),
        ({"snr": [0]}, ["'snr'", "'snrs'"]),
        ({"snrs": 5}, ["'snrs'", "list"]),
        ({"snrs": ["loud"]}, ["'snrs'", "'loud'"]),
        ({"snrs": [99]}, ["'snrs'", "60"]),
        ({"snrs": [True]}, ["'snrs'"]),
        ({"snrs": [float("nan")]}, ["'snrs'"]),
        ({"snrs": []}, ["'snrs'", "empty"]),
        ({"noises": [], "snrs": [], "clean": False}, ["no condition"]),
        ({"noises": ["whit"]}, ["'noises'", "'white'"]),
        ({"noises": ["a/rain.wav", "b/rain.flac"]}, ["'noises'", "rename"]),
        ({"seeds": [1.5]}, ["'seeds'"]),
        ({"seeds": [-1]}, ["'seeds'"]),
        ({"seeds": []}, ["'seeds'"]),
        ({"networks": []}, ["'networks'"]),
        ({"networks": [""]}, ["'networks'"]),
        ({"engines": ["fpga"]}, ["'engines'", "board:"]),
        ({"engines": ["board:"]}, ["'engines'"]),
        ({"mode": "live"}, ["'mode'", "stream"]),
        ({"clean": 1}, ["'clean'", "true"]),
        ({"title": 3}, ["'title'"]),
        ({"reference": 5}, ["'reference'", "dBFS"]),
        ({"gap_s": -1}, ["'gap_s'"]),
        ({"recordings": 3}, ["'recordings'"]),
        ({"source": "demo"}, ["'source'"]),
        ({"source": {}}, ["'source'", "playlist"]),
        ({"source": {"playlist": "demo", "folder": "x"}}, ["'source'", "playlist and folder"]),
        ({"source": {"folder": ""}}, ["'source.folder'"]),
        ({"source": {"folder": "x", "split": "test"}}, ["'source.split'"]),
        ({"source": {"folder": "x", "clips": 3}}, ["'source.clips'", "12"]),
        ({"source": {"folder": "x", "clips": True}}, ["'source.clips'"]),
        ({"source": {"speech_commands": "x", "split": "train"}}, ["'source.split'", "validation"]),
        ({"source": {"speech_commands": "x", "mix": "published"}, "mode": "stream"}, ["'source.mix'"]),
        ({"source": {"playlist": "demo", "clips": 20}, "mode": "stream"}, ["'source.clips'"]),
        ({"detection": {"treshold": 0.5}}, ["'detection.treshold'", "threshold"]),
        ({"detection": {"threshold": 5}}, ["'detection'", "threshold"]),
        ({"detection": {"word_thresholds": {"maybe": 0.5}}}, ["'detection'", "maybe"]),
        ({"detection": {"word_thresholds": 3}}, ["'detection.word_thresholds'"]),
        ({"detection": True}, ["'detection'"]),
    ],
)
def test_what_makes_no_sense_is_named(content: Any, words: list[str]) -> None:
    with pytest.raises(KWScopeError) as error:
        parse_plan(content, "mine.toml")
    assert str(error.value).startswith("mine.toml: ")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.toml", None, ["none.toml", "kwscope experiment new"]),
        ("bad.toml", "snrs = [", ["bad.toml", "TOML"]),
        ("bad.json", "{", ["bad.json", "JSON"]),
        ("deep.json", "[" * 100_000, ["deep.json", "JSON"]),
    ],
)
def test_files_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, name: str, text: str | None, words: list[str]
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(KWScopeError) as error:
        load_plan(tmp_path / name)
    assert all(word in str(error.value) for word in words)


def test_a_folder_and_bytes_are_one_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "noise.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "noise.toml"):
        with pytest.raises(KWScopeError, match="cannot be read"):
            load_plan(path)


def test_keys_that_begin_with_a_hash_are_comments() -> None:
    assert parse_plan({"#": "mine", "detection": {"# why": "x"}}) == Plan()


def test_duplicates_go_and_snrs_rise() -> None:
    plan = parse_plan({"snrs": [5, 0, 5.0], "noises": ["pink", "white", "pink"], "seeds": [2, 1, 2]})
    assert (plan.snrs, plan.noises, plan.seeds) == ((0.0, 5.0), ("pink", "white"), (2, 1))
    assert plan.conditions == 5


def test_whole_paths_mean_the_same_elsewhere(tmp_path: Path) -> None:
    plan = Plan(
        source=Source("folder", "clips"),
        noises=("white", "recorded street", "rain.wav"),
        networks=("NanoMamba-Tiny", "mine.safetensors", "NC-SSM=best.pt"),
        recordings="noise",
        base=tmp_path,
    )
    whole = plan.absolute()
    assert whole.source.where == str(tmp_path / "clips")
    assert whole.noises == ("white", "recorded street", str(tmp_path / "rain.wav"))
    assert whole.networks == ("NanoMamba-Tiny", str(tmp_path / "mine.safetensors"), f"NC-SSM={tmp_path / 'best.pt'}")
    assert whole.recordings == str(tmp_path / "noise")
    assert [noise_label(n) for n in whole.noises] == ["white", "recorded street", "recorded rain"]
    assert Plan().absolute().source.where == "demo"


def test_a_path_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match="no valid text"):
        save_plan(Plan(source=Source("folder", "\udcff")), tmp_path / "a.toml")


def test_an_example_overwrites_nothing_and_wants_a_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("mine")
    with pytest.raises(KWScopeError, match="exists already"):
        save_plan(Plan(), tmp_path / "a.toml", overwrite=False)
    with pytest.raises(KWScopeError, match=r"\.toml or \.json"):
        save_plan(Plan(), tmp_path / "a.txt")
    assert (tmp_path / "a.toml").read_text() == "mine"

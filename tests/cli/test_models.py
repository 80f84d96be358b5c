"""``kwscope models`` and ``kwscope devices``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kwscore.audio import devices as audio_devices
from kwscore.audio.devices import InputDevice
from kwscore.cli.main import app
from kwscore.models.checkpoint import save_checkpoint
from kwscore.models.config import BASELINES, REGISTRY
from kwscore.models.registry import create_model


def kwscope(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_network_is_listed() -> None:
    names = [*REGISTRY, *BASELINES]
    entries = objects(kwscope("models", "--json"))
    assert [entry["name"] for entry in entries] == names
    assert all(entry["macs_per_clip"] > 0 and entry["int8_bytes"] < entry["float_bytes"] for entry in entries)
    assert {entry["name"] for entry in entries if entry["macs_per_hop"] is None} == set(BASELINES)
    lines = kwscope("models").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == names
    assert "4,957" in kwscope("models").stdout


@pytest.mark.parametrize("name", ["NC-12K", "NanoMamba-NC-12K"])
def test_published_names_find_the_same_network(name: str) -> None:
    (entry,) = objects(kwscope("models", name, "--json"))
    assert (entry["name"], entry["parameters"]) == ("NanoMamba-NC-12K", 12_683)
    assert "also called NC-12K" in kwscope("models", name).stdout


def test_a_baseline_shows_the_stages_of_a_clip() -> None:
    (entry,) = objects(kwscope("models", "BC-ResNet-1", "--json"))
    assert sum(stage["macs"] for stage in entry["stages"]) == entry["macs_per_clip"]
    assert "stage of a clip" in kwscope("models", "BC-ResNet-1").stdout


def test_checkpoint_shows_its_card(checkpoint: Path) -> None:
    (entry,) = objects(kwscope("models", checkpoint, "--json"))
    card = json.loads(checkpoint.with_suffix(".json").read_text())
    assert entry["name"] == "NanoMamba-Tiny-DualPCEN"
    assert entry["hash"] == card["model_hash"]
    assert (entry["accuracy"], entry["noise"], entry["clips"]) == (12.34, 5.0, 24)
    assert entry["parameters"] == card["parameters"]
    assert sum(stage["macs"] for stage in entry["stages"]) == entry["macs_per_hop"]


def test_markdown_is_the_table_of_the_cards(checkpoint: Path, tmp_path: Path) -> None:
    other = save_checkpoint(create_model("BC-ResNet-1"), tmp_path / "BC-ResNet-1.safetensors", {})
    lines = kwscope("models", "--markdown", other, checkpoint, "NanoMamba-Tiny-TriPCEN-v2").stdout.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in cells}) == 1
    digest = json.loads(checkpoint.with_suffix(".json").read_text())["model_hash"]
    assert cells[2] == [
        "NanoMamba-Tiny-DualPCEN", "stream", "4,957", "24", "12.3", "20.0", "-", "30.0", "5.0", "7.0", f"`{digest}`",
    ]  # fmt: skip
    assert cells[3][:5] == ["BC-ResNet-1", "clip", "7,464", "-", "-"]
    assert len(lines) == 4, "networks without weights have no figures"
    assert kwscope("models", "--markdown", "--json").exit_code == 2


def test_one_network_shows_its_stages(checkpoint: Path) -> None:
    text = kwscope("models", checkpoint).stdout
    assert " 12.3 " in text
    assert "SA-SSM block 2" in text


@pytest.mark.parametrize("name", ["NanoMamba-Huge", "nowhere.safetensors", "./nowhere"])
def test_unknown_network_is_one_line(name: str) -> None:
    result = kwscope("models", name)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_devices_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [InputDevice("ALSA", "USB: Audio", 2, 48_000, True, 3), InputDevice("ALSA", "pulse", 32, 44_100, False, 0)]
    monkeypatch.setattr(audio_devices, "list_devices", lambda: found)
    result = kwscope("devices")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "* ALSA: USB: Audio  (2 channels, 48000 Hz)"
    assert [entry["id"] for entry in objects(kwscope("devices", "--json"))] == ["ALSA: USB: Audio", "ALSA: pulse"]


def test_no_device_is_the_answer_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_devices, "list_devices", list)
    result = kwscope("devices")
    assert result.exit_code == 1
    assert "no input device" in result.stderr

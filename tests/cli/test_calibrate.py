"""``kwscope calibrate`` and ``kwscope listen --calibrate``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from kwscore.cli.main import app
from kwscore.constants import NOMINAL_SPEECH_DBFS, SAMPLE_RATE
from kwscore.models.calibration import PROFILES
from kwscore.stream.calibrator import SECOND_BELOW_ACTIVE_DB
from tests.data.corpus import make_corpus


def kwscope(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def hiss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("silence") / "hiss.wav"
    soundfile.write(path, 0.01 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE), SAMPLE_RATE)
    return path


def test_a_silence_is_measured(checkpoint: Path, hiss: Path) -> None:
    result = kwscope("calibrate", hiss, "--seconds", 1, "--model", checkpoint, "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["noise"]["level_dbfs"] == pytest.approx(-40.0, abs=0.3)
    assert record["noise"]["seconds"] == pytest.approx(1.0, abs=0.02)
    assert record["snr_db"] == pytest.approx(NOMINAL_SPEECH_DBFS - SECOND_BELOW_ACTIVE_DB + 40.0, abs=0.3)
    assert record["before"][0] == pytest.approx(PROFILES["v1"]["default"])
    text = kwscope("calibrate", hiss, "--model", checkpoint, "--law", "profile").stdout
    assert "light" in text
    assert "delta_floor_min" in text


def test_a_word_is_no_silence(checkpoint: Path, hiss: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(hiss)
    samples[SAMPLE_RATE : SAMPLE_RATE + 4000] += 0.5 * np.sin(np.arange(4000) / 3)
    soundfile.write(tmp_path / "bang.wav", samples, rate)
    result = kwscope("calibrate", tmp_path / "bang.wav", "--model", checkpoint)
    assert "as if somebody had spoken" in result.stderr


def test_listen_calibrates_by_its_first_second(checkpoint: Path, hiss: Path) -> None:
    result = kwscope("listen", hiss, "--calibrate", 1, "--model", checkpoint, "--json", "--events-only")
    assert result.exit_code == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    (record,) = [r for r in records if r["type"] == "calibration"]
    assert record["snr_from"] == "speech level"
    assert record["after"][0] != record["before"][0]
    assert "Calibrated: noise -40" in result.stderr


def test_whether_it_helps_is_measured(checkpoint: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    arguments = ("calibrate", "--data-dir", corpus, "--clips", 24, "--condition", "white 0 dB", "--model", checkpoint)
    result = kwscope(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    comparisons = {row["way"]: row for row in rows if row["type"] == "comparison"}
    assert comparisons["always default"]["gain"] == comparisons["always default"]["mended"] == 0
    assert all(row["clips"] == 24 for row in comparisons.values())
    (snr,) = [row for row in rows if row["type"] == "snr"]
    assert snr["low"] <= snr["median"] <= snr["high"]
    assert "true SNR" in kwscope(*arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("calibrate", "nowhere.wav"), "nowhere.wav"),
        (("calibrate", "--condition", "white 0 dB"), "--data-dir"),
        (("calibrate", "--data-dir", "nowhere"), "nowhere"),
    ],
)
def test_wrong_use_is_one_sentence(checkpoint: Path, arguments: tuple[str, ...], named: str) -> None:
    result = kwscope(*arguments, "--model", checkpoint)
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr

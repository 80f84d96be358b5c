"""``python -m kwscore.fixed.accuracy``: conditions, verdict and sentences, on a mix of our own making."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kwscore.data.material import Material
from kwscore.data.validation import ValidationMix
from kwscore.errors import KWScopeError
from kwscore.fixed import accuracy
from tests.board.toy import speech_like

DUAL = "NanoMamba-Tiny-DualPCEN"


@pytest.fixture
def mix() -> ValidationMix:
    audio = np.stack([speech_like(100, seed) for seed in range(6)])
    return ValidationMix(audio, np.arange(6), ["target word"] * 6, Material.__new__(Material))


def test_conditions(mix: ValidationMix) -> None:
    clean, labels = accuracy.condition(mix, "clean", 2)
    assert np.array_equal(clean, mix.audio[::2])
    assert labels.tolist() == [0, 2, 4]
    noisy, _ = accuracy.condition(mix, "white:0")
    assert noisy.shape == mix.audio.shape
    assert not np.array_equal(noisy, mix.audio)
    for wrong in ("dirty", "white:loud", "hum:0", "white"):
        with pytest.raises(KWScopeError, match=f"no condition {wrong}"):
            accuracy.condition(mix, wrong)


def test_the_verdict_needs_agreement_and_accuracy(mix: ValidationMix, monkeypatch: pytest.MonkeyPatch) -> None:
    ((name, result, good),) = accuracy.measure(DUAL, mix, ["clean"])
    assert (name, result.clips, result.frames) == ("clean", 6, 6 * 97)
    assert good == (result.agreement >= 98.0 and result.fixed_accuracy >= result.float_accuracy - 0.5)  # type: ignore[operator]
    monkeypatch.setattr(accuracy, "LEAST_AGREEMENT", 100.1)
    assert [good for *_, good in accuracy.measure(DUAL, mix, ["clean"])] == [False]
    monkeypatch.setattr(accuracy, "LEAST_AGREEMENT", 0.0)
    monkeypatch.setattr(accuracy, "MOST_LOST", -101.0)
    assert [good for *_, good in accuracy.measure(DUAL, mix, ["clean"])] == [False]


def test_bad_input_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["accuracy", "--data-dir", str(tmp_path / "none")])
    assert accuracy.main() == 2
    assert str(tmp_path / "none") in capsys.readouterr().err

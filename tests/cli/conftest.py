"""A checkpoint and sound files of our own making, so that no test waits for trained weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwscore.constants import SAMPLE_RATE

MODEL = "NanoMamba-Tiny-DualPCEN"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the default network."""
    import torch

    from kwscore.models.checkpoint import save_checkpoint
    from kwscore.models.registry import create_model

    torch.manual_seed(1)
    clean = {"condition": "clean", "accuracy": 12.34, "clips": 24, "words": 20.0, "unknown": 30.0}
    babble = {"condition": "babble 0 dB", "accuracy": 7.0}
    noisy = [{"condition": f"{noise} 0 dB", "accuracy": 5.0} for noise in ("white", "pink", "factory", "street")]
    card = {"validation": [clean, {"condition": "-20 dB", "accuracy": 1.0}, babble, *noisy]}
    return save_checkpoint(create_model(MODEL), tmp_path_factory.mktemp("weights") / "own.safetensors", card)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad files: a chirp with noise at several rates, channels, formats and lengths."""
    folder = tmp_path_factory.mktemp("my sounds")
    rng = np.random.default_rng(0)

    def wave(seconds: float, rate: int) -> np.ndarray:
        t = np.arange(round(seconds * rate)) / rate
        return 0.3 * np.sin(2 * np.pi * (300 + 400 * t) * t) + 0.01 * rng.standard_normal(len(t))

    for rate in (8_000, 16_000, 44_100, 48_000, 96_000, 192_000):
        soundfile.write(folder / f"rate{rate}.wav", wave(1.0, rate), rate)
    for channels in (2, 6):
        many = np.repeat(wave(1.0, SAMPLE_RATE)[:, None], channels, 1)
        soundfile.write(folder / f"channels{channels}.wav", many, SAMPLE_RATE)
    soundfile.write(folder / "long.flac", wave(3.0, SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(folder / "short.wav", wave(0.2, SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(folder / "tiny.wav", np.zeros(3), SAMPLE_RATE)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("This is not sound.\n" * 100)
    whole = (folder / "rate16000.wav").read_bytes()
    (folder / "header.wav").write_bytes(whole[:44])
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.flac").write_bytes((folder / "long.flac").read_bytes()[:9000])
    (folder / "folder.wav").mkdir()
    return folder

"""The shipped network on real words: the integer engine answers as the float engine does."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kwscore.audio.mixing import mix
from kwscore.audio.noise import make_noise
from kwscore.constants import CLIP_SAMPLES, WORDS
from kwscore.data.augment import from_pcm, to_pcm
from kwscore.fixed.calibrate import quantise
from kwscore.fixed.compare import compare
from kwscore.models.checkpoint import load_arrays, shipped_checkpoints

NAME = "NanoMamba-Tiny-DualPCEN"
PER_WORD = 12


def words(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """Some validation clips of the ten words as int16 (n, 16000), and their labels."""
    soundfile = pytest.importorskip("soundfile")
    clips: list[np.ndarray] = []
    labels: list[int] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            word = Path(member.name).parent.name
            if word not in WORDS or not member.isfile() or labels.count(WORDS.index(word)) >= PER_WORD:
                continue
            file = tar.extractfile(member)
            assert file is not None
            samples, rate = soundfile.read(io.BytesIO(file.read()), dtype="int16")
            assert rate == 16000
            clips.append(np.pad(samples[:CLIP_SAMPLES], (0, max(0, CLIP_SAMPLES - len(samples)))))
            labels.append(WORDS.index(word))
    return np.stack(clips), np.array(labels)


def test_words_clean_and_in_noise(shared: Path) -> None:
    archive = shared / "data" / "gsc_val.tar"
    if NAME not in shipped_checkpoints() or not archive.is_file():
        pytest.skip("the shipped checkpoint or the recordings are not here")
    config, arrays, _ = load_arrays(NAME)
    image = quantise(config, arrays)
    clips, labels = words(archive)
    assert len(clips) == PER_WORD * len(WORDS)
    noisy = np.stack(
        [
            to_pcm(mix(from_pcm(clip), make_noise("white", CLIP_SAMPLES, np.random.default_rng(i)), 0.0))
            for i, clip in enumerate(clips)
        ]
    )
    for audio in (clips, noisy):
        result = compare((config, arrays), image, audio, labels)
        assert result.float_accuracy is not None
        assert result.fixed_accuracy is not None
        assert result.float_accuracy > 60.0, "the words are heard at all"
        assert result.agreement_sure == 100.0
        assert result.agreement_frames >= 98.0
        assert result.agreement >= 97.0  # 98 % over the whole validation mix; 120 clips are coarser
        assert result.fixed_accuracy >= result.float_accuracy - 2.5
        assert result.mean_difference < 0.06

"""A small Speech Commands folder made of sounds, with noise and speech beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from kwscore.constants import SAMPLE_RATE, WORDS

OTHERS = ("bed", "cat", "eight", "tree")


def tone(word: str, speaker: int, seconds: float = 1.0) -> np.ndarray:
    """A chirp whose start and end depend on the word, its pitch on the speaker."""
    rng = np.random.default_rng([speaker, *word.encode()])
    t = np.arange(int(SAMPLE_RATE * seconds)) / SAMPLE_RATE
    low, high = 200 + 37 * (sum(word.encode()) % 40), 300 + 53 * (word.encode()[0] % 30)
    phase = 2 * np.pi * (low * t + (high - low) * t**2 / 2) * rng.uniform(0.95, 1.05)
    envelope = np.exp(-(((t - 0.5 * seconds) / 0.18) ** 2))
    return np.asarray((0.3 * np.sin(phase) * envelope + 0.002 * rng.standard_normal(len(t))) * 32767, np.int16)


def make_corpus(root: Path, speakers: int = 6) -> Path:
    """Write ``root/speech_commands``, ``root/noise`` and ``root/speech``; returns the first."""
    corpus = root / "speech_commands"
    listed = []
    for word in (*WORDS, *OTHERS):
        for speaker in range(speakers):
            name = f"{speaker:08x}_nohash_0.wav"
            (corpus / word).mkdir(parents=True, exist_ok=True)
            soundfile.write(corpus / word / name, tone(word, speaker), SAMPLE_RATE)
            if speaker % 3 == 2:
                listed.append(f"{word}/{name}")
    (corpus / "validation_list.txt").write_text("\n".join(listed) + "\n")
    (corpus / "testing_list.txt").write_text("")
    rng = np.random.default_rng(0)
    for folder, name in ((corpus / "_background_noise_", "hum"), (root / "noise" / "street", "cars")):
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(3):
            samples = np.asarray(rng.standard_normal(4 * SAMPLE_RATE) * 900, np.int16)
            soundfile.write(folder / f"{name}_{index}.wav", samples, SAMPLE_RATE)
    rows = ["file,kind,split", *(f"street/cars_{i}.opus,street,{'test' if i == 2 else 'train'}" for i in range(3))]
    (root / "noise" / "manifest.csv").write_text("\n".join(rows) + "\n")
    (root / "speech" / "reading").mkdir(parents=True, exist_ok=True)
    for index in range(12):
        piece = np.concatenate([tone(w, index) for w in ("walk", "table", "river")])
        soundfile.write(root / "speech" / "reading" / f"{index}.wav", piece, SAMPLE_RATE)
    return corpus

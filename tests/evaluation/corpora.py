"""A small Speech Commands folder that also has a test split, and checkpoints of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kwscore.constants import WORDS
from tests.data.corpus import make_corpus, tone


def make_full_corpus(root: Path) -> Path:
    """``make_corpus`` with a third of its clips in the test list (the validation clips stay)."""
    corpus = make_corpus(root)
    validation = set((corpus / "validation_list.txt").read_text().split())
    names = sorted(p.relative_to(corpus).as_posix() for p in corpus.glob("[a-z]*/*.wav"))
    test = [name for i, name in enumerate(names) if name not in validation and i % 6 in (0, 1)]
    (corpus / "testing_list.txt").write_text("\n".join(test) + "\n")
    return corpus


def make_checkpoint(
    folder: Path, name: str = "NanoMamba-Tiny-DualPCEN", seed: int = 1, card: dict | None = None
) -> Path:
    """Random weights, but with a bias that makes every answer about as likely on the clips of the corpus."""
    import torch

    from kwscore.data.augment import from_pcm
    from kwscore.models.checkpoint import save_checkpoint
    from kwscore.models.registry import create_model

    torch.manual_seed(seed)
    net = create_model(name).eval()
    clips = torch.from_numpy(from_pcm(np.stack([tone(word, speaker) for word in WORDS for speaker in (0, 1)])))
    with torch.no_grad():
        net.classifier.bias.sub_(net(clips).mean(0))
    return save_checkpoint(net, folder / f"{name}.safetensors", card or {})


def hot(labels: np.ndarray) -> np.ndarray:
    """Logits (n, 12) that answer ``labels``."""
    return np.eye(12, dtype=np.float32)[labels]

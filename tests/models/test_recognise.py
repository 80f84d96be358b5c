"""Published files whose network nobody names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kwscore.errors import KWScopeError
from kwscore.models.recognise import open_published
from kwscore.models.registry import create_model


def saved(path: Path, name: str, **more: Any) -> Path:
    torch.manual_seed(3)
    path.parent.mkdir(exist_ok=True)
    torch.save({"model_state_dict": create_model(name, schedule="clip").state_dict(), **more}, path)
    return path


def test_the_files_own_word_the_file_name_and_the_folder(tmp_path: Path) -> None:
    said = saved(tmp_path / "best.pt", "NanoMamba-Tiny", model_name="NanoMamba-Tiny")
    assert open_published(said).config.name == "NanoMamba-Tiny"
    named = saved(tmp_path / "NanoMamba-Tiny-DualPCEN-epoch20.pt", "NanoMamba-Tiny-DualPCEN")
    assert open_published(named).config.name == "NanoMamba-Tiny-DualPCEN"  # the longest name, not NanoMamba-Tiny
    folder = saved(tmp_path / "BC-ResNet-1" / "best.pt", "BC-ResNet-1")
    assert open_published(folder).config.name == "BC-ResNet-1"


def test_tensors_that_fit_one_network_only(tmp_path: Path) -> None:
    assert open_published(saved(tmp_path / "best.pt", "DS-CNN-S")).config.name == "DS-CNN-S"


def test_what_fits_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KWScopeError, match=r"no file .*nothing\.pt"):
        open_published(tmp_path / "nothing.pt")
    torch.save({"model_state_dict": {"weight": torch.zeros(3)}}, tmp_path / "other.pt")
    with pytest.raises(KWScopeError, match=r"other\.pt holds none of the published networks"):
        open_published(tmp_path / "other.pt")
    with pytest.raises(KWScopeError, match=r"NanoMamba-Tiny\.pt"):
        open_published(saved(tmp_path / "NanoMamba-Tiny.pt", "BC-ResNet-1"))

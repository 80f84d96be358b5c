"""The notebook runs from its first cell to its last, on a small corpus of sounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

from tests.data.corpus import make_corpus


def _notebook(repository: Path) -> nbformat.NotebookNode:
    return nbformat.read(repository / "docs" / "kwscope_colab.ipynb", as_version=4)


def test_the_notebook_trains_and_evaluates(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "WORK": tmp_path / "runs", "DATA": make_corpus(tmp_path), "EPOCHS": 1, "POOL": 1, "CLIPS": 24,
        "NOISES": "white", "SNRS": "0",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"KWSCOPE_{name}", str(value))
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = _notebook(repository)
    client = nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3")
    client.execute(cwd=str(tmp_path))
    said = "".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )
    card = json.loads(next((tmp_path / "runs").rglob("NanoMamba-Tiny-DualPCEN.json")).read_text())
    assert card["model_hash"] in said
    clean = next(row for row in card["validation"] if row["condition"] == "clean")
    assert re.search(rf"clean +{clean['accuracy']:.1f} %  of +24 clips", said)
    assert "white 0 dB" in (tmp_path / "runs" / "NanoMamba-Tiny-DualPCEN-results" / "results.txt").read_text()
    pictures = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs if "data" in o]
    assert sum("image/png" in picture["data"] for picture in pictures) >= 3


def test_the_notebook_is_committed_without_results(repository: Path) -> None:
    for cell in _notebook(repository).cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None

from __future__ import annotations

from pathlib import Path

import pytest

from kwscore.evaluation.packed import PackedNetwork, load_packed
from kwscore.evaluation.sets import EvaluationSet, load_set
from tests.evaluation.corpora import make_checkpoint, make_full_corpus


@pytest.fixture(scope="package")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all three splits, noise and speech beside it."""
    return make_full_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="package")
def data(corpus: Path) -> EvaluationSet:
    """Its validation mix: 56 clips."""
    return load_set(corpus, "validation")


@pytest.fixture(scope="package")
def network(tmp_path_factory: pytest.TempPathFactory) -> PackedNetwork:
    """Random weights of the default network."""
    return load_packed(str(make_checkpoint(tmp_path_factory.mktemp("weights"))))

"""What the dialog says about whether calibration helps is what docs/calibration.md has measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.calibration_measured import EFFECTS, Change, Effect, caption
from kwscore.models.checkpoint import load_arrays, model_hash
from kwscore.models.config import DEFAULT_NETWORK

ROWS = {
    "true": "law, true SNR (published protocol)",
    "law": "law, speech at its usual level",
    "profile": "profile, speech at its usual level",
}


@pytest.fixture(scope="module")
def doc(repository: Path) -> str:
    return (repository / "docs" / "calibration.md").read_text(encoding="utf-8")


def table(doc: str, digits: str) -> dict[str, list[str]]:
    """Cells of the rows below the heading that names the hash, by the first cell."""
    part = doc[doc.index(f"({digits})") :].partition("**NanoMamba")[0].partition("**NC")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("digits", EFFECTS)
def test_figures_are_those_of_the_document(doc: str, digits: str) -> None:
    effect, rows = EFFECTS[digits], table(doc, digits)
    assert f"**{effect.network} ({digits})" in doc
    assert f"{effect.answers:,} answers at 0 dB" in doc
    *_, all_own, _, _ = rows["the network's own, accuracy"]
    assert float(all_own) == round(effect.own, 1)
    for name, row in ROWS.items():
        change: Change = getattr(effect, name)
        *_, gain, quiet, p = rows[row]
        assert (float(gain), p) == (round(change.points, 1), change.p)
        if name == "law":
            assert float(quiet) == round(effect.quiet, 1)


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.network)
def test_that_it_does_not_help_is_true(effect: Effect) -> None:
    """The sentence is fixed: should a network gain beyond chance one day, it and the default must change."""
    for change in (effect.law, effect.profile, effect.true):
        assert change.points <= 0 or float(change.p) > 0.05


def test_the_standard_network_is_measured() -> None:
    assert next(iter(EFFECTS)) == model_hash(load_arrays(DEFAULT_NETWORK)[1])


def test_captions() -> None:
    said = caption(next(iter(EFFECTS)), DEFAULT_NETWORK, "continuous")
    assert said.startswith(f"Measured with {DEFAULT_NETWORK}, this does not help on average")
    assert re.search(r"went from \d+\.\d to \d+\.\d % \([+−]\d+\.\d points, p\s\S+\)", said)
    assert caption(next(iter(EFFECTS)), DEFAULT_NETWORK, "profile") != said
    unknown = caption("000000000000", "NC-20K", "continuous")
    assert unknown.startswith("With NC-20K it was not measured whether this helps")
    assert DEFAULT_NETWORK in unknown

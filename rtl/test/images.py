"""A network for the tests: random weights, quantised once and kept beside the simulations."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kwscore.errors import KWScopeError
from kwscore.fixed.image import Image

KEPT = Path(__file__).resolve().parents[1] / "build" / "test-image.kwsf"


def test_image() -> Image:
    """NanoMamba-Tiny-DualPCEN with random weights."""
    try:
        return Image.load(KEPT)
    except KWScopeError:
        from tests.fixed.images import DUAL, image

        KEPT.parent.mkdir(parents=True, exist_ok=True)
        made = image(DUAL)
        with suppress(KWScopeError):  # another simulation keeps it at this moment
            made.save(KEPT)
        return made

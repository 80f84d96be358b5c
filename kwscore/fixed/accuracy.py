"""The integer engine against the float engine on the balanced validation mix: ``python -m kwscore.fixed.accuracy``.

Each clip from reset, its last frame decides. Exit status 1 where a condition loses more than half a point or agrees in
fewer than 98 % of the clips.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kwscore.data.validation import NOISES, ValidationMix, load_validation, noisy
from kwscore.errors import KWScopeError
from kwscore.fixed.calibrate import load_image
from kwscore.fixed.compare import Comparison, compare
from kwscore.models.checkpoint import load_arrays
from kwscore.models.config import DEFAULT_NETWORK

MOST_LOST = 0.5
"""Points of accuracy that integers may cost."""
LEAST_AGREEMENT = 98.0
"""Per cent of clips in which both engines have to name the same winner."""


def condition(mix: ValidationMix, name: str, every: int = 1) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Clips (n, 16000) and labels of ``clean`` or NOISE:DB, for instance ``white:0``; each ``every``-th clip.

    Raises KWScopeError for another name.
    """
    audio, labels = mix.audio[::every], mix.labels[::every]
    if name == "clean":
        return audio, labels
    kind, _, level = name.partition(":")
    try:
        snr = float(level)
    except ValueError:
        kind = ""
    if kind not in NOISES:
        raise KWScopeError(f"There is no condition {name}: give clean, or NOISE:DB with one of {', '.join(NOISES)}.")
    return noisy(audio, kind, snr), labels


def measure(
    network: str, mix: ValidationMix, conditions: list[str], every: int = 1
) -> Iterator[tuple[str, Comparison, bool]]:
    """Each condition with its figures, and whether they are good enough."""
    config, arrays, _ = load_arrays(network)
    image = load_image(network)
    for name in conditions:
        result = compare((config, arrays), image, *condition(mix, name, every))
        assert result.float_accuracy is not None
        assert result.fixed_accuracy is not None
        good = result.agreement >= LEAST_AGREEMENT and result.fixed_accuracy >= result.float_accuracy - MOST_LOST
        yield name, result, good


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=[DEFAULT_NETWORK], help="names or checkpoints")
    parser.add_argument("--data-dir", type=Path, required=True, help="Speech Commands, as it is unpacked")
    parser.add_argument("--condition", action="append", metavar="clean|NOISE:DB", help="default: clean and white:0")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th clip")
    given = parser.parse_args()
    all_good = True
    try:
        mix = load_validation(given.data_dir, progress=lambda text: print(text, file=sys.stderr, flush=True))
        for network in given.networks:
            conditions = given.condition or ["clean", "white:0"]
            for name, result, good in measure(network, mix, conditions, given.every):
                record = {"network": network, "condition": name, **result.as_dict(), "good": good}
                print(json.dumps(record), flush=True)
                all_good &= good
    except KWScopeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())

"""How far the integer engine is from the float engine: logits, agreement, accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import WINDOW
from kwscore.errors import KWScopeError
from kwscore.fixed.engine import FixedEngine
from kwscore.fixed.image import Image
from kwscore.models.config import NetworkConfig
from kwscore.stream.engine import StreamEngine
from kwscore.stream.weights import Arrays


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures over all clips; the last frame of each clip decides. Accuracies in per cent, None without labels."""

    clips: int
    frames: int
    agreement: float
    """Share of clips with the same winner, in per cent."""
    agreement_frames: float
    """Share of all frames with the same winner, in per cent."""
    agreement_sure: float
    """Share of clips with the same winner among those where float leads by more than 0.2, in per cent."""
    mean_difference: float
    """Mean absolute difference of a logit, over all frames."""
    max_difference: float
    float_accuracy: float | None
    fixed_accuracy: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures, rounded for tables."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}


def compare(
    net: tuple[NetworkConfig, Arrays],
    image: Image,
    audio: Iterable[NDArray[np.int16]],
    labels: NDArray[np.int64] | None = None,
) -> Comparison:
    """Run both engines over ``audio``, clips (n,) of int16, each from reset; ``labels``: class of each clip.

    Raises KWScopeError when the image was made from other weights, or a clip is shorter than a frame.
    """
    reference, fixed = StreamEngine(net), FixedEngine(image)
    if reference.model_hash != fixed.model_hash:
        raise KWScopeError(
            f"The image of {image.name} was made from the weights {fixed.model_hash}, not {reference.model_hash}: "
            "export it again."
        )
    last, sums, frames, same, largest = [], 0.0, 0, 0, 0.0
    for clip in audio:
        if len(clip) < WINDOW:
            raise KWScopeError(f"A clip of {len(clip)} samples is shorter than one frame of {WINDOW}.")
        reference.reset()
        fixed.reset()
        a = np.stack([record.logits for record in reference.process(clip)])
        b = fixed.logits(clip) / 512.0
        difference = np.abs(a - b)
        sums += float(difference.sum())
        largest = max(largest, float(difference.max()))
        same += int((a.argmax(1) == b.argmax(1)).sum())
        frames += len(a)
        last.append((a[-1], b[-1]))
    if not last:
        raise KWScopeError("There is no audio to compare the engines on.")
    a, b = (np.stack(rows) for rows in zip(*last, strict=True))
    order = np.sort(a, 1)
    sure = order[:, -1] - order[:, -2] > 0.2
    equal = a.argmax(1) == b.argmax(1)
    return Comparison(
        clips=len(last),
        frames=frames,
        agreement=100.0 * float(equal.mean()),
        agreement_frames=100.0 * same / frames,
        agreement_sure=100.0 * float(equal[sure].mean()) if sure.any() else 100.0,
        mean_difference=sums / (frames * a.shape[1]),
        max_difference=largest,
        float_accuracy=None if labels is None else 100.0 * float((a.argmax(1) == labels).mean()),
        fixed_accuracy=None if labels is None else 100.0 * float((b.argmax(1) == labels).mean()),
    )

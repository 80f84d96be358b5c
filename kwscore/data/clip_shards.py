"""Clips for the convolutional baselines: the second up to each read of the same training streams, as log-mel images.

So a baseline hears what the stream networks hear: the same words in the same noise, room and level, drawn by the same
recipe and seed. Only the log-mel images are kept, as float16: 5 MB per 256 streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwscore.constants import CLIP_FRAMES, CLIP_SAMPLES, HOP
from kwscore.data.shards import Store
from kwscore.data.streams import Stream

Images = Callable[[NDArray[np.int16]], NDArray[np.float32]]
"""Clips (n, 16000) to log-mel images (n, frames, 40)."""


@dataclass(slots=True)
class ClipShard:
    """``image`` (clips, frames, 40) float16, stream by stream; ``labels`` (streams, 3), -1 where a stream has no read.

    The clips are in the order of the labels that are not -1.
    """

    image: NDArray[np.float16]
    labels: NDArray[np.int64]

    def clips(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices and labels of the clips of the streams ``rows``, in their order."""
        used = self.labels >= 0
        number = np.cumsum(used.reshape(-1)).reshape(used.shape) - 1
        chosen = used[rows]
        return number[rows][chosen], self.labels[rows][chosen]


def clip_of(stream: Stream, end: int) -> NDArray[np.int16]:
    """The second (16000,) whose frames end with frame ``end`` of a stream."""
    start = (end - CLIP_FRAMES + 1) * HOP
    return stream.pcm[start : start + CLIP_SAMPLES]


class ClipStore(Store):
    """Shards of clips; the features of a store are ``Images``."""

    def arrays(self, streams: list[Stream], features: Images) -> dict[str, NDArray[np.float16]]:
        clips = np.stack([clip_of(s, int(end)) for s in streams for end in s.ends if end >= 0])
        image = [features(clips[start : start + 64]).astype(np.float16) for start in range(0, len(clips), 64)]
        return {"image": np.concatenate(image)}

    def load(self, index: int) -> ClipShard:
        """Shard ``index``, made first if need be."""
        arrays = self.read(index)
        return ClipShard(arrays["image"], arrays["labels"])

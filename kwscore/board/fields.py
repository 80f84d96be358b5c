"""Telemetry as the 16-bit words of a RESULT, and back.

The formats are chosen so that what the integer engine computes passes unchanged; a float engine is rounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.board.protocol import Flag, Mask, Result, Sizes
from kwscore.constants import HOP, WINDOW
from kwscore.stream.telemetry import Telemetry

Floats = NDArray[np.float32]
_LOGIT = 9
_SHARE = 15  # SNR and routing, 0..1
_DELTA = 11
_LOG_MEL = 10
_ZERO_MEL = -32768
WARMUP_HOPS = WINDOW // HOP
"""Hops before the one that completes the first frame: 3."""


def frame_of_hop(hop: int) -> int:
    """The newest frame that hop ``hop`` (counted from 0) completes; negative while there is none."""
    return ((hop + 1) * HOP - WINDOW) // HOP


def encode_telemetry(record: Telemetry, mask: Mask, counters: tuple[int, int]) -> bytes:
    """The body of a full RESULT. ``counters``: CRC errors and gaps, cut to 16 bits."""
    words: list[NDArray[np.generic]] = []
    for part in mask:
        match part:
            case Mask.COUNTERS:
                words.append(np.array([count & 0xFFFF for count in counters], "<u2"))
            case Mask.LOGITS:
                words.append(_round(record.logits, _LOGIT, "<i2"))
            case Mask.ROUTING:
                words.append(_round(record.routing, _SHARE, "<u2"))
            case Mask.DELTA_MEAN:
                words.append(_round(record.delta.mean(axis=1), _DELTA, "<u2"))
            case Mask.SNR:
                words.append(_round(record.snr, _SHARE, "<u2"))
            case Mask.MEL:
                words.append(_log_mel(record.mel))
            case Mask.DELTA:
                words.append(_round(record.delta.ravel(), _DELTA, "<u2"))
    return b"".join(word.tobytes() for word in words)


def decode_telemetry(
    result: Result, mask: Mask, sizes: Sizes, *, frame: int, sample: int, level_dbfs: float, elapsed_us: float
) -> Telemetry:
    """The record of a full RESULT. Fields that the mask lacks are NaN, of their usual shape.

    Raises ProtocolError when the body does not fit the mask.
    """
    parts = result.fields(mask, sizes)

    def part(name: Mask, bits: int) -> Floats:
        if name not in parts:
            return np.full(sizes.length(name), np.nan, np.float32)
        return np.ldexp(parts[name].astype(np.float32), -bits)

    mel = np.exp2(part(Mask.MEL, _LOG_MEL)).astype(np.float32)
    if Mask.MEL in parts:
        mel[parts[Mask.MEL] == _ZERO_MEL] = 0.0
    delta = part(Mask.DELTA, _DELTA).reshape(sizes.blocks, sizes.channels)
    if Mask.DELTA not in parts and Mask.DELTA_MEAN in parts:
        delta = np.repeat(part(Mask.DELTA_MEAN, _DELTA)[:, None], sizes.channels, axis=1)
    return Telemetry(
        frame=frame,
        sample=sample,
        level_dbfs=level_dbfs,
        mel=mel,
        snr=part(Mask.SNR, _SHARE),
        routing=part(Mask.ROUTING, _SHARE),
        delta=delta,
        logits=part(Mask.LOGITS, _LOGIT),
        elapsed_us=elapsed_us,
    )


def encode_result(
    index: int, cycles: int, flags: Flag, record: Telemetry, mask: Mask, counters: tuple[int, int]
) -> Result:
    """A full RESULT of one record."""
    return Result(index, cycles, flags | Flag.FULL, encode_telemetry(record, mask, counters))


def _round(values: NDArray[np.floating], bits: int, dtype: str) -> NDArray[np.generic]:
    limits = np.iinfo(dtype)
    scaled = np.floor(np.ldexp(values.astype(np.float64), bits) + 0.5)  # round half up, the house's one rule
    return np.clip(scaled, limits.min, limits.max).astype(dtype)


def _log_mel(mel: NDArray[np.floating]) -> NDArray[np.generic]:
    positive = mel > 0
    log = np.log2(mel.astype(np.float64), where=positive, out=np.zeros(len(mel)))
    words = np.maximum(_round(log, _LOG_MEL, "<i2"), _ZERO_MEL + 1)
    return np.where(positive, words, _ZERO_MEL).astype("<i2")

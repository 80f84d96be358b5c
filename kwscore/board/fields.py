"""Telemetry as the 16-bit words of a RESULT, and back.

The formats are chosen so that what the integer engine computes passes unchanged; a float engine is rounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.board.protocol import Flag, Mask, Result, Sizes
from kwscore.constants import HOP, WINDOW
from kwscore.fixed.layout import Outputs
from kwscore.stream.telemetry import Telemetry

Floats = NDArray[np.float32]
Words = dict[Mask, NDArray[np.generic]]
"""Fields of a RESULT as the 16-bit little-endian words that are sent."""
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
    words: Words = {
        Mask.LOGITS: _round(record.logits, _LOGIT, "<i2"),
        Mask.ROUTING: _round(record.routing, _SHARE, "<u2"),
        Mask.DELTA_MEAN: _round(record.delta.mean(axis=1), _DELTA, "<u2"),
        Mask.SNR: _round(record.snr, _SHARE, "<u2"),
        Mask.MEL: _log_mel(record.mel),
        Mask.DELTA: _round(record.delta.ravel(), _DELTA, "<u2"),
    }
    return encode_words(words, mask, counters)


def integer_words(out: Outputs, row: int) -> Words:
    """What the hardware sends for one frame of the integer engine, exactly (docs/fixed_point.md, section 7.1)."""
    gate, delta = int(out.gate[row]), out.delta[row]
    total = delta.shape[1] * 2
    return {
        Mask.LOGITS: out.logits[row].astype("<i2"),
        Mask.ROUTING: np.array([(65536 - gate + 1) >> 1, (gate + 1) >> 1], "<u2"),
        Mask.DELTA_MEAN: ((2 * delta.sum(axis=1) + total // 2) // total).astype("<u2"),
        Mask.SNR: out.snr[row].astype("<u2"),
        Mask.MEL: out.log_mel[row].astype("<i2"),
        Mask.DELTA: delta.ravel().astype("<u2"),
    }


def encode_words(words: Words, mask: Mask, counters: tuple[int, int]) -> bytes:
    """The body of a full RESULT with the fields of ``mask``, in their order."""
    first = {Mask.COUNTERS: np.array([count & 0xFFFF for count in counters], "<u2")}
    return b"".join((words | first)[part].tobytes() for part in mask)


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

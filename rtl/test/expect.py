"""Results of the RTL against the integer engine, for the tests of core, device and top."""

from __future__ import annotations

import numpy as np

from kwscore.board.fields import encode_telemetry
from kwscore.board.protocol import Mask, Sizes
from kwscore.stream.telemetry import Telemetry

CORE_FIELDS = Mask.LOGITS | Mask.ROUTING | Mask.SNR | Mask.MEL | Mask.DELTA
"""What the core offers; COUNTERS are the link's."""


def check_body(body: bytes, record: Telemetry, mask: Mask, counters: tuple[int, int] = (0, 0)) -> None:
    """Raise AssertionError naming the first field of a RESULT that is not the integer engine's.

    Every field is equal bit for bit but MEL: there the table unit takes the logarithm of the very same number, and may
    be one step of 2^-10 from the logarithm that ``encode_telemetry`` rounds.
    """
    want = encode_telemetry(record, mask, counters)
    assert len(body) == len(want), f"{len(body)} bytes instead of {len(want)}"
    at = 0
    for part in mask:
        length = 2 * Sizes().length(part)
        got, due = (np.frombuffer(data[at : at + length], "<i2").astype(int) for data in (body, want))
        assert (abs(got - due) <= (part is Mask.MEL)).all(), f"{part.name}: {got} instead of {due}"
        at += length

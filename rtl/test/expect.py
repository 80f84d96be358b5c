"""Results of the RTL against the integer engine, for the tests of core, device and top."""

from __future__ import annotations

from kwscore.board.fields import encode_words, integer_words
from kwscore.board.protocol import Mask, Sizes
from kwscore.fixed.layout import Outputs

CORE_FIELDS = Mask.LOGITS | Mask.ROUTING | Mask.DELTA_MEAN | Mask.SNR | Mask.MEL | Mask.DELTA
"""What the core offers; COUNTERS are the link's."""


def check_body(body: bytes, out: Outputs, mask: Mask, counters: tuple[int, int] = (0, 0)) -> None:
    """Raise AssertionError naming the first field of a RESULT that is not bit for bit the newest frame's of ``out``."""
    want = encode_words(integer_words(out, len(out.logits) - 1), mask, counters)
    assert len(body) == len(want), f"{len(body)} bytes instead of {len(want)}"
    at = 0
    for part in mask:
        end = at + 2 * Sizes().length(part)
        assert body[at:end] == want[at:end], f"{part.name}: {body[at:end].hex()} instead of {want[at:end].hex()}"
        at = end

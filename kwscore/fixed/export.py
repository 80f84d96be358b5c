"""The read-only memories of the datapath as text for $readmemh, the same for every network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kwscore.fixed.tables import rom

_MASK18 = (1 << 18) - 1


def _hex(values: list[int] | NDArray[np.int64], bits: int) -> str:
    """One word a line, two's complement, for $readmemh."""
    digits = -(-bits // 4)
    mask = (1 << bits) - 1
    return "".join(f"{int(v) & mask:0{digits}x}\n" for v in values)


def _mel_words() -> list[int]:
    """Band after band, bin after bin: bit 26 last of the band, 25..17 bin, 16..0 weight."""
    table = rom()
    words = []
    for start, count, weight in zip(table.mel_start, table.mel_count, table.mel_weight, strict=True):
        for j in range(count):
            words.append(int(j == count - 1) << 26 | int(start + j) << 17 | int(weight[j]))
    return words


def rom_files() -> dict[str, str]:
    """The read-only memories, by file name: the same for every network."""
    table = rom()
    base, slope = table.func[..., 0].ravel(), table.func[..., 1].ravel()
    cos, sin = table.twiddle
    return {
        "nm_func.mem": _hex([(int(s) & _MASK18) << 18 | int(b) for b, s in zip(base, slope, strict=True)], 36),
        "nm_window.mem": _hex(table.window, 17),
        "nm_twiddle.mem": _hex(
            [(int(s) & _MASK18) << 18 | int(c) & _MASK18 for c, s in zip(cos, sin, strict=True)], 36
        ),
        "nm_mel.mem": _hex(_mel_words(), 27),
    }

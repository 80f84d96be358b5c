"""Writes ``rtl/link/protocol.vh``: the numbers of the protocol for the hardware, so that they are defined once.

``python -m kwscore.board.verilog`` renews the file; a test fails when it is stale.
"""

from __future__ import annotations

import os
from pathlib import Path

from kwscore.board import protocol as p
from kwscore.board.framing import MAX_PAYLOAD, VERSION
from kwscore.constants import HOP, N_MELS

HEADER = Path(__file__).resolve().parents[2] / "rtl" / "link" / "protocol.vh"


def text() -> str:
    """The Verilog header."""
    hello, info = (int.from_bytes(magic, "little") for magic in (p.HELLO_MAGIC, p.INFO_MAGIC))
    lines = [
        "// SPDX-License-Identifier: MIT",
        "// Numbers of the link protocol. Generated from kwscore/board/protocol.py by `make -C rtl header`.",
        "`ifndef KWS_PROTOCOL_VH",
        "`define KWS_PROTOCOL_VH",
        f"`define KWS_VERSION 8'd{VERSION}",
        f"`define KWS_HELLO_MAGIC 32'h{hello:08x}",
        f"`define KWS_INFO_MAGIC 32'h{info:08x}",
        f"`define KWS_MAX_PAYLOAD 16'd{MAX_PAYLOAD}",
        f"`define KWS_HOP 16'd{HOP}",
        f"`define KWS_MAX_FILL 8'd{p.MAX_FILL}",
        f"`define KWS_MAX_FRAMING_ERRORS 4'd{p.MAX_FRAMING_ERRORS}",
        f"`define KWS_MIN_DIVISOR 16'd{p.MIN_DIVISOR}",
        f"`define KWS_MAX_DIVISOR 16'd{p.MAX_DIVISOR}",
        f"`define KWS_LEN_HELLO 16'd{p.Hello.LAYOUT.size}",
        f"`define KWS_LEN_INFO 11'd{p.Info.LAYOUT.size}",
        f"`define KWS_LEN_RESET 16'd{p.Reset.LAYOUT.size}",
        f"`define KWS_LEN_LOAD_MIN 16'd{4 + 1}",
        f"`define KWS_LEN_LOAD_MAX 16'd{4 + p.WEIGHT_BLOCK}",
        f"`define KWS_LEN_COMMIT 16'd{p.Commit.LAYOUT.size}",
        f"`define KWS_LEN_SET_BAUD 16'd{p.SetBaud.LAYOUT.size}",
        f"`define KWS_LEN_SET_MODE 16'd{p.SetMode.LAYOUT.size}",
        f"`define KWS_LEN_PCM 16'd{4 + 2 * HOP}",
        f"`define KWS_LEN_FEAT 16'd{4 + 4 * N_MELS}",
        f"`define KWS_LEN_STATS 11'd{p.Stats.LAYOUT.size}",
        f"`define KWS_LEN_ACK 11'd{p.Ack.LAYOUT.size}",
        f"`define KWS_LEN_BRIEF 11'd{p.Result.LAYOUT.size}",
        f"`define KWS_LEN_COUNTED 11'd{p.Result.LAYOUT.size + 4}",
        f"`define KWS_DEFAULT_MASK 16'h{int(p.SetMode().mask):04x}",
    ]
    lines += [f"`define KWS_TYPE_{kind.name} 8'h{kind:02x}" for kind in p.Type]
    lines += [f"`define KWS_CODE_{code.name} 16'd{code}" for code in p.Code]
    lines += ["`endif", ""]
    return "\n".join(lines)


def main() -> None:
    """Renew the file."""
    temporary = HEADER.with_name(f"{HEADER.name}.{os.getpid()}")
    temporary.write_text(text(), encoding="utf-8")
    temporary.replace(HEADER)


if __name__ == "__main__":
    main()

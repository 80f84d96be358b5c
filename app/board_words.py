"""What is said about a board: its facts, its counters, a selftest. Knows no Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.boards import BoardStatus
from app.hoptimes import spoken
from kwscore.board.protocol import Info

if TYPE_CHECKING:
    from kwscore.board.selftest import Report


def board(info: Info) -> str:
    """What a board is."""
    clock = f"{info.clock_hz / 1e6:g} MHz" if info.counts_cycles else "a program, no cycle counter"
    sizes = info.sizes
    return (
        f"{info.tag or 'unnamed'} · {clock} · {sizes.blocks} blocks of {sizes.channels} channels · "
        f"{info.weight_bytes:,} bytes for weights · protocol {info.protocol}"
    )


def host_counters(status: BoardStatus) -> str:
    """What this side of the link has counted."""
    return (
        f"answers lost {status.lost_results} · frames damaged {status.link_errors} · frames that heard zeros "
        f"{status.filled} · opened again {status.reconnections}"
    )


def selftest(report: Report | None) -> str:
    """A selftest in a few sentences."""
    if report is None:
        return "No board is connected."
    verdict = (
        f"✓ Passed: all {report.results:,} answers equal the integer engine's."
        if report.equal
        else f"✗ Failed: {report.differences.total()} differences, {report.lost} answers lost"
        + (f"; the first: {report.first}." if report.first else ".")
    )
    times = [
        f"{name} {spoken(spread.median)} (p99 {spoken(spread.p99)})"
        for name, spread in (("round trip", report.round_trip), ("link", report.link), ("compute", report.compute))
        if spread is not None
    ]
    said = f"{verdict} {report.rate:,.0f} hops a second, {report.keep_up:.1f} times live audio."
    return f"{said} One hop alone: {' · '.join(times)}." if times else said


def counters(told: dict[str, int | None]) -> str:
    """A board's counters (``Stats.as_dict``); what it does not count is left out."""
    said = {name.replace("_", " ").replace("crc", "CRC"): value for name, value in told.items()}
    return " · ".join(f"{name} {value:,}" for name, value in said.items() if value is not None)

"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def columns(rows: Sequence[tuple[str, ...]], left: Collection[int] = (0,)) -> str:
    """Rows, first the heading, in columns as wide as they need, never shortened, so that they can be cut and sorted.

    Columns in ``left`` start at the left; the others, numbers, end at the right.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for cells in rows:
        padded = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines) + "\n"


def markdown(rows: Sequence[tuple[str, ...]], left: Collection[int] = (0,)) -> str:
    """The same as a table in Markdown."""
    heading, *others = rows
    rule = ["---" if i in left else "---:" for i in range(len(heading))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heading, rule, *others))

"""Pure: cells of a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable


def cell(text: str) -> str:
    """Return a text as one cell: on one line, with no bar that would begin another."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table, with an empty line behind it; nothing where there is no row."""
    lines = [f"| {' | '.join(map(cell, row))} |\n" for row in rows]
    if not lines:
        return ""
    names = list(head)
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n{''.join(lines)}\n"

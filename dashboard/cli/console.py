"""I/O: where commands write for a person: lines as they are, and how far a long one is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from unicodedata import category

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

# Names are a sender's and may hold anything, square brackets too; a pipe is not folded.
OUT: Final = Console(highlight=False, soft_wrap=True, markup=False)

_ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
_warned: set[str] = set()
_CODED: Final = re.compile("C.|Z[lp]")  # categories of Unicode: controls, formats, line ends ...
_BETWEEN: Final = 4  # columns of a terminal, at most, beside each of a table


def warn(text: str) -> None:
    """Write a warning to standard error, once a command."""
    if text not in _warned:
        _warned.add(text)
        _ERR.print(f"warning: {text}")


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> None:
    """Print rows under a head, figures to the right, and never fold or cut a cell.

    Args:
        head: of each column.
        rows: a cell a column, which holds no line break.
        texts: columns of words at the end, which are aligned to the left as the first one is.
    """
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = (
            cell.rjust(width) if 0 < column < len(head) - texts else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        OUT.print("  ".join(cells).rstrip())


def print_table(out: Console, table: Table) -> None:
    """Print a table: no figure is cut, its lines are longer where the terminal is too narrow."""
    for column in table.columns:
        cells = [str(cell) for cell in column.cells]
        words = [word for text in (str(column.header), *cells) for word in text.split()]
        column.min_width = max(map(cell_len, cells if column.no_wrap else ()), default=0)
        column.min_width = max(column.min_width, *map(cell_len, words), 0)
        column.no_wrap = False  # its head may be folded
    least = sum((each.min_width or 0) + _BETWEEN for each in table.columns)
    out.width = max(out.width, least)
    out.print(table, crop=False)


def quoted(said: object) -> str:
    """Return what a person or a sender wrote as JSON, with codes for what would drive a terminal.

    Letters of every language stand as they are; what controls or cannot be seen does not.
    """
    return plain(json.dumps(said, ensure_ascii=False))


def plain(name: str) -> str:
    """Return a name that a sender chose as it is, so that it can be copied, with the same codes."""
    return "".join(
        json.dumps(each)[1:-1] if _CODED.fullmatch(category(each)) else each for each in name
    )


@contextmanager
def reading(name: str, size: int | None) -> Iterator[Callable[[int], object]]:
    """Show a bar of the bytes read of a file, on a terminal's standard error alone.

    Yields what takes the number of bytes that were read, again and again.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(name, total=size)
        yield lambda read: progress.advance(task, read)


def counting(noun: str) -> Progress:
    """Return a bar on a terminal's standard error that counts; elsewhere nothing is shown."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn(f"{{task.completed:,}} {noun}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

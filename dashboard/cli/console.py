"""I/O: where commands write for a person: lines as they are, and how far a long one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

# Names are a sender's and may hold anything, square brackets too; a pipe is not folded.
OUT: Final = Console(highlight=False, soft_wrap=True, markup=False)

_ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
_warned: set[str] = set()


def warn(text: str) -> None:
    """Write a warning to standard error, once a command."""
    if text not in _warned:
        _warned.add(text)
        _ERR.print(f"warning: {text}")


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

"""I/O: where commands write for a person: lines as they are, and how far a long one is."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

# Names are a sender's and may hold anything, square brackets too; a pipe is not folded.
OUT: Final = Console(highlight=False, soft_wrap=True, markup=False)

_ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
_warned: set[str] = set()


def warn(text: str) -> None:
    """Write a warning to standard error, once a command."""
    if text not in _warned:
        _warned.add(text)
        _ERR.print(f"warning: {text}")


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

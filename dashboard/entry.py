"""I/O: where `millworth` begins: `capture` is run without the imports of all other commands.

It is the one command that is run again for each of many files, by scripts and by hand, and those
imports take three times as long as all that it does for a file of usual size.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from collector.errors import MillworthError


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] == ["capture"]:
        _capture(sys.argv[2:])
    else:
        from dashboard.cli import main as run_any

        run_any()


def run(command: Callable[[], object]) -> None:
    """Run a command; an error of ours is one line and exit 2, never a traceback."""
    try:
        command()
    except MillworthError as error:
        sys.stderr.write(f"millworth: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)


def _capture(arguments: list[str]) -> None:
    import typer

    from dashboard.commands_capture import capture

    app = typer.Typer(
        pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False
    )
    app.command()(capture)
    run(lambda: app(arguments, prog_name="millworth capture"))

"""I/O: where `millworth` begins: two commands are run without the imports of all the others.

`capture` is run again for each of many files, by scripts and by hand, and those imports take three
times as long as all that it does for a file of usual size; and a start of `up` is waited for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

from dashboard.cli.run import run

# The module and the function of each command that is run alone.
_ALONE = {
    "capture": ("dashboard.cli.commands.capture", "capture"),
    "up": ("dashboard.cli.commands.up", "up"),
}


def main() -> None:
    """Run the command that the arguments name."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in _ALONE:
        module, function = _ALONE[name]
        _run_alone(name, getattr(import_module(module), function))
    else:
        from dashboard.cli.main import main as run_any

        run_any()


def _run_alone(name: str, command: Callable[..., object]) -> None:
    import typer

    app = typer.Typer(
        pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False
    )
    app.command()(command)
    run(lambda: app(sys.argv[2:], prog_name=f"millworth {name}"))

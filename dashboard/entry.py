"""I/O: where `millworth` begins: two commands are run without the imports of all the others.

`capture` is run again for each of many files, by scripts and by hand, and those imports take three
times as long as all that it does for a file of usual size; and a start of `up` is waited for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module

from collector.errors import MillworthError

_STDOUT, _STDERR = 1, 2
# The module and the function of each command that is run alone.
_ALONE = {
    "capture": ("dashboard.commands_capture", "capture"),
    "up": ("dashboard.commands_up", "up"),
}


def main() -> None:
    """Run the command that the arguments name."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in _ALONE:
        module, function = _ALONE[name]
        _run_alone(name, getattr(import_module(module), function))
    else:
        from dashboard.cli import main as run_any

        run_any()


def run(command: Callable[[], object]) -> None:
    """Run a command; an error of ours is one line and exit 2, never a traceback.

    What it writes is for its user alone, whatever the umask that it was started with: the store,
    the log, keys and packets hold what others of this machine may not read.
    """
    os.umask(0o077)
    _hold_standard_streams()
    try:
        command()
    except MillworthError as error:
        sys.stderr.write(f"millworth: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)


def _hold_standard_streams() -> None:
    """Open what we were started without, or a file of the store would get its number.

    What the engine then writes to standard error would be written into that file.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    for number, name in ((_STDOUT, "stdout"), (_STDERR, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def _run_alone(name: str, command: Callable[..., object]) -> None:
    import typer

    app = typer.Typer(
        pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False
    )
    app.command()(command)
    run(lambda: app(sys.argv[2:], prog_name=f"millworth {name}"))

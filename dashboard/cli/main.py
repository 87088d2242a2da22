"""I/O: where `millworth` begins: each command is imported when it is run.

Exit status: 0 done, 1 found something, 2 bad usage or configuration, 75 what is needed does not
answer now, or another process has it. An error is one line on standard error that names the thing
and the remedy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Annotated, Any

try:
    import typer
    from typer.core import TyperCommand, TyperGroup
    from typer.main import get_command, get_group
except ModuleNotFoundError as missing:
    # The base package is for services that send, and its program is installed with it.
    sys.stderr.write(
        f"millworth: the module {missing.name!r} is not installed: this is the base package, for "
        "services that send. For the commands: pip install '.[server]' in a checkout of Millworth\n"
    )
    sys.exit(2)

from collector.core.errors import MillworthError, TransientError
from dashboard.settings.commands import COMMANDS

_STDOUT, _STDERR = 1, 2


class LazyGroup(TyperGroup):
    """The commands of COMMANDS: one is imported when it is run, none for the list of them."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  as Typer has them
        super().__init__(**attributes)
        self._listing = False
        self._places = {name: place for name, place, _, _ in COMMANDS}
        self.commands = {
            name: TyperCommand(name, help=says, rich_help_panel=panel)
            for name, _, panel, says in COMMANDS
        }

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  Typer's own Click
        """Return a command with its options; for the list, its line alone."""
        if self._listing or cmd_name not in self._places:
            return self.commands.get(cmd_name)
        module, _, name = self._places[cmd_name].partition(":")
        found = getattr(import_module(f"dashboard.cli.{module}"), name)
        if isinstance(found, typer.Typer):
            found.rich_markup_mode = "markdown"  # of rich, it takes [retention] for a style
            command: Any = get_group(found)
        else:
            alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
            alone.command(cmd_name)(found)
            command = get_command(alone)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  Typer's own Click
        """Return the command that arguments name: `alert list` is of the group `alerts`."""
        name, command, rest = super().resolve_command(ctx, args)
        if rest and f"{name}s" in self._places and not isinstance(command, TyperGroup):
            group = self.get_command(ctx, f"{name}s")
            if rest[0] in getattr(group, "commands", ()):
                said = f"{name} {rest[0]}"
                ctx.fail(f"No such command '{said}'. Did you mean '{name}s {rest[0]}'?")
        return name, command, rest

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  Typer's own Click
        """Write the list of the commands."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    name="millworth",
    help="Tells what each millisecond of a commercial decision is worth. "
    "Exit status: 0 done, 1 found something, 2 bad usage or settings, 75 no answer yet.",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"millworth {version('millworth')}")
        raise typer.Exit


@app.callback()
def _millworth(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that the arguments name, as `run` does."""
    run(lambda: app(prog_name="millworth"))


def run(command: Callable[[], object]) -> None:
    """Run a command; an error of ours is one line and exit 2, never a traceback.

    Exit 75 where the same may succeed later, as while the server of the store is away.

    What it writes is for its user alone, whatever the umask that it was started with: the store,
    the log, keys and packets hold what others of this machine may not read.
    """
    os.umask(0o077)
    _hold_standard_streams()
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal without UTF-8 gets codes, no traceback
        sys.stdout.reconfigure(errors="backslashreplace")
    _hold_output()
    try:
        command()
    except SystemExit as end:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        if isinstance(end.__context__, BrokenPipeError):
            # Typer and Rich end with 1 then, which says that something was found.
            sys.exit(0)
        raise
    except MillworthError as error:
        sys.stderr.write(f"millworth: {error}\n")
        sys.exit(os.EX_TEMPFAIL if isinstance(error, TransientError) else 2)
    except BrokenPipeError:
        sys.exit(0)


class _Output(FileIO):
    """Standard output of which what comes after its reader went away, as `head` does, is lost."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401  as FileIO has it
        """Write; raises BrokenPipeError once."""
        try:
            return super().write(data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            raise


def _hold_output() -> None:
    """Have standard output be of that kind, unless a test, or who calls us, put its own there."""
    stdout = sys.stdout
    if stdout is not sys.__stdout__ or not isinstance(stdout, TextIOWrapper):
        return
    stdout.flush()
    output = _Output(stdout.fileno(), "w", closefd=False)
    sys.stdout = TextIOWrapper(
        output if stdout.write_through else BufferedWriter(output),
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=stdout.line_buffering,
        write_through=stdout.write_through,
    )


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


if __name__ == "__main__":
    main()

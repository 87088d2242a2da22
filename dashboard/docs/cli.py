"""Pure: the page docs/reference/cli.md, from the commands themselves; a test holds it."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from dashboard.cli.main import app
from dashboard.docs.table import table

_HEAD: Final = """# Commands

Every command and every option of `millworth`. `millworth COMMAND --help` prints the same.

Commands that ask (`trace`, `query`, `import`, `verify`, `vram`, ...) send their question to the
running service at `--url`, by default the address in the settings, with the token in
`MILLWORTH__ACCESS__TOKEN` where the service asks for one. If no service answers there, they open
the store themselves, with the settings of `millworth.toml` in the working directory or of
`--config`: without that file they look for the store in its default place.

| exit | means |
|---|---|
| 0 | done |
| 1 | found something: a check failed, a row was refused, a budget was missed, a seal is wrong |
| 2 | bad usage or configuration, in one line that names the thing and the remedy |
| 75 | what is needed does not answer now, or another process has it: try it again later |

This page is written by `make example`.

"""


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Yield every command that can be run, by its whole name, in the order of the help."""
    yield from _below("millworth", typer.main.get_command(app))


def cli_page() -> str:
    """Return the page."""
    found = list(commands())
    contents = table(("command", "does"), ((_link(name), _first(c.help)) for name, c in found))
    return (_HEAD + contents + "".join(_section(name, c) for name, c in found)).rstrip() + "\n"


def _below(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        context = command.make_context(name, [], resilient_parsing=True)
        for child in command.list_commands(context):
            yield from _below(f"{name} {child}", command.get_command(context, child))
    else:
        assert isinstance(command, TyperCommand), name
        yield name, command


def _link(name: str) -> str:
    return f"[`{name}`](#{name.replace(' ', '-')})"


def _first(help_text: str | None) -> str:
    """Return the first paragraph of a help text."""
    return (help_text or "").split("\n\n")[0]


def _section(name: str, command: TyperCommand) -> str:
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if isinstance(each, TyperOption) and not each.hidden]
    usage = " ".join((name, *map(_operand, arguments), *(["[OPTIONS]"] if options else [])))
    return (
        f"## {name}\n\n```text\n{usage}\n```\n\n{_prose(command.help or '')}\n\n"
        + table(("argument", "means"), ((f"`{_name(a)}`", a.help or "") for a in arguments))
        + table(
            ("option", "default", "means"),
            ((_spelled(o), _default(o), o.help or "") for o in options),
        )
    )


def _prose(help_text: str) -> str:
    """Return a help text without the mark that ends what a terminal shows."""
    return re.sub(r"\n{3,}", "\n\n", help_text.replace("\b", "").split("\f")[0]).strip()


def _name(argument: TyperArgument) -> str:
    return str(argument.metavar or argument.name.upper())


def _operand(argument: TyperArgument) -> str:
    many = "..." if argument.nargs == -1 else ""
    return f"{_name(argument)}{many}" if argument.required else f"[{_name(argument)}{many}]"


def _spelled(option: TyperOption) -> str:
    """Return how an option is written, with what it takes."""
    if option.is_flag:
        return ", ".join(f"`{opt}`" for opt in option.opts)
    taken = option.metavar or _taken(option)
    many = ", may be repeated" if option.multiple else ""
    return ", ".join(f"`{opt} {taken}`" for opt in option.opts) + many


def _taken(option: TyperOption) -> str:
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(each.value) for each in kind)
    return {"Path": "PATH", "int": "N", "float": "X", "str": "TEXT"}.get(
        getattr(kind, "__name__", ""), "PATH" if "Path" in str(kind) else "TEXT"
    )


def _default(option: TyperOption) -> str:
    if option.required:
        return "required"
    value = option.default.value if isinstance(option.default, enum.Enum) else option.default
    # Port -1 stands for none, as an empty text does.
    return "" if value in (None, "", False, -1, (), []) else f"`{value}`"

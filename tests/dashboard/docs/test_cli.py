"""docs/reference/cli.md is as the commands are."""

from __future__ import annotations

from typer.core import TyperArgument, TyperOption

from dashboard.docs.cli import commands


def test_every_command_and_option_is_explained() -> None:
    """An option without a help text is a riddle in the terminal too."""
    bare = [
        f"{name} {parameter.opts[0]}"
        for name, command in commands()
        for parameter in command.params
        if isinstance(parameter, TyperArgument | TyperOption) and not (parameter.help or "").strip()
    ]
    assert bare == []
    assert [name for name, command in commands() if not command.help] == []

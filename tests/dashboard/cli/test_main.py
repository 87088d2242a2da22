"""The list of commands: fits a screen, costs little, and names nothing that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from dashboard.cli.main import app
from dashboard.settings.commands import COMMANDS
from tests.support.tree import ROOT

SCREEN_LINES = 50


def _help(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys; from dashboard.cli.main import app\n"
        "try: app(sys.argv[1:], prog_name='millworth')\n"
        "finally: sys.stderr.write(' '.join(sys.modules))"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_fits_a_screen_and_imports_no_command(flag: str) -> None:
    """Whoever asks what there is waits for none of it."""
    shown = _help(flag)
    assert len(shown.stdout.splitlines()) <= SCREEN_LINES
    assert all(f" {name} " in shown.stdout for name, *_ in COMMANDS)
    loaded = set(shown.stderr.split())
    assert not loaded & {"clickhouse_connect", "fastapi", "numpy", "httpx"}
    assert not {name for name in loaded if name.startswith(("attribution.", "packet.", "alerts."))}


@pytest.mark.parametrize(("name", "place"), [(name, place) for name, place, _, _ in COMMANDS])
def test_command_is_where_the_list_says(name: str, place: str) -> None:
    """A command that was moved would be missed by its users only."""
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"dashboard.cli.{module}"), attribute)
    assert isinstance(found, typer.Typer) or callable(found), name


def test_every_command_has_its_own_help() -> None:
    """The list has a line of each; what it takes stands with the command."""
    group = get_command(app)
    context = group.make_context("millworth", ["budgets"], resilient_parsing=True)
    for name, *_ in COMMANDS:
        command = group.get_command(context, name)  # type: ignore[attr-defined]  # it is a group
        assert command.name == name
        assert command.help, name


def test_help_shows_every_bracket_that_it_is_written_with() -> None:
    """`[retention]` names a section of the settings: taken for a style, it was not shown."""
    for path, command in commands_of(get_command(app), []):
        texts = [command.help or "", *(getattr(each, "help", "") or "" for each in command.params)]
        named = {mark for text in texts for mark in re.findall(r"\[+[^\]\s]+\]+", text)}
        if not named:
            continue
        shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "300"}).output
        assert [mark for mark in named if mark not in shown] == [], path
    listed = CliRunner().invoke(app, ["hold", "--help"], env={"COLUMNS": "300"}).output
    assert "what it kept lapses as [retention] says" in listed


def commands_of(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:  # noqa: ANN401  Typer's own Click
    """Yield each command, and those below it, with its words."""
    yield path, command
    context = command.make_context("millworth", [], resilient_parsing=True)
    for name in getattr(command, "commands", ()):
        yield from commands_of(command.get_command(context, name), [*path, name])

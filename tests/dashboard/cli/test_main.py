"""The list of commands: fits a screen, costs little, and names nothing that is not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from collector.core.errors import InputError
from dashboard.cli.client import ApiClient
from dashboard.cli.main import app
from dashboard.settings.commands import COMMANDS
from dashboard.settings.settings import Settings
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


def test_base_package_alone_says_what_the_commands_need() -> None:
    """A customer's service installs it, and the program comes with it: it was a traceback."""
    program = "import sys; sys.modules['typer'] = None; import dashboard.cli.main"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("millworth: the module 'typer' is not installed")
    assert ended.stderr.endswith("pip install '.[server]' in a checkout of Millworth\n")


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


def test_words_that_a_terminal_cannot_show_are_codes_there() -> None:
    """What a person wrote must not end a command in a traceback, wherever it is read."""
    program = (
        "from dashboard.cli.main import run; from dashboard.cli.console import OUT, quoted\n"
        "run(lambda: OUT.print(quoted('тест')))"
    )
    for encoding, shown in (("utf-8", "тест"), ("ascii", r"\u0442\u0435\u0441\u0442")):
        said = subprocess.run(
            ["env", f"PYTHONIOENCODING={encoding}", sys.executable, "-c", program],
            cwd=ROOT, capture_output=True, check=True,
        )  # fmt: skip
        assert said.stdout.decode() == f'"{shown}"\n'


@pytest.mark.parametrize(
    "command",
    [
        # In all more than a pipe holds, so that none comes to its end before the reader has gone.
        "OUT.print('x' * 9)",
        "print_json('x' * 9)",
        "typer.echo('x' * 9)",
        "print('x' * 9)",
    ],
)
def test_reader_that_has_seen_enough_is_no_finding(command: str) -> None:
    """With `set -o pipefail` a script took `| head` for exit 1: found something."""
    program = (
        "import typer; from dashboard.cli.main import run; from dashboard.cli.console import OUT\n"
        "from dashboard.cli.json_output import print_json\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        f"def many() -> None: [{command} for _ in range(20_000)]; raise typer.Exit(1)\n"
        "run(app)"
    )
    shell = '"$0" -c "$1" | head -1; echo ${PIPESTATUS[0]}; "$0" -c "$1" > /dev/null; echo $?'
    said = subprocess.run(
        ["bash", "-c", shell, sys.executable, program],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.split()[1:] == ["0", "1"], said.stderr
    assert said.stderr == ""


def test_command_that_came_to_its_end_has_found_what_it_found() -> None:
    """Its reader had gone before the last of it was written, and all was said to be well."""
    program = (
        "import sys, typer; from dashboard.cli.main import run\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def found() -> None: sys.stdout.write('broken\\n'); raise typer.Exit(1)\n"
        "run(app)"
    )
    # Whoever reads has gone before anything is written.
    ours = 'read -r _ < "$2"; env -u PYTHONUNBUFFERED "$0" -c "$1"; echo $? >&2'
    shell = f'{{ {ours}; }} | {{ exec <&-; echo gone > "$2"; }}'
    with TemporaryDirectory() as directory:
        gate = f"{directory}/gate"
        os.mkfifo(gate)
        said = subprocess.run(
            ["bash", "-c", shell, sys.executable, program, gate],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert said.stderr == "1\n"


def test_typo_of_a_group_says_which_is_meant() -> None:
    """`alert` is a role of the service and takes no word; its group is `alerts`."""
    result = CliRunner().invoke(app, ["alert", "list"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "No such command 'alert list'. Did you mean 'alerts list'?" in result.stderr
    result = CliRunner().invoke(app, ["alert", "lst"], env={"COLUMNS": "200"})
    assert "Got unexpected extra argument" in result.stderr


@pytest.mark.parametrize("url", ["notaurl", "ftp://a", "http://", "http://[::1", "http://a:x", ""])
def test_url_that_is_none_is_bad_usage(url: str) -> None:
    """`no Millworth answers at notaurl`, exit 75: a script tried it again for ever."""
    with pytest.raises(InputError, match=r"--url .* is not an address"):
        ApiClient.open(Settings(), url)


def test_acknowledgement_has_one_answer() -> None:
    """Of `--actionable --not-actionable` the last one counted, silently."""
    flags = ["--actionable", "--not-actionable"]
    result = CliRunner().invoke(app, ["alerts", "ack", "e", "-m", "x", *flags])
    assert isinstance(result.exception, InputError)
    assert "give one" in str(result.exception)


def test_number_that_is_none_is_refused_by_every_option() -> None:
    """`inf` ended in a traceback where it was sent, and `nan` is below no limit and above none."""
    seen = 0
    for path, command in commands_of(get_command(app), []):
        for option in command.params:
            if option.type_descriptor.annotation is not float:
                continue
            seen += 1
            needed = [part for each in command.params if each.required for part in given(each)]
            for text in ("inf", "-inf", "nan", "1e999"):
                result = CliRunner().invoke(app, [*path, f"{option.opts[0]}={text}", *needed])
                said = result.output + str(result.exception)
                assert result.exit_code != 0, (path, option.name, text)
                assert option.opts[0] in said, (path, said)
                assert isinstance(result.exception, InputError | SystemExit), (path, said)
    assert seen >= 12


def given(parameter: Any) -> list[str]:  # noqa: ANN401  Typer's own Click
    """Return a value for what a command cannot do without."""
    return [*parameter.opts[:1], "x"] if parameter.opts[0].startswith("-") else ["x"]


def commands_of(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:  # noqa: ANN401  Typer's own Click
    """Yield each command, and those below it, with its words."""
    yield path, command
    context = command.make_context("millworth", [], resilient_parsing=True)
    for name in getattr(command, "commands", ()):
        yield from commands_of(command.get_command(context, name), [*path, name])

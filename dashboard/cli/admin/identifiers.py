"""I/O: `millworth identifiers`: what a value has become in what is stored."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from collector.core.clock import SystemClock
from collector.core.errors import InputError
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption
from dashboard.settings.privacy import protection_of
from dashboard.settings.settings import load

identifiers_app = typer.Typer(help="Personal data, as it is stored.", no_args_is_help=True)


@identifiers_app.callback()
def identifiers() -> None:
    """Personal data, as it is stored."""


@identifiers_app.command("tokens")
def tokens(
    value: Annotated[
        str,
        typer.Argument(help="As it was sent; - reads a line, so that no shell remembers it."),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the tokens of a value, those of every period and key that may still be stored.

    So a person's rows are found when that person asks: look for each in the store, for example with
    `millworth query`. It reads the keys of the service, so it runs where they are.
    """
    said = sys.stdin.readline().rstrip("\r\n") if value == "-" else value
    if not said:
        raise InputError("there is no value to make tokens of; give one, or send a line to `-`")
    settings = load(config).settings
    found = protection_of(settings, settings.wal_dir).tokens(said, SystemClock().now_ns())
    if as_json:
        print_json({"tokens": found})
    else:
        sys.stdout.write("".join(f"{token}\n" for token in found))

"""Pure: options that many commands take, said alike everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from collector.clock import NS_PER_S
from collector.errors import InputError

ConfigOption = Annotated[
    Path | None,
    # Whoever opens the file says what is wrong, in one line: typer's own check says it in a box.
    typer.Option(
        "--config",
        "-c",
        help="Settings file; by default ./millworth.toml if there.",
        readable=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The running service; by default the settings' dashboard address. Where none runs, "
        "the store is opened directly.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine output: JSON.")]
MetricsOption = Annotated[
    int,
    typer.Option("--metrics-port", help="Serve /metrics on this port of 127.0.0.1; 0 takes any."),
]
WindowOption = Annotated[str, typer.Option(help="How far back: a number and s, m, h or d.")]
UntilOption = Annotated[str, typer.Option(help="End of the window, ISO 8601; by default now.")]


def parse_instant(text: str, option: str) -> int:
    """Return an instant in Unix nanoseconds. Raises InputError where the text is none."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{option} {text!r} is no time; give 2026-11-01 or 2026-11-01T12:00:00 (UTC)"
        ) from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    elapsed = instant - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return seconds * NS_PER_S + elapsed.microseconds * 1_000
